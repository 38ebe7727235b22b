"""`remit approvals`: what waits for a person, and deciding it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.answers import listed
from remit.cli.console import document, paint, say, show, status, table
from remit.cli.session import person, with_app
from remit.cli.text import brief, moment, plural

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.approval import Approval, DecisionKind
    from remit.engine.approvals import Outcome

REFUSED = 1

app = typer.Typer(
    no_args_is_help=True, help="See what waits for a person, and decide.", rich_markup_mode=None
)

ApprovalId = Annotated[str, typer.Argument(metavar="APPROVAL", help="An approval's id.")]
ApprovalIds = Annotated[
    list[str], typer.Argument(metavar="APPROVAL", help="Ids of approvals of exactly the same call.")
]
Why = Annotated[
    str, typer.Option("--why", metavar="TEXT", help="The reason, for the record.", show_default=False)
]
DecisionId = Annotated[
    str,
    typer.Option("--decision-id", metavar="ID", help="Makes sending it twice harmless.", show_default=False),
]


@app.command("list")
def list_(
    status_: Annotated[
        str, typer.Option("--status", help="pending, info_requested, approved, ...; `all`.")
    ] = "pending",
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List approvals, newest first."""
    from typing import get_args

    from remit.core.approval import ApprovalStatus

    o.one_of("--status", status_, (*get_args(ApprovalStatus), "open", "all"))

    async def work(program: App) -> None:
        wanted = "" if status_ == "all" else status_
        page = await program.approvals.list(tenant, status=wanted, limit=limit, cursor=cursor or None)
        listed(
            page,
            as_json,
            ["approval", "status", "risk", "tool", "arguments", "asked by", "until"],
            lambda i: [
                i["approval_id"],
                status(i["status"]),
                i["risk_level"],
                brief(i["tool"]),
                brief(i["arguments"], 40),
                brief(i["requested_by"]),
                moment(i["expires_ts"]),
            ],
        )

    with_app(work, home=home)


