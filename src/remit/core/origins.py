"""The sources of a run: every text that it has read, who it is from and how far that is to be trusted, from the fold alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from remit.core.message import Message, ToolResult, ToolUse
from remit.core.payload import unpack
from remit.core.provenance import Label, Labels
from remit.core.roles import COMPUTES, texts_of, with_roles
from remit.core.run import FOREIGN, REJECTED, SUMMARY, Run, Step
from remit.core.tracing import bare, numbers, plain

Standing = Literal["trusted", "untrusted", "composed"]
"""`composed`: a model wrote it."""

Schemas = Callable[[str], Mapping[str, Any]]
"""The input schema of a tool by its name; empty for one that is gone."""

_TOKEN = re.compile(r"[\w.+@-]++")
_NAME = re.compile(r"(?<!\w)[^\W\d_a-z][^\W\d_]++(?:[ -][^\W\d_a-z][^\W\d_]++){1,2}")
_WORD = re.compile(r"\w+")
_TELLING_CHARS = 5
_TELLING_WORD = 4


class Text:
    """The texts in a JSON-like value, in the forms in which they are looked through; each is made once."""

    def __init__(self, content: Any) -> None:
        self._content = content

    @cached_property
    def raw(self) -> str:
        """A line each, as they are."""
        return "\n".join(texts_of(self._content))

    @cached_property
    def plain(self) -> str:
        """As `tracing.plain` has them, and still a line each, so that no two run into one."""
        return "\n".join(map(plain, texts_of(self._content)))

    @cached_property
    def bare(self) -> str:
        """Their letters and digits."""
        return bare(self.raw)

    @cached_property
    def numbers(self) -> frozenset[Decimal]:
        """Their numbers."""
        return numbers(self.raw)

    @cached_property
    def marks(self) -> frozenset[str]:
        """What a text is known by again: addresses and numbers, names, short fields, a word that is one, and any four words in a row."""
        found: set[str] = set()
        for line in texts_of(self._content):
            words = _WORD.findall(plain(line))
            found.update(_in_a_row(words, 4))
            found.update(_telling(line))
            found.update(" ".join(_WORD.findall(plain(m))) for m in _NAME.findall(line))
            if 2 <= len(words) <= 3:
                found.add(" ".join(words))
        for field in texts_of(self._content, names=False):
            words = _WORD.findall(plain(field))
            if len(words) == 1 and len(words[0]) >= _TELLING_WORD:
                found.add(words[0])
        return frozenset(found)

    @cached_property
    def probes(self) -> frozenset[str]:
        """Everything in it that could be a mark of another text."""
        words = _WORD.findall(plain(self.raw))
        return frozenset(_telling(self.raw)).union(*(_in_a_row(words, n) for n in (1, 2, 3, 4)))

    @property
    def first(self) -> str:
        """A text in it that tells people what it is about."""
        return next((t for t in texts_of(self._content) if "/" in t or " " in t), "")[:80]


class Source:
    """A text that the run has read. `given`: the arguments of the call that brought it; `called` says that one did."""

    def __init__(
        self,
        name: str,
        standing: Standing,
        content: Any,
        *,
        step: str = "",
        given: Any = None,
        private: bool = False,
    ) -> None:
        self.name = name
        self.standing = standing
        self.step = step
        self.private = private
        self.called = bool(step) or given is not None
        self.text = Text(content)
        self.given = Text(given)

    @property
    def shown(self) -> str:
        """The source as a sentence names it."""
        place = ", ".join(
            part for part in (f"step {self.step}" if self.step else "", self.given.first) if part
        )
        return f"`{self.name}`" + (f" ({place})" if place else "")


class Origins:
    """The sources of one run. What a step answered does not change, so it is looked through once."""

    def __init__(self, run: Run, schemas: Schemas) -> None:
        self._run = run
        self._schemas = schemas
        self._fixed: tuple[list[Source], list[Source]] | None = None
        self._steps: dict[str, Source] = {}

    def all(self) -> list[Source]:
        """Everything that the run has read and was told, in order; people's and its author's words last."""
        if self._fixed is None:
            self._fixed = ([*_begun(self._run), *self._history()], [*_author(self._run)])
        before, author = self._fixed
        return [*before, *self._answers(), *_heard(self._run), *author, *_people(self._run)]

    def _answers(self) -> Iterator[Source]:
        run = self._run
        tainted = run.start.labels.untrusted or any(heard.labels.untrusted for heard in run.heard)
        for step in run.steps.values():
            source = self._steps.get(step.step)
            if source is None:
                source = self._answer(step, tainted)
                if step.settled:
                    self._steps[step.step] = source
            tainted = tainted or source.standing == "untrusted"
            yield source

    def _answer(self, step: Step, tainted: bool) -> Source:
        """What a step brought. A call that has brought nothing still counts for what it was given."""
        name = step.name.removeprefix("tool:")
        if step.kind == "model":
            return Source(f"model {name}", "composed", _said(step.output), step=step.step)
        content = (
            step.output
            if step.state == "done"
            else [step.problem.message, step.problem.help]
            if step.problem
            else None
        )
        label = step.label or Label(step.name)
        standing: Standing = "untrusted" if label.trust == "untrusted" else "trusted"
        # A refusal quotes what the model asked for.
        quotes = step.state == "refused" or (tainted and self._computes(step.name, step.arguments))
        if standing == "trusted" and quotes:
            standing = "composed"
        private = Labels(sensitivity=label.sensitivity).private
        return Source(name, standing, content, step=step.step, given=step.arguments, private=private)

    def _history(self) -> Iterator[Source]:
        """The session so far: the person's own words are trusted, the agent's as far as the session is."""
        run = self._run
        labels, uses = run.start.labels, tuple[ToolUse, ...]()
        for message in unpack(run.start.history, run.contents, list[Message] | None) or []:  # type: ignore[arg-type]
            uses = message.tool_uses or uses
            for block in message.blocks:
                if isinstance(block, ToolResult):
                    yield self._earlier(block, [u for u in uses if u.id == block.tool_use_id])
            if not message.text:
                continue
            if message.role == "user" and not message.text.startswith((SUMMARY, REJECTED, FOREIGN)):
                yield Source("user", "trusted", message.text)
                continue
            # What a model said, what a program made of that, or what came in from outside.
            own: Standing = "untrusted" if labels.untrusted else "composed"
            yield Source(_earlier_name(message), own, message.text, private=labels.private)

    def _earlier(self, result: ToolResult, uses: Sequence[ToolUse]) -> Source:
        """What a call of an earlier turn brought: held to the same as one of this run."""
        labels = self._run.start.labels
        label = result.label or Label(
            "earlier", "untrusted" if labels.untrusted else "trusted", labels.sensitivity
        )
        standing: Standing = label.trust
        refused = result.label is None and result.is_error
        computed = labels.untrusted and any(self._computes(use.name, use.input) for use in uses)
        if standing == "trusted" and (refused or computed or not uses):
            standing = "composed"
        private = Labels(sensitivity=label.sensitivity).private
        name, given = label.source.removeprefix("tool:"), [use.input for use in uses]
        return Source(name, standing, result.content, given=given, private=private)

    def _computes(self, name: str, arguments: Any) -> bool:
        """Whether an answer is made of what the model wrote: code, a formula, a statement."""
        if not isinstance(arguments, Mapping):
            return False
        return any(a.role in COMPUTES for a in with_roles(self._schemas(name), arguments))


def _begun(run: Run) -> Iterator[Source]:
    """What the run was given by whoever started it."""
    start, task = run.start, run.task
    given = start.labels if start.given is None else start.given
    name = f"agent {start.handoff.from_agent}" if start.handoff else "user"
    if given.untrusted and not start.handoff:
        name = f"what started the run ({task.actor_context.via})"
    standing: Standing = "untrusted" if given.untrusted else "trusted"
    yield Source(name, standing, [task.objective, task.input], private=given.private)


def _earlier_name(message: Message) -> str:
    if message.text.startswith(SUMMARY):
        return "a summary of earlier turns"
    return "what started an earlier turn" if message.text.startswith(FOREIGN) else "an earlier answer"


def _heard(run: Run) -> Iterator[Source]:
    """What came in from outside while the run went on."""
    for heard in run.heard:
        standing: Standing = "untrusted" if heard.labels.untrusted else "trusted"
        yield Source(heard.source, standing, heard.content, private=heard.labels.private)


def _author(run: Run) -> Iterator[Source]:
    """What its author wrote is trusted whatever the run has read."""
    document = run.workflow.document if run.workflow is not None else None
    yield Source("instructions", "trusted", [run.agent.instructions, document])


def _people(run: Run) -> Iterator[Source]:
    """So is what handoffs vouch for, and what approvers wrote."""
    vouched = [part for step in run.steps.values() for part in step.vouched]
    yield Source("handoff", "trusted", [*run.start.vouched, *vouched])
    yield Source("approver", "trusted", list(_written(run)))


def _written(run: Run) -> Iterator[str]:
    """What people put into arguments that had been asked about, and what they said to it."""
    for approval in run.approvals.values():
        before = set(texts_of(approval.arguments))
        for vote in approval.votes:
            yield from (t for t in texts_of(vote.arguments) if t not in before)
            yield vote.rationale
        yield approval.answer


def _said(message: Any) -> Any:
    if not isinstance(message, Message):
        return None
    return [message.text, [use.input for use in message.tool_uses]]


def _telling(text: str) -> Iterator[str]:
    """Addresses, and words with a digit in them, which few texts have in common by chance."""
    for token in _TOKEN.findall(text):
        whole = token.strip(".+-").casefold()
        if "@" in whole:
            yield whole
        for part in whole.replace("+", ".").replace("@", ".").split("."):
            if len(part) >= _TELLING_CHARS and any(c.isdigit() for c in part):
                yield part


def _in_a_row(words: list[str], count: int) -> set[str]:
    return {" ".join(words[i : i + count]) for i in range(len(words) - count + 1)}
