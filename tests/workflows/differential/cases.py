"""The corpus: documents with their input, the answers of their tasks, and what AWS documents that comes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import UNSET, Struct

CORPUS = Path(__file__).parent / "corpus"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:"
REFUSED = "refused"
"""The error of a document that an engine does not take."""
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:"


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """What a task does when it is called: answers, echoes its input, or fails after `slow_s` seconds.

    The answers of a task are given in turn, the last one again and again; if one of them says `when`, each is instead
    given for the input that it names, and the one without `when` for every other input.
    """

    answer: Any = None
    echo: bool = False
    error: str = ""
    cause: str = ""
    when: Any = UNSET
    slow_s: float = 0.0

    def of(self, given: Any) -> Any:
        return given if self.echo else self.answer


class Raw(Struct, frozen=True, forbid_unknown_fields=True):
    """A case as it is written. One of `document`, `states`, `pass_`, `rule` and `expr` says what runs; error `refused`: nothing does.

    `pass_` are the fields of the one state, a Pass; `rule` is the one rule of a Choice, output "yes" or "no"; `expr` is a path,
    an intrinsic function or a JSONata expression, whose value is the output.
    """

    document: dict[str, Any] | None = None
    states: dict[str, Any] | None = None
    pass_: dict[str, Any] | None = msgspec.field(default=None, name="pass")
    rule: dict[str, Any] | None = None
    expr: str = ""
    language: str = ""
    input: Any = msgspec.field(default_factory=dict)
    tasks: dict[str, list[Answer]] = {}
    machines: dict[str, dict[str, Any]] = {}
    objects: dict[str, str] = {}
    output: Any = UNSET
    error: str = ""
    cause: str | None = None
    path: str = ""
    unsure: list[str] = []
    doc: str = ""


class Theme(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the corpus. `language` and `doc` (a page of AWS's documentation) hold for its cases unless they say otherwise."""

    about: str
    doc: str
    cases: dict[str, Raw]
    language: str = "JSONPath"


class Case(Struct, frozen=True):
    """A case as it runs. `path` is the states entered; `unsure` are states whose visits depend on timing.

    `machines` are other machines by name; `objects` are the texts that are at `BUCKET/KEY` before.
    """

    name: str
    document: dict[str, Any]
    input: Any
    tasks: Mapping[str, list[Answer]]
    machines: Mapping[str, dict[str, Any]]
    output: Any
    error: str
    cause: str | None
    path: list[str]
    unsure: frozenset[str]
    doc: str
    objects: Mapping[str, str] = {}


class Seen(Struct, frozen=True, forbid_unknown_fields=True):
    """What an engine made of a case: its output, or the error it ended with, and the states that it entered."""

    output: Any = None
    error: str = ""
    cause: str = ""
    path: list[str] = []


@cache
def corpus() -> list[Case]:
    """Every case of every theme, in order; no two have one name."""
    cases = [case for file in sorted(CORPUS.glob("*.yaml")) for case in read_theme(file)]
    names = [case.name for case in cases]
    assert len(names) == len(set(names)), "two cases have one name"
    return cases


def read_theme(file: Path) -> Iterator[Case]:
    try:
        theme = msgspec.convert(yaml.load(file.read_text(), _Loader), Theme, str_keys=True)
    except msgspec.ValidationError as error:
        raise AssertionError(f"{file.name}: {error}") from error
    for name, raw in theme.cases.items():
        yield _case(f"{file.stem}.{name}", raw, theme)


def _case(name: str, raw: Raw, theme: Theme) -> Case:
    language = raw.language or theme.language
    document = _document(raw, language)
    if language == "JSONata":
        document = {"QueryLanguage": "JSONata", **document}
    assert (raw.output is UNSET) != (raw.error == ""), f"{name}: say `output` or `error`"
    path = raw.path.split() or ([] if raw.rule or raw.error == REFUSED else list(document["States"]))
    if raw.rule and not raw.path:
        path = ["Check"] if raw.error else ["Check", "Yes" if raw.output == "yes" else "No"]
    return Case(
        name,
        document,
        raw.input,
        raw.tasks,
        raw.machines,
        None if raw.output is UNSET else raw.output,
        raw.error,
        raw.cause,
        path,
        frozenset(raw.unsure),
        raw.doc or theme.doc,
        raw.objects,
    )


def _document(raw: Raw, language: str) -> dict[str, Any]:
    if raw.document is not None:
        return raw.document
    if raw.states is not None:
        return {"StartAt": next(iter(raw.states)), "States": raw.states}
    if raw.expr:
        by_path = {"Parameters": {"value.$": raw.expr}, "OutputPath": "$.value"}
        fields = {"Output": f"{{% {raw.expr} %}}"} if language == "JSONata" else by_path
        return {"StartAt": "P", "States": {"P": {"Type": "Pass", **fields, "End": True}}}
    if raw.pass_ is not None:
        return {"StartAt": "P", "States": {"P": {"Type": "Pass", **raw.pass_, "End": True}}}
    assert raw.rule is not None
    answers = {name: {"Type": "Pass", "Result": name.lower(), "End": True} for name in ("Yes", "No")}
    if "Condition" in raw.rule:
        answers = {name: {"Type": "Pass", "Output": name.lower(), "End": True} for name in ("Yes", "No")}
    choice = {"Type": "Choice", "Choices": [{**raw.rule, "Next": "Yes"}], "Default": "No"}
    return {"StartAt": "Check", "States": {"Check": choice, **answers}}


class _Loader(yaml.SafeLoader):
    """YAML as JSON has it: times stay text, and so do `on` and `yes`.

    `!machine {A: ..., B: ...}` is a machine of these states that starts with the first; `!repeat [x, 3]` is `xxx`.
    """

    def machine(self, node: yaml.MappingNode) -> dict[str, Any]:
        states: dict[str, Any] = self.construct_mapping(node, deep=True)
        return {"StartAt": next(iter(states)), "States": states}

    def repeat(self, node: yaml.SequenceNode) -> str:
        text, times = self.construct_sequence(node)
        return str(text) * int(times)


_TEXT = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _TEXT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true$|false$"), ["t", "f"])
_Loader.add_constructor("!machine", _Loader.machine)
_Loader.add_constructor("!repeat", _Loader.repeat)


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A document in which each whole string that is a key of `names` is its value instead."""
    if isinstance(value, dict):
        return {key: renamed(member, names) for key, member in value.items()}
    if isinstance(value, list):
        return [renamed(member, names) for member in value]
    return names.get(value, value) if isinstance(value, str) else value


def text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
