"""`remit workflow import` and `compile`: workflows from AWS Step Functions, and for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli import workflow_files as files
from remit.cli.console import document, paint, say, show
from remit.cli.session import person, with_app
from remit.cli.text import clean, plural
from remit.core.errors import InputError

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.states.arns import Bindings
    from remit.core.states.compile import Compiled
    from remit.core.states.imported import Imported
    from remit.core.states.report import Problem
    from remit.engine.applying import Document

TARGETS = ("stepfunctions",)


def register(workflow: typer.Typer) -> None:
    """Add the commands to `remit workflow`."""
    workflow.command("import")(import_)
    workflow.command("compile")(compile_)


# from AWS


def import_(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A document, what `aws stepfunctions describe-state-machine` prints, or a SAM or CloudFormation template.",
        ),
    ],
    name: Annotated[
        str,
        typer.Option(
            "--name", metavar="NAME", help="Its name here.", show_default="the state machine's, or the file's"
        ),
    ] = "",
    machine: Annotated[
        str,
        typer.Option(
            "--machine", metavar="NAME", help="Which state machine of the template.", show_default=False
        ),
    ] = "",
    given: Annotated[
        list[str],
        typer.Option(
            "--set", metavar="NAME=VALUE", help="What `${NAME}` is; may be repeated.", show_default=False
        ),
    ] = [],  # noqa: B006 - typer copies it
    apply: Annotated[
        bool, typer.Option("--apply", help="Register it, instead of printing it for `remit apply`.")
    ] = False,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the record.")] = "",
    by: Annotated[
        str, typer.Option("--as", metavar="NAME", help="The person who registers it.")
    ] = o.REQUESTER,
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Take a state machine over from AWS, and say what its Tasks lead to here. The document itself is not changed.

    A Lambda function is the tool of its name, else the agent.
    """
    substitutions = dict(_pair(text) for text in given)

    async def work(program: App) -> None:
        found = await _imported(program, tenant, path, substitutions, machine)
        if found.problems:
            _print_problems(path, found.problems)
            raise typer.Exit(files.USAGE)
        made = _definition(name or found.name or path.name.split(".")[0], found, path)
        planned = await program.applying.plan(tenant, [made]) if apply else []
        await program.applying.carry_out(tenant, planned, actor=person(by, ()), why=why)
        _print_imported(made, found, apply=apply, as_json=as_json)

    with_app(work, home=home, app=app_file)


async def _imported(
    app: App, tenant: str, path: Path, substitutions: Mapping[str, str], machine: str
) -> Imported:
    """The state machine of a file, with what is known here of the names that it speaks of."""
    from remit.workflow.importing import import_document

    text = files.text_of(path)

    def beside(where: str) -> str:
        return files.text_of(path.parent / where)

    def read(known: Mapping[str, Any]) -> Imported:
        return import_document(text, known=known, substitutions=substitutions, machine=machine, file=beside)

    return read(await app.workflows.known(tenant, read({}).document))


def _definition(name: str, found: Imported, path: Path) -> Document:
    from remit.engine.applying import Document
    from remit.engine.kinds import WORKFLOW

    return Document(WORKFLOW, name, found.document, comment=f"imported from {path.name}", where=str(path))


def _print_imported(made: Document, found: Imported, *, apply: bool, as_json: bool) -> None:
    from remit.cli.definition_files import document_text

    if as_json:
        document({"name": made.name, "document": made.spec, "links": found.links, "applied": apply})
    elif apply:
        files.print_links(found.links)
        say(f"registered workflow/{made.name}: `remit workflow run {made.name}` runs it")
    else:
        show(clean(document_text(made)).rstrip())
    files.print_missing(found.links)


# for AWS


def compile_(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE", help="A workflow's name, or a document.", autocompletion=files.names
        ),
    ],
    target: Annotated[
        str, typer.Option("--target", metavar="TARGET", help="`stepfunctions`.")
    ] = "stepfunctions",
    account: Annotated[
        str,
        typer.Option("--account", metavar="ID", help="The AWS account.", show_default="${AWS::AccountId}"),
    ] = "",
    region: Annotated[
        str, typer.Option("--region", metavar="NAME", help="The AWS region.", show_default="${AWS::Region}")
    ] = "",
    bindings: Annotated[
        Path | None,
        typer.Option(
            "--bindings",
            metavar="FILE",
            help="What resources are on AWS (functions, machines, event_bus, prefix), as YAML or JSON.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Write document and IAM policy there.", show_default=False
        ),
    ] = "",
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Write the same workflow for AWS Step Functions: its document, and the IAM policy of the role that it needs.

    Without --account and --region it holds CloudFormation's placeholders, for `Fn::Sub`. Exit code 2 when a part of it
    cannot be done there, with every reason.
    """
    if target not in TARGETS:
        raise typer.BadParameter(f"`{target}` is none of {', '.join(TARGETS)}", param_hint="--target")
    where = _bindings(bindings, account, region)

    async def work(program: App) -> tuple[str, Compiled]:
        from remit.core.states.compile import compile_for_stepfunctions

        own, found = await files.of(program, tenant, name)
        return own, compile_for_stepfunctions(found, where, own)

    own, made = with_app(work, home=home, app=app_file)
    if made.document is None:
        _print_problems(Path(name), made.problems)
        raise typer.Exit(files.USAGE)
    for note in made.notes:
        say(f"{paint('note', 'name')}: {clean(note.pointer)}: {clean(note.message)}")
    if as_json:
        document({"document": made.document, "policy": made.policy(), "resources": made.bound})
    elif out:
        _write(Path(out), own, made)
    else:
        document(made.document)


def _bindings(path: Path | None, account: str, region: str) -> Bindings:
    """What the command line and the file say. Raises InputError E255 for what is no field of it."""
    from remit.core.codec import convert
    from remit.core.states.arns import Bindings

    given: dict[str, Any] = {}
    if path is not None:
        from remit.workflow.reading import read

        given = read(files.text_of(path)).document
        unknown = sorted(set(given) - set(Bindings.__struct_fields__))
        if unknown:
            raise InputError(
                f"`{unknown[0][:100]}` in `{path}` says nothing about AWS",
                code="E255",
                help=f"it may hold {', '.join(f'`{f}`' for f in Bindings.__struct_fields__)}",
            )
    own = {"account": account, "region": region}
    fixed: dict[str, str] = {"partition": "aws"} if account and region else {}
    return convert({**fixed, **given, **{k: v for k, v in own.items() if v}}, Bindings)


def _write(folder: Path, name: str, made: Compiled) -> None:
    import msgspec

    folder.mkdir(parents=True, exist_ok=True)
    for suffix, value in (("asl.json", made.document), ("policy.json", made.policy())):
        target = folder / f"{name}.{suffix}"
        target.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
        show(str(target))
    say(f"{plural(len(made.bound), 'resource')} bound")


def _print_problems(path: Path, problems: tuple[Problem, ...]) -> None:
    from remit.engine.workflows.catalog import Checked

    checked = Checked(False, problems)
    files.print_checked(path, checked)
    files.summed_up([checked])


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"`{text}` is no NAME=VALUE", param_hint="--set")
    return name, value
