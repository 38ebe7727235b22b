"""The tree of commands: what there is, by what people do. Each noun is imported and built when it is called, and only then."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

PANELS: dict[str, dict[str, str]] = {
    "Run": {
        "init": "init:init",
        "run": "run:run",
        "chat": "chat:chat",
        "runs": "runs:app",
        "workflow": "workflows:app",
        "conversations": "conversations:app",
        "memories": "memories:app",
        "documents": "documents:app",
    },
    "Decide and answer": {
        "approvals": "approvals:app",
        "callbacks": "callbacks:app",
        "activities": "activities:app",
    },
    "Define": {
        "apply": "definitions:apply",
        "get": "definitions:get",
        "export": "definitions:export",
        "diff": "definitions:diff",
        "history": "definitions:history",
        "draft": "definitions:draft",
        "promote": "definitions:promote",
        "refuse": "definitions:refuse",
        "rollback": "definitions:rollback",
        "alias": "definitions:alias",
        "archive": "definitions:archive",
        "enable": "definitions:enable",
        "disable": "definitions:disable",
    },
    "Validate data": {
        "validate": "validate:app",
        "validations": "validations:app",
        "tables": "tables:app",
        "types": "types:app",
        "scorecard": "scorecard:scorecard",
        "notifiers": "notifiers:app",
    },
    "Start by time and by event": {
        "schedules": "schedules:app",
        "events": "events:app",
        "rules": "rules:app",
    },
    "Govern": {
        "policy": "policy:app",
        "guardrails": "guardrails:app",
        "budgets": "costs:budgets",
        "costs": "costs:costs",
        "keys": "keys:app",
        "connections": "connections:app",
        "mcp": "mcp:app",
    },
    "Operate": {
        "up": "up:up",
        "worker": "worker:worker",
        "doctor": "doctor:doctor",
        "views": "views:app",
        "demo": "demo:demo",
        "version": "version:version",
    },
    "Deploy to AWS": {
        "deploy": "deploy:app",
        "queues": "queues:app",
        "agentcore": "agentcore:agentcore",
    },
}
"""Each command or noun with where it is, under what people do with it; `remit --help` shows them so."""

PLACES = {name: place for panel in PANELS.values() for name, place in panel.items()}

FURTHER = {
    "runs": ("forks", "steps", "run_details"),
    "workflow": ("workflow_aws",),
    "validations": ("validation_results",),
}
"""Modules that add commands to a noun by their `register`."""

WIDEST_NAME = max(map(len, PLACES))
_TYPE = re.compile(r" <(.*)>$")
_OPTIONAL = re.compile(r"\[([^\[\]]+)\](?:\.\.\.)?")
_RANGE = re.compile(r"(?P<low>-?[\d.]+)<=x<=(?P<high>-?[\d.]+)|x(?P<sign>[<>])=(?P<end>-?[\d.]+)")


class Commands(Mapping[str, Any]):
    """The commands by name. Looking at the names loads nothing."""

    def __init__(self) -> None:
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            self._built[name] = _build(name, PLACES[name])
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


class Plain(TyperCommand):
    """A command whose help has plain words for the types of its options."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options."""
        write_options(self, ctx, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands behind the command's name: `RUN`, `[RUN]` where it may be left out, `RUN...` where there may be several."""
        given = [p for p in self.get_params(ctx) if p.param_type_name == "argument"]
        return ["[OPTIONS]", *(_usage(argument) for argument in given)]


class Noun(TyperGroup):
    """A group of commands whose help has plain words for the types of its options."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write options and commands."""
        write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)


class Root(Noun):
    """Every command, by what people do; one that is not there is said with those that may be meant."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = COMMANDS  # type: ignore[assignment]  # it is read only

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the help."""
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a panel for each thing that people do."""
        limit = formatter.width - 6 - WIDEST_NAME
        for title, names in PANELS.items():
            rows = [
                (name.ljust(WIDEST_NAME), self.commands[name].get_short_help_str(limit)) for name in names
            ]
            with formatter.section(title):
                formatter.write_dl(rows)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is meant, or an error that names those that may be: spelt alike, or below a noun."""
        try:
            return super().resolve_command(ctx, args)
        except typer.TyperException as error:
            below = self._below(args[0])
            if below:
                error.message = f"No such command '{args[0]}'. Did you mean {' or '.join(below)}?"
            raise

    def _below(self, word: str) -> list[str]:
        return [
            f"`remit {noun} {word}`"
            for noun, found in self.commands.items()
            if word in getattr(found, "commands", {})
        ]


COMMANDS = Commands()


def _build(name: str, place: str) -> Any:
    """Import a command or a noun, and build it."""
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"remit.cli.{module}"), attribute)
    holder = typer.Typer(rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        for more in FURTHER.get(name, ()):
            import_module(f"remit.cli.{more}").register(found)
        holder.add_typer(found, name=name)
    else:
        holder.command(name)(found)
    _speak_plainly(holder)
    return get_group(holder).commands[name]


def _speak_plainly(app: typer.Typer) -> None:
    for command in app.registered_commands:
        command.cls = Plain
    for group in app.registered_groups:
        group.cls = Noun
        if group.typer_instance is not None:
            _speak_plainly(group.typer_instance)


def write_options(command: Any, ctx: Any, formatter: Any) -> None:
    """Write the arguments and options of a command as people name them: `N` and not `<int range>`."""
    kinds: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            kinds[parameter.param_type_name].append(_plain(parameter, *record))
    for title, rows in (("Arguments", kinds["argument"]), ("Options", kinds["option"])):
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def _plain(parameter: Any, name: str, text: str) -> tuple[str, str]:
    shown = _TYPE.search(name)
    if parameter.param_type_name == "argument":
        name = _bare(parameter)
    elif shown:
        name = f"{name[: shown.start()]} {_word(parameter.name, shown[1])}"
    head, bracket, notes = text.rpartition("[")
    return name, f"{head}{bracket}{_RANGE.sub(_range, notes)}"


def _bare(argument: Any) -> str:
    """The name of an argument without what says whether and how often it is given."""
    name: str = argument.metavar or argument.name.upper()
    found = _OPTIONAL.fullmatch(name)
    return found[1] if found else name.removesuffix("...")


def _usage(argument: Any) -> str:
    name = _bare(argument) + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _word(name: str, kind: str) -> str:
    """What to write for a value: a number's is N, one of few has them all, another is called as its option is."""
    if kind.startswith(("int", "float")):
        return "N"
    return kind if "|" in kind else name.strip("_").upper().removesuffix("_ID")


def _range(found: re.Match[str]) -> str:
    if found["sign"]:
        return f"{'at least' if found['sign'] == '>' else 'at most'} {found['end']}"
    return f"{found['low']} to {found['high']}"
