"""`remit runs`: look at runs, prove them, and steer them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.console import document, paint, say, show, status, table
from remit.cli.many_runs import RunIds, cancel_many, ids_of
from remit.cli.run_lists import list_
from remit.cli.session import person, with_app
from remit.cli.text import brief, clean, duration, lines, moment, money, plural

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.task import Artifact
    from remit.core.view import RunView, StateView, StepView

app = typer.Typer(no_args_is_help=True, help="Look at runs, prove them, steer them.", rich_markup_mode=None)

BAD = 1


app.command("list")(list_)


@app.command("show")
def show_(run_id: o.RunId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = "") -> None:
    """Show a run: its steps, decisions, cost and answer."""

    async def work(program: App) -> None:
        view = await program.runs.view(run_id, tenant)
        if as_json:
            document(view)
        else:
            _print_run(view)

    with_app(work, home=home)


def _print_run(view: RunView) -> None:
    show(f"{paint(view.agent, 'bold')}  {status(view.status)}  {view.run_id}")
    show(f"  objective  {brief(view.task.objective or view.task.input, 200)}")
    ended = f", took {duration(view.ended_ts - view.created_ts)}" if view.ended_ts is not None else ""
    show(f"  started    {moment(view.created_ts)}{ended}")
    used = view.usage
    calls = f"{plural(used.model_calls, 'model call')}, {plural(used.tool_calls, 'tool call')}"
    show(f"  used       {calls}, {plural(used.tokens, 'token')}, {money(used.cost_usd)}")
    trust = "has read untrusted content" if view.labels.untrusted else "has read trusted content only"
    show(f"  labels     {trust}, up to {view.labels.sensitivity}")
    for d in view.definitions:
        show(f"  went by    {d.kind}/{d.name} version {d.version}  {paint(d.digest[7:19], 'dim')}")
    if view.parent_run:
        show(f"  parent     {view.parent_run}")
    if view.waiting_on:
        show(f"  waits for  {paint(', '.join(view.waiting_on), 'warn')}")
    if view.execution:
        show(f"  execution  {view.execution}")
    if view.forked_from:
        run, _, visit = view.forked_from.partition("#")
        show(f"  forked     from {run}{f' at {visit}' if visit else ''}")
    show()
    for state in view.states:
        _print_state(state)
    if view.states:
        show()
    for step in view.steps:
        _print_step(step)
    show()
    if view.result.problem is not None:
        show(f"{paint(f'[{view.result.problem.code}]', 'bad')} {clean(view.result.problem.message)}")
        if view.result.problem.help:
            show(f"help: {clean(view.result.problem.help)}")
    if view.status == "success" or view.result.result_payload is not None:
        for line in lines(view.result.result_payload):
            show(line)


def _print_state(state: StateView) -> None:
    took = duration(state.ended_ts - state.entered_ts) if state.ended_ts is not None else ""
    again = (
        f"{plural(state.attempts - 1, 'retry').replace('retrys', 'retries')}" if state.attempts > 1 else ""
    )
    index = state.frame.rpartition(".")[2]
    name = f"{brief(state.state, 60)}{f' [{index}]' if index else ''}"
    more = "  ".join(x for x in (moment(state.entered_ts), took, again) if x)
    show(
        f"  {paint(state.visit.ljust(8), 'dim')} {status(state.status, 9)} {paint(name.ljust(24), 'bold')}  {paint(more, 'dim')}"
    )
    if state.error:
        why = f"{state.error}: {state.cause}" if state.cause else state.error
        show(f"{' ' * 21}problem {paint(brief(why, 110), 'bad')}")


def _print_step(step: StepView) -> None:
    took = duration(step.latency_ms) if step.latency_ms else ""
    show(
        f"  {paint(step.step.ljust(8), 'dim')} {status(step.state, 9)} {step.kind.ljust(8)} {paint(brief(step.name, 60), 'bold')}  {paint(took, 'dim')}"
    )
    gap = " " * 21
    if step.kind != "model" and step.arguments is not None:
        show(f"{gap}in      {brief(step.arguments, 110)}")
    if step.verdict:
        by = f" by {', '.join(step.policies)}" if step.policies else ""
        show(f"{gap}policy  {step.verdict.replace('_', ' ')}{by}")
    if step.approval_id:
        show(f"{gap}asked   remit approvals show {step.approval_id}")
    if step.child_run:
        show(f"{gap}child   remit runs show {step.child_run}")
    if step.problem:
        show(f"{gap}problem {paint(brief(step.problem, 110), 'bad')}")
    elif step.kind != "model" and step.output is not None:
        show(f"{gap}out     {brief(step.output, 110)}")


@app.command("events")
def events(
    run_id: o.RunId,
    after: Annotated[int, typer.Option("--after", help="Only events after this number.")] = -1,
    limit: o.Limit = 500,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON: one document; with --follow, one line an event.")
    ] = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Print the journal of a run: everything that happened, in order."""

    async def work(program: App) -> None:
        if follow:
            async for event in program.runs.follow(run_id, tenant, after=after):
                _print_event(event, as_json)
            return
        found = await program.runs.events(run_id, tenant, after=after, limit=limit)
        if as_json:
            document({"items": found, "cursor": str(found[-1].seq) if found else None})
            return
        for event in found:
            _print_event(event, False)
        if len(found) == limit:
            say(paint(f"more: --after {found[-1].seq}", "dim"))

    with_app(work, home=home)


