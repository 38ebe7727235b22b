"""Which rules are to be checked: the active, enabled ones of tables that are active."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, convert

from remit.sdk import NotFoundError, Platform, Table, TableValidation, ToolContext, ToolError, tool
from remit_packs.validation.control import control

MOST = 10_000


class Rule(Struct, frozen=True):
    """One version of a rule as it is to be run: `agent` decides, `reads` are the tables that it names."""

    config_id: str
    table_id: str
    version: int
    validation_type: str
    agent: str
    parameters: dict[str, Any]
    reads: list[str]


class Skipped(Struct, frozen=True):
    """A rule that was asked for and is not run, and why."""

    config_id: str
    reason: str


class Rules(Struct, frozen=True):
    """What is to be checked. `owners` says whose each table is."""

    rules: list[Rule]
    skipped: list[Skipped] = []
    owners: dict[str, str] = {}


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Which rules: of a table, by their ids, or of every table. `schedule` leaves those of one schedule only."""

    table_id: str = ""
    configs: list[str] = []
    every: bool = False
    owner: str = ""
    schedule: str = ""


@tool(timeout_s=120, max_output_bytes=64_000_000)
async def load_rules(wanted: Wanted, context: ToolContext) -> Any:
    """The active, enabled rules of a table, of every table, or by their ids; what is left out is named with its reason."""
    with control(context) as platform:
        found = Collected(platform, wanted)
        if wanted.table_id:
            await found.table(await platform.table(wanted.table_id))
        for config_id in wanted.configs:
            await found.config(config_id)
        if wanted.every or (wanted.owner and not wanted.table_id and not wanted.configs):
            for table in await platform.tables():
                await found.table(table)
        return Rules(found.rules, found.skipped, found.owners)


class Collected:
    """Rules as they are found."""

    def __init__(self, platform: Platform, wanted: Wanted) -> None:
        self.rules: list[Rule] = []
        self._seen: set[str] = set()
        self.skipped: list[Skipped] = []
        self.owners: dict[str, str] = {}
        self._platform = platform
        self._wanted = wanted
        self._types: dict[str, tuple[str, dict[str, Any]]] = {}
        self._tables: dict[str, Table] = {}

    async def table(self, table: Table) -> None:
        """Every rule of a table."""
        self._tables[table.table_id] = table
        if self._wanted.owner and table.owner != self._wanted.owner:
            return
        for validation in await self._platform.validations(table.table_id):
            await self._add(validation, table)

    async def config(self, config_id: str) -> None:
        """One rule, by its id."""
        validation = await self._platform.validation(config_id)
        if validation.table_id not in self._tables:
            self._tables[validation.table_id] = await self._platform.table(validation.table_id)
        await self._add(validation, self._tables[validation.table_id])

    async def _add(self, validation: TableValidation, table: Table) -> None:
        if validation.config_id in self._seen:
            return
        self._seen.add(validation.config_id)
        schedule = validation.schedule or table.schedule
        if self._wanted.schedule and schedule.split() != self._wanted.schedule.split():
            return
        why = _left_out(validation, table)
        if why:
            self.skipped.append(Skipped(validation.config_id, why))
            return
        if len(self.rules) >= MOST:
            raise ToolError(
                f"there are more than {MOST:,} rules to check at once",
                code="E597",
                help="check them table by table",
            )
        agent, schema = await self._type(validation.validation_type)
        self.owners[table.table_id] = table.owner
        self.rules.append(
            Rule(
                validation.config_id,
                validation.table_id,
                validation.version,
                validation.validation_type,
                agent,
                validation.parameters,
                tables_of(schema, validation.parameters) or [validation.table_id],
            )
        )

    async def _type(self, name: str) -> tuple[str, dict[str, Any]]:
        """The agent of a type and its schema; no agent for a type that is gone, which its rules then report."""
        if name not in self._types:
            try:
                kind = await self._platform.validation_type(name)
                self._types[name] = (kind.agent, kind.parameters)
            except NotFoundError:
                self._types[name] = ("", {})
        return self._types[name]


def _left_out(validation: TableValidation, table: Table) -> str:
    if validation.status != "active":
        return f"version {validation.version} is {validation.status}"
    if not validation.enabled:
        return "it is disabled"
    return "" if table.active else f"table `{table.table_id}` is not active"


def tables_of(schema: dict[str, Any], parameters: dict[str, Any]) -> list[str]:
    """The tables that parameters name, as the schema of the type marks them (`format: table`)."""
    marked = [
        name
        for name, shape in schema.get("properties", {}).items()
        if _is_table(shape) and parameters.get(name)
    ]
    return list(dict.fromkeys(str(parameters[name]) for name in marked))


def _is_table(shape: Any) -> bool:
    return isinstance(shape, dict) and (
        shape.get("format") == "table" or any(_is_table(one) for one in shape.get("anyOf", ()))
    )


def rules_of(answer: Any) -> Rules:
    """The answer of `load_rules`, or of the ingestor, as a value."""
    return convert(answer, Rules)
