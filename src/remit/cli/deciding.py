"""Who decides when a run waits for a person: somebody at this terminal, a script that approves, or nobody here.

Deciding goes through policy like any other act. Nobody approves their own request, so the decision is made as
another person than the requester (`--as`), and that is said.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import typer

from remit.cli.console import paint, problem, say
from remit.cli.options import REQUESTER
from remit.cli.session import person
from remit.cli.text import brief, lines

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.approval import Approval, DecisionKind

CHOICES = {"a": "approve", "r": "reject", "c": "constrain", "k": "ask", "l": "leave"}
KINDS: dict[str, DecisionKind] = {
    "approve": "approve",
    "reject": "reject",
    "constrain": "constrain",
    "ask": "request_info",
}


class Decider(Protocol):
    """Decides approvals, or leaves them."""

    async def decide(self, app: App, approval: Approval) -> bool:
        """Whether something was decided, so that the run can go on."""


class Nobody:
    """Leaves every approval waiting."""

    async def decide(self, app: App, approval: Approval) -> bool:
        """Never."""
        return False


class Script:
    """Approves everything, as `--approve` asks."""

    def __init__(self, name: str, roles: Sequence[str]) -> None:
        self._actor = person(name, roles)

    async def decide(self, app: App, approval: Approval) -> bool:
        """Approve."""
        say(paint(f"  approving {approval.tool} as `{self._actor.actor_id}`, because of --approve", "dim"))
        await app.approvals.decide(
            approval.approval_id,
            approval.tenant_id,
            self._actor,
            "approve",
            rationale="approved by --approve",
        )
        return True


class AtTerminal:
    """Asks the person at this terminal."""

    def __init__(self, name: str, roles: Sequence[str], requester: str = REQUESTER) -> None:
        self._actor = person(name, roles)
        self._requester = requester
        self._told = False

    async def decide(self, app: App, approval: Approval) -> bool:
        """Show the exact call and take a decision; a refused decision is explained and asked again."""
        from remit.core.errors import RemitError

        if approval.status == "info_requested":
            return await self._answer(app, approval)
        self._present(approval)
        while True:
            kind = self._choose()
            if kind == "leave":
                return False
            try:
                await self._send(app, approval, kind)
                return True
            except RemitError as error:
                problem(error.code, error.message, error.help)

    def _present(self, approval: Approval) -> None:
        say()
        say(paint("  A person has to decide", "bold") + paint(f"   {approval.approval_id}", "dim"))
        for line in describe(approval):
            say(f"  {line}")
        if not self._told:
            roles = ", ".join(self._actor.roles)
            say(
                paint(
                    f"  You decide as `{self._actor.actor_id}` ({roles}). The requester is `{approval.requested_by}`, and nobody"
                    " approves their own request.",
                    "dim",
                )
            )
            self._told = True

    def _choose(self) -> str:
        asked = "  [a]pprove  [r]eject  [c]onstrain  as[k]  [l]eave it waiting"
        while True:
            word = typer.prompt(asked, err=True, prompt_suffix=" > ").strip().lower()
            kind = CHOICES.get(word) or (word if word in CHOICES.values() else "")
            if kind:
                return kind

    async def _send(self, app: App, approval: Approval, choice: str) -> None:
        arguments: dict[str, Any] | None = None
        rationale = ""
        kind = KINDS[choice]
        if kind == "constrain":
            arguments = _prompt_arguments(approval.arguments)
        if kind == "request_info":
            rationale = typer.prompt("  Your question", err=True)
        else:
            rationale = typer.prompt("  Why (for the record)", err=True, default="", show_default=False)
        await app.approvals.decide(
            approval.approval_id,
            approval.tenant_id,
            self._actor,
            kind,
            rationale=rationale,
            arguments=arguments,
        )

    async def _answer(self, app: App, approval: Approval) -> bool:
        say()
        say(f"  An approver asks about {approval.tool}: “{brief(approval.question, 300)}”")
        text = typer.prompt(f"  Your answer, as the requester `{self._requester}`", err=True)
        await app.approvals.answer(
            approval.approval_id, approval.tenant_id, person(self._requester, ()), text
        )
        return True


def describe(approval: Approval) -> list[str]:
    """The exact call, why it waits, and who may decide."""
    told = [f"{paint(approval.tool, 'bold')}  risk {approval.risk_level}, asked by agent {approval.agent}"]
    told += [f"  {paint(name, 'name')}: {brief(value, 300)}" for name, value in approval.arguments.items()]
    if approval.reason == "in_doubt":
        told.append("A crash hid whether this happened. approve: it did not, do it. reject: it did, go on.")
    told += [f"{paint('why', 'dim')}  {line}" for line in lines(approval.explanation)[:1]]
    if approval.question:
        told.append(f"asked: “{brief(approval.question, 300)}”  answered: “{brief(approval.answer, 300)}”")
    needed = f"{approval.quorum} of " if approval.quorum > 1 else ""
    told.append(
        paint(f"may decide: {needed}{' or '.join(approval.approver_roles) or 'whoever policy allows'}", "dim")
    )
    return told


def _prompt_arguments(now: dict[str, Any]) -> dict[str, Any]:
    """New arguments as JSON; those not named stay as they are."""
    say(f"  arguments now: {json.dumps(now, ensure_ascii=False, default=str)}")
    while True:
        text = typer.prompt("  JSON with what to change", err=True)
        try:
            changed = json.loads(text)
        except ValueError as error:
            say(f"  not JSON: {error}")
            continue
        if isinstance(changed, dict):
            return {**now, **changed}
        say('  a JSON object is wanted, e.g. {"amount_cents": 5000}')