def _print_event(event: Any, as_json: bool) -> None:
    if as_json:
        from remit.core.codec import encode

        show(encode(event).decode())
        return
    data = {k: v for k, v in event.data.items() if k != "type"}
    seq = paint(f"{event.seq:4}", "dim")
    show(
        f"{seq}  {moment(event.ts)}  {event.type.ljust(18)} {paint(event.hash[:8], 'dim')}  {brief(data, 110)}"
    )


@app.command("verify")
def verify(
    run_id: o.RunId,
    head: Annotated[
        str,
        typer.Option("--head", metavar="SIZE:HASH", help="A head you kept elsewhere.", show_default=False),
    ] = "",
    archive: Annotated[
        bool, typer.Option("--archive", help="Compare with the archive as well (`remit runs archive`).")
    ] = False,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Prove that no event of a run was changed, dropped, moved or added. Exit 1 names the first bad event.

    A rewrite of the whole history, head included, is only found against a head that you kept elsewhere: --head, or against
    the archive: --archive.
    """

    async def work(program: App) -> bool:
        from remit.engine.audit import parse_anchor

        if archive:
            return await _compare(program, run_id, tenant, as_json)
        report = await program.audit.verify(run_id, tenant, anchor=parse_anchor(head) if head else None)
        if as_json:
            document(report)
        elif report.ok:
            show(f"{paint('whole', 'good')}: {plural(report.events, 'event')}, chain and contents match")
            show(f"head {report.size}:{report.head}")
        else:
            show(f"{paint('damaged', 'bad')} at event {report.first_bad_seq}: {report.reason}")
            show(f"{plural(report.events, 'event')} before it are proved")
        return report.ok

    if not with_app(work, home=home):
        raise typer.Exit(BAD)


@app.command("archive")
def keep(run_id: o.RunId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = "") -> None:
    """Copy what the archive does not have yet of a run, and compare both. Exit 1 names the first event that differs.

    The archive is a folder of the data directory, or the bucket in REMIT_ARCHIVE, where deployments archive by themselves.
    """

    async def work(program: App) -> bool:
        kept = await program.archiving.keep(run_id, tenant)
        say(f"{plural(kept, 'event')} archived")
        return await _compare(program, run_id, tenant, as_json)

    if not with_app(work, home=home):
        raise typer.Exit(BAD)


async def _compare(program: App, run_id: str, tenant: str, as_json: bool) -> bool:
    report = await program.archiving.verify(run_id, tenant)
    if as_json:
        document(report)
    elif report.ok:
        show(
            f"{paint('whole', 'good')}: {plural(report.archived, 'event')} in the archive, as in the journal"
        )
        if report.events > report.archived:
            show(f"{plural(report.events - report.archived, 'later event')} not archived yet")
    else:
        show(f"{paint('damaged', 'bad')} at event {report.first_bad_seq}: {report.reason}")
    return report.ok


@app.command("export")
def export(
    run_id: o.RunId,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Where to write (`-`: stdout).", show_default="RUN.audit.json"
        ),
    ] = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Write the audit file of a run: whole, signed, and verifiable without Remit."""

    async def work(program: App) -> dict[str, Any]:
        return await program.audit.export(run_id, tenant)

    exported = with_app(work, home=home)
    if out == "-":
        document(exported)
        return
    from remit.core.codec import encode

    target = Path(out or f"{run_id}.audit.json")
    target.write_bytes(encode(exported))
    if as_json:
        document({"file": str(target), "head": exported["head"], "public_key": exported["public_key"]})
        return
    show(str(target))
    say(f"head {exported['head']['size']}:{exported['head']['hash']}")
    say(f"public key {exported['public_key']}")
    say("keep head and key elsewhere; anybody can verify the file with the script that needs only Python:")
    say(f"  python {verifier()} {target} --public-key {exported['public_key']}")


def verifier() -> Path:
    """Where the verifier of exported files is."""
    return Path(__file__).parents[1] / "data" / "verify_export.py"


@app.command("artifacts")
def artifacts(
    run_id: o.RunId,
    save: Annotated[
        str, typer.Option("--save", metavar="DIR", help="Write them into this folder.", show_default=False)
    ] = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List what a run made: reports, charts, files. With --save, write it to a folder."""

    async def work(program: App) -> None:
        found = await program.runs.artifacts(run_id, tenant)
        if as_json:
            document({"items": found})
        else:
            rows = [[a.name, a.media_type, f"{a.size:,}", a.digest] for a in found]
            table(["name", "type", "bytes", "digest"], rows)
        for name, artifact in distinct(found).items() if save else ():
            _, data = await program.runs.artifact(run_id, tenant, artifact.digest)
            _write(Path(save), name, data)

    with_app(work, home=home)


def _write(folder: Path, name: str, data: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    say(f"wrote {folder / name}")


def distinct(found: Sequence[Artifact]) -> dict[str, Artifact]:
    """A file name for each artifact: its own without any folder, with its digest where two have one name."""
    named: dict[str, Artifact] = {}
    for artifact in found:
        name = clean(Path(artifact.name.replace("\\", "/")).name).lstrip(".") or "artifact"
        if named.get(name, artifact).digest != artifact.digest:
            name = f"{artifact.digest.removeprefix('sha256:')[:12]}-{name}"
        named[name] = artifact
    return named


@app.command("cancel")
def cancel(
    run_ids: RunIds,
    reason: Annotated[
        str, typer.Option("--reason", help="Why, for the record.")
    ] = "cancelled from the terminal",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Cancel runs and their children; what has begun is finished or settled, never torn. Exit 1 if one of many is refused."""
    ids = ids_of(run_ids)
    if len(ids) > 1 or as_json:
        cancel_many(ids, reason, as_json, tenant, home)
        return

    async def work(program: App) -> None:
        await program.runs.cancel(ids[0], tenant, person(o.REQUESTER, ()), reason)

    with_app(work, home=home)
    say(f"asked {ids[0]} to end; its worker ends it at the next step")


@app.command("resume")
def resume(
    run_id: o.RunId,
    detach: Annotated[
        bool, typer.Option("--detach", help="Only wake it; a worker elsewhere drives it.")
    ] = False,
    approver: o.As = o.APPROVER,
    role: o.Roles = [o.APPROVER_ROLE],  # noqa: B006 - typer copies it
    app_file: o.AppFile = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Go on with a run that was interrupted or waits."""
    from remit.cli.run import choose_decider, watched

    decider = choose_decider(approve=False, no_wait=False, approver=approver, roles=role)

    async def work(program: App) -> int:
        view = await program.runs.view(run_id, tenant)
        if view.status in ("running", "waiting"):
            await program.runs.resume(run_id, tenant, person(o.REQUESTER, ()))
        return 0 if detach else await watched(program, run_id, tenant, decider, as_json)

    raise typer.Exit(with_app(work, home=home, app=app_file))
