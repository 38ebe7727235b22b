"""`remit workflow`: see, check and run workflows written in the Amazon States Language."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli import workflow_files as files
from remit.cli.answers import listed
from remit.cli.console import document, paint, say, show
from remit.cli.run import choose_decider, new_task, parse_input, submitted, watched
from remit.cli.session import with_app
from remit.cli.text import brief, clean

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.states.picture import Graph, Status
    from remit.engine.workflows.catalog import Checked, WorkflowView
    from remit.engine.workflows.picturing import Picture

app = typer.Typer(
    no_args_is_help=True,
    help="See, check and run workflows (Amazon States Language).",
    rich_markup_mode=None,
)

NameOrFile = Annotated[
    str,
    typer.Argument(metavar="NAME|FILE", help="A workflow's name, or a document.", autocompletion=files.names),
]
Input = Annotated[
    str,
    typer.Option(
        "--input", metavar="JSON|@FILE|-", help="Input as JSON; `-` reads stdin.", show_default=False
    ),
]


@app.command("list")
def list_(
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the workflows that code and the registry define."""

    async def work(program: App) -> None:
        page = await program.workflows.list(tenant, after=cursor, limit=limit)
        listed(
            page,
            as_json,
            ["workflow", "version", "from", "states", "description"],
            lambda w: [w.name, w.version, w.source, str(w.states), brief(w.description, 70)],
        )

    with_app(work, home=home, app=app_file)


# looking


@app.command("show")
def show_(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME|FILE]",
            help="A workflow's name, or a document; with --run not needed.",
            autocompletion=files.names,
        ),
    ] = "",
    run: Annotated[
        str, typer.Option("--run", metavar="RUN", help="How far this run has come.", show_default=False)
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="With --run: redraw until it has ended.")
    ] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As a Mermaid flowchart.")] = False,
    svg: Annotated[
        str, typer.Option("--svg", metavar="FILE", help="Write an SVG (`-`: stdout).", show_default=False)
    ] = "",
    as_yaml: Annotated[bool, typer.Option("--yaml", help="The document as YAML.")] = False,
    as_json: o.Json = False,
    version: Annotated[
        int, typer.Option("--version", min=0, help="This version of the registry.", show_default=False)
    ] = 0,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Draw a workflow, or how far a run of one has come: what waits, what failed, and how long each state took."""
    if not (name or run):
        raise typer.BadParameter("give a workflow's name, a file, or --run RUN", param_hint="NAME")
    if follow and not run:
        raise typer.BadParameter("`--follow` needs `--run RUN`", param_hint="--follow")

    async def work(program: App) -> None:
        if run and follow:
            await program.workflows.picture_of_run(tenant, run, name)  # a run of an agent has no picture
            await _follow(program, run, tenant)
        if run and not as_yaml:
            picture = await program.workflows.picture_of_run(tenant, run, name)
            if as_json:
                document({"run_id": run, "ended": picture.ended, "states": picture.statuses})
            elif not _as_file(picture.graph, picture.statuses, mermaid, svg):
                _print_run(picture)
            return
        found = await _view(program, tenant, name, run, version)
        _print_view(found, mermaid=mermaid, svg=svg, as_yaml=as_yaml, as_json=as_json)

    with_app(work, home=home, app=app_file)


async def _follow(app: App, run_id: str, tenant: str) -> None:
    """Redraw a run that others drive until it has ended."""
    from remit.cli.canvas import canvas
    from remit.cli.driving import look_on
    from remit.cli.live import Watch

    watch = Watch(app, run_id, tenant, canvas(app, run_id, tenant))
    await look_on(app, run_id, tenant, watch, until=lambda: False)


def _print_run(picture: Picture) -> None:
    from remit.cli.canvas import print_picture

    print_picture(picture)


async def _view(app: App, tenant: str, name: str, run: str, version: int) -> WorkflowView:
    """The workflow that a name, a file or a run means."""
    from remit.engine.workflows.catalog import WorkflowView

    if run:
        found = await app.workflows.of_run(tenant, run, name)
    elif files.is_file(name):
        own, made = await files.of(app, tenant, name)
        bound = await app.workflows.bindings(tenant, made)
        return WorkflowView(own, "-", "file", str(made.get("Comment", "")), made, None, bound)
    else:
        found = await app.workflows.get(tenant, name, version=version)
    return found


def _print_view(found: WorkflowView, *, mermaid: bool, svg: str, as_yaml: bool, as_json: bool) -> None:
    from remit.cli.canvas import print_picture
    from remit.core.states.picture import graph
    from remit.engine.workflows.picturing import Picture

    if as_json:
        document(found)
        return
    if as_yaml:
        from remit.cli.definition_files import text_of

        show(clean(text_of(found.document)).rstrip())
        return
    made = graph(found.document, found.name)
    if _as_file(made, {}, mermaid, svg):
        return
    show(f"{paint(found.name, 'bold')}  version {found.version}, from {found.source}")
    if found.description:
        show(f"  {brief(found.description, 200)}")
    show()
    print_picture(Picture(graph(found.document), {}))
    files.print_links(found.bindings)
    files.print_missing(found.bindings)


def _as_file(made: Graph, statuses: dict[str, Status], mermaid: bool, svg: str) -> bool:
    """Write the picture in the form that was asked for, if one was."""
    from remit.core.states.picture import to_mermaid, to_svg

    if mermaid:
        show(to_mermaid(made, statuses).rstrip())
    elif svg == "-":
        show(to_svg(made, statuses).rstrip())
    elif svg:
        Path(svg).write_text(to_svg(made, statuses), "utf-8")
        say(f"wrote {svg}")
    return bool(mermaid or svg)


# checking


@app.command("input")
def input_(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A workflow's name.", autocompletion=files.names)
    ],
    version: Annotated[
        int, typer.Option("--version", help="This version of the registry.", show_default=False)
    ] = 0,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Print what a run of a workflow starts with, as JSON Schema: the fields that its states read."""

    async def work(program: App) -> None:
        from remit.core.states.inputs import input_schema

        found = await program.workflows.get(tenant, name, version=version)
        document(input_schema(found.document))

    with_app(work, home=home, app=app_file)


