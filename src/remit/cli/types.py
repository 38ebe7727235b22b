"""`remit types`: the kinds of checks there are, and what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.answers import gone, listed
from remit.cli.console import document, paint, show, table
from remit.cli.definitions import By, Why
from remit.cli.session import person, with_app
from remit.cli.tables import print_changes
from remit.cli.text import brief, clean, printable

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.validation import ValidationType
    from remit.engine.trail import RecordChanges
    from remit.engine.validation_types import ValidationTypePage

app = typer.Typer(
    no_args_is_help=True,
    help="The kinds of checks. Your own come from `--app FILE`, a pack, or `remit apply`.",
    rich_markup_mode=None,
)

TypeName = Annotated[str, typer.Argument(metavar="TYPE", help="A validation type.")]


@app.command("list")
def list_(
    limit: o.Limit = 200,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the validation types: the built-in ones, then the tenant's own."""

    async def work(program: App) -> ValidationTypePage:
        return await program.validation_types.list(tenant, limit=limit, cursor=cursor or None)

    page = with_app(work, home=home, app=app_file)
    listed(
        page,
        as_json,
        ["type", "agent", "checks"],
        lambda t: [t.validation_type, t.agent, brief(t.description, 80)],
    )


@app.command("show")
def show_(
    name: TypeName,
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Show a validation type and its parameters."""

    async def work(program: App) -> ValidationType:
        return await program.validation_types.get(tenant, name)

    found = with_app(work, home=home, app=app_file)
    if as_json:
        document(found)
        return
    show(f"{paint(found.validation_type, 'bold')}  run by {found.agent}")
    show(clean(found.description))
    show()
    required = found.parameters.get("required", [])
    rows = [
        [
            printable(parameter),
            _kind(found.parameters, schema),
            "required" if parameter in required else brief(schema.get("default", "")),
            brief(schema.get("description", ""), 70),
        ]
        for parameter, schema in found.parameters.get("properties", {}).items()
    ]
    table(["parameter", "type", "default", "meaning"], rows)


def _kind(root: dict[str, Any], schema: Any, depth: int = 8) -> str:
    """A parameter's type in a word or two."""
    if not isinstance(schema, dict) or not depth:
        return "any"
    if "$ref" in schema:
        known = root.get("$defs", {})
        return _kind(root, known.get(str(schema["$ref"]).rpartition("/")[2]), depth - 1)
    if "enum" in schema:
        return " | ".join(printable(str(value)) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_kind(root, s, depth - 1) for s in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_kind(root, schema.get('items'), depth - 1)}"
    word = schema.get("type", "any")
    return str(schema.get("format") or (" | ".join(word) if isinstance(word, list) else word))


@app.command("history")
def history(
    name: TypeName,
    limit: o.Limit = 20,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List who changed a type of the tenant's own, when, why, and what; newest first."""

    async def work(program: App) -> RecordChanges:
        return await program.validation_types.changes(tenant, name, limit=limit, cursor=cursor or None)

    print_changes(with_app(work, home=home), as_json)


@app.command("remove")
def remove(
    name: TypeName,
    why: Why = "no longer used",
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Forget a type of the tenant's own that no active rule is of."""

    async def work(program: App) -> None:
        await program.validations.remove_type(tenant, name, actor=person(by, ()), reason=why)

    with_app(work, home=home)
    gone("validation_type", name, as_json, f"validation type {name} is forgotten")