@app.command("show")
def show_(
    approval_id: ApprovalId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """Show one approval: the exact call, why it waits, and who decided what."""
    from remit.cli.deciding import describe

    async def work(program: App) -> None:
        approval = await program.approvals.get(approval_id, tenant)
        if as_json:
            document(approval)
            return
        show(f"{approval.approval_id}  {status(approval.status)}  run {approval.run_id}")
        for line in describe(approval):
            show(f"  {line}")
        show(
            paint(
                f"  asked {moment(approval.requested_ts)} by {' and '.join(approval.askers)}, until {moment(approval.expires_ts)}",
                "dim",
            )
        )
        for vote in approval.votes:
            reason = f": “{brief(vote.rationale, 200)}”" if vote.rationale else ""
            show(f"  {moment(vote.decided_ts)}  {vote.kind} by {vote.approver_id}{reason}")

    with_app(work, home=home)


@app.command("approve")
def approve(
    approval_ids: ApprovalIds,
    why: Why = "",
    approver: o.As = o.APPROVER,
    role: o.Roles = [o.APPROVER_ROLE],  # noqa: B006 - typer copies it
    decision_id: DecisionId = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Let the exact call happen. Of several, which are about exactly the same call, each is decided by itself."""
    _decide_each(approval_ids, "approve", why, approver, role, decision_id, as_json, tenant, home)


@app.command("reject")
def reject(
    approval_ids: ApprovalIds,
    why: Why = "",
    approver: o.As = o.APPROVER,
    role: o.Roles = [o.APPROVER_ROLE],  # noqa: B006 - typer copies it
    decision_id: DecisionId = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Refuse the call; the agent is told and goes on without it. Of several, which are about exactly the same call, each is decided by itself."""
    _decide_each(approval_ids, "reject", why, approver, role, decision_id, as_json, tenant, home)


@app.command("constrain")
def constrain(
    approval_id: ApprovalId,
    change: Annotated[str, typer.Argument(metavar="JSON", help="The arguments to change, as a JSON object.")],
    why: Why = "",
    approver: o.As = o.APPROVER,
    role: o.Roles = [o.APPROVER_ROLE],  # noqa: B006 - typer copies it
    decision_id: DecisionId = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Let the call happen with other arguments; those not named stay as they are."""
    try:
        changed = json.loads(change)
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="JSON") from error
    if not isinstance(changed, dict):
        raise typer.BadParameter(
            "a JSON object is wanted, e.g. '{\"amount_cents\": 5000}'", param_hint="JSON"
        )
    _decide(approval_id, "constrain", why, approver, role, decision_id, as_json, tenant, home, changed)


@app.command("ask")
def ask(
    approval_id: ApprovalId,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know first.")],
    approver: o.As = o.APPROVER,
    role: o.Roles = [o.APPROVER_ROLE],  # noqa: B006 - typer copies it
    decision_id: DecisionId = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Ask the requester a question before deciding."""
    _decide(approval_id, "request_info", question, approver, role, decision_id, as_json, tenant, home)


@app.command("answer")
def answer(
    approval_id: ApprovalId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The answer.")],
    requester: Annotated[str, typer.Option("--as", metavar="NAME", help="Who answers.")] = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Answer an approver's question; the approval is pending again."""

    async def work(program: App) -> Approval:
        return await program.approvals.answer(approval_id, tenant, person(requester, ()), text)

    _say_what_follows(with_app(work, home=home), as_json)


def _decide_each(
    approval_ids: list[str],
    kind: DecisionKind,
    rationale: str,
    approver: str,
    roles: list[str],
    decision_id: str,
    as_json: bool,
    tenant: str,
    home: str,
) -> None:
    """Decide one, or several together: an outcome for each, and exit 1 if one of them was refused."""
    if len(approval_ids) == 1:
        _decide(approval_ids[0], kind, rationale, approver, roles, decision_id, as_json, tenant, home)
        return

    async def work(program: App) -> list[Outcome]:
        actor = person(approver, roles)
        return await program.approvals.decide_identical(
            approval_ids, tenant, actor, kind, rationale=rationale, decision_id=decision_id
        )

    outcomes = with_app(work, home=home)
    if as_json:
        document({"items": outcomes})
    else:
        table(["approval", "status", ""], [_outcome(one) for one in outcomes])
    if any(one.problem is not None for one in outcomes):
        raise typer.Exit(REFUSED)


def _outcome(one: Outcome) -> list[str]:
    problem = brief(f"[{one.problem.code}] {one.problem.message}", 100) if one.problem else ""
    return [one.approval_id, status(one.approval.status) if one.approval else "-", problem]


def _decide(
    approval_id: str,
    kind: DecisionKind,
    rationale: str,
    approver: str,
    roles: list[str],
    decision_id: str,
    as_json: bool,
    tenant: str,
    home: str,
    change: dict[str, Any] | None = None,
) -> None:
    async def work(program: App) -> Approval:
        arguments = None
        if change is not None:
            arguments = {**(await program.approvals.get(approval_id, tenant)).arguments, **change}
        actor = person(approver, roles)
        return await program.approvals.decide(
            approval_id,
            tenant,
            actor,
            kind,
            rationale=rationale,
            arguments=arguments,
            decision_id=decision_id,
        )

    _say_what_follows(with_app(work, home=home), as_json)


def _say_what_follows(approval: Approval, as_json: bool) -> None:
    if as_json:
        document(approval)
        return
    show(f"{approval.approval_id}  {status(approval.status)}")
    if approval.status == "info_requested":
        say(f"the requester answers: remit approvals answer {approval.approval_id} TEXT")
    elif approval.open:
        missing = approval.quorum - sum(v.kind in ("approve", "constrain") for v in approval.votes)
        say(
            f"{plural(max(missing, 1), 'more person')} must decide"
            if approval.votes
            else "it is pending again"
        )
    else:
        say(f"a running worker goes on by itself; without one: remit runs resume {approval.run_id}")