@app.command("validate")
def validate(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Documents, as JSON or YAML.")],
    names: Annotated[
        bool,
        typer.Option(
            "--names/--no-names", help="Look up the agents, tools and workflows that documents name."
        ),
    ] = True,
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Say everything that is wrong with documents, each with its line and column. Exit code 2 when something is."""

    async def work(program: App) -> list[Checked]:
        return [await _check(program, tenant, path, names=names) for path in paths]

    checked = with_app(work, home=home, app=app_file)
    if as_json:
        problems = [files.placed(p, x) for p, c in zip(paths, checked, strict=True) for x in c.problems]
        warnings = [files.placed(p, x) for p, c in zip(paths, checked, strict=True) for x in c.warnings]
        document({"ok": not problems, "problems": problems, "warnings": warnings})
    else:
        for path, found in zip(paths, checked, strict=True):
            files.print_checked(path, found)
        files.summed_up(checked)
    if not all(c.ok for c in checked):
        raise typer.Exit(files.USAGE)


async def _check(app: App, tenant: str, path: Path, *, names: bool) -> Checked:
    """What is wrong with a file; text that holds no document is one problem with its place."""
    from remit.core.errors import InputError

    try:
        text = files.read(path)
    except InputError as error:
        return files.unreadable(error)
    return await app.workflows.check(tenant, text.document, text.positions, names=names)


# running


@app.command("run")
def run_(
    name: NameOrFile,
    input: Input = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Draw the workflow, and redraw it as it goes on.")
    ] = False,
    task_id: o.TaskId = "",
    profile: o.Profile = "default",
    as_json: o.Json = False,
    detach: o.Detach = False,
    approve: o.Approve = False,
    no_wait: o.NoWait = False,
    approver: o.As = o.APPROVER,
    role: o.Roles = [o.APPROVER_ROLE],  # noqa: B006 - typer copies it
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Run a workflow and watch it. A document in a file need not be registered: the run carries it.

    Exit codes are those of `remit run`: 1 when the workflow fails, 5 when it waits for a person.
    """
    given = parse_input("@-" if input == "-" else input)
    decider = choose_decider(approve=approve, no_wait=no_wait, approver=approver, roles=role)

    async def work(program: App) -> int:
        run_id = await _submit(program, name, given, tenant, task_id, profile)
        if detach:
            submitted(run_id, as_json)
            return 0
        if not follow:
            return await watched(program, run_id, tenant, decider, as_json)
        from remit.cli.canvas import canvas, drawn

        code = await watched(program, run_id, tenant, decider, as_json, canvas(program, run_id, tenant))
        say(drawn(await program.workflows.picture_of_run(tenant, run_id)))
        return code

    raise typer.Exit(with_app(work, home=home, app=app_file))


async def _submit(app: App, name: str, given: Any, tenant: str, task_id: str, profile: str) -> str:
    """Submit a run of a workflow that is registered or of code, or of a file's document."""
    if not files.is_file(name):
        await app.workflows.get(tenant, name.partition("@")[0])  # an agent is no workflow
        return await app.runs.submit(new_task(app, name, "", given, tenant, task_id=task_id, profile=profile))
    path = Path(name)
    text = files.read(path)
    await files.checked_or_exit(app, tenant, path, text, names=True)
    about = str(text.document.get("Comment") or path.name)
    task = new_task(app, "", about, given, tenant, task_id=task_id, profile=profile)
    return await app.runs.submit(task, text.document)
