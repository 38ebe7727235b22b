"""Table validations (V3-V5): rules about tables, versioned by the registry, in a collection of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from remit.core.codec import convert, digest_of, plain
from remit.core.definition import Change, Definition, Difference
from remit.core.errors import ConflictError, InputError
from remit.core.naming import check_id, own_id, stored_id
from remit.core.task import Actor
from remit.core.validation import Table, TableValidation, ValidationType
from remit.engine.registry import Registry
from remit.engine.tables import ScheduleWrites, Tables, check_expression, due_key, tidy
from remit.engine.validation_types import ValidationTypes, parameter_mistakes, tables_in
from remit.engine.versions import Kind
from remit.ports.store import Collection, Index, Records, Write

LOOKS = 20
"""How often a short page is looked for at least: one that is empty and not the last would be a riddle."""

KIND = "table_validation"
VALIDATIONS = "table_validations"

COLLECTION = Collection(
    VALIDATIONS,
    ("config_id", "version"),
    (
        Index("by_table", ("table_id", "status")),
        Index("by_tenant", ("tenant_id", "status")),
        Index("by_schedule", ("due", "config_id")),
    ),
    numbers=("version",),
)
"""An item has `due` only while its version is active, enabled and has a schedule of its own."""

PAGE = 200
Rules = list[TableValidation]
Audit = list[Change]
Names = list[str]


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person writes of a rule: the body of one version. Without a `schedule` it has its table's."""

    table_id: str
    validation_type: str
    parameters: dict[str, Any] = {}
    schedule: str = ""


Given = Rule | Mapping[str, Any]
"""A rule, or its fields as JSON."""


OWN, TABLES = "own", "tables"


class _Place(NamedTuple):
    """Where a list of what is due goes on: among the rules with a schedule of their own, or among a table's.

    `first` is the cursor of the query for the rule or the table, `second` of that for the table's rules.
    """

    phase: str = OWN
    first: str = ""
    second: str = ""

    @property
    def cursor(self) -> str:
        """The place as clients send it back."""
        return ".".join(self)

    @classmethod
    def read(cls, cursor: str | None) -> _Place:
        """The place that a cursor says. Raises InputError."""
        place = cls(*cursor.split(".")) if cursor and cursor.count(".") == 2 else cls()
        if (cursor and place.cursor != cursor) or place.phase not in (OWN, TABLES):
            raise InputError("the cursor is not one that a list of what is due returned", code="E549")
        return place


class ValidationPage(Struct, frozen=True):
    """A page of rules; `cursor` of the next page, or null at the end."""

    items: list[TableValidation]
    cursor: str | None = None


class ValidationKind(Kind):
    """The kind `table_validation`: flat items in `table_validations`, checked against types and tables."""

    name = KIND
    collection = VALIDATIONS
    word = "rule"
    listed = "remit validations list"

    def __init__(self, tables: Tables, types: ValidationTypes, schedule_writes: ScheduleWrites) -> None:
        self._tables = tables
        self._types = types
        self._schedule_writes = schedule_writes

    def check(self, body: dict[str, Any]) -> None:
        """Raise InputError for a body that is no rule."""
        rule = convert(body, Rule)
        check_id("table_id", rule.table_id)
        check_id("validation_type", rule.validation_type)

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """The rule with every field."""
        made: dict[str, Any] = plain(convert(body, Rule))
        return made | {"schedule": tidy(made["schedule"])}

    async def verify(self, tenant_id: str, body: dict[str, Any]) -> None:
        """Raise InputError that names every mistake: an unknown type or table, parameters that do not fit, a bad schedule."""
        mistakes = await self.mistakes(tenant_id, convert(body, Rule))
        if mistakes:
            raise InputError(
                f"the rule cannot be checked: {'; '.join(mistakes)}",
                code="E540",
                help="correct it and try again; nothing was changed. `remit types show TYPE` describes the parameters",
            )

    async def mistakes(
        self,
        tenant_id: str,
        rule: Rule,
        *,
        tables: Iterable[str] = (),
        kind: ValidationType | None = None,
    ) -> list[str]:
        """What is wrong with a rule; empty when it can be written. `tables` and `kind` will be there when it is."""
        coming = frozenset(tables)
        found: list[str] = []
        kind = kind or await self._types.find(tenant_id, rule.validation_type)
        named = [rule.table_id]
        if kind is None:
            found.append(f"there is no validation type `{rule.validation_type}`")
        else:
            found += parameter_mistakes(kind, rule.parameters)
            named += tables_in(kind, rule.parameters)
        for table_id in dict.fromkeys(named):
            if table_id not in coming and not await self._is_table(tenant_id, table_id):
                found.append(f"there is no table `{table_id[:150]}`")
        return [*found, *([wrong] if (wrong := check_expression(rule.schedule)) else ())]

    async def _is_table(self, tenant_id: str, table_id: str) -> bool:
        try:
            return await self._tables.find(tenant_id, table_id) is not None
        except InputError:  # no text that can name a table
            return False

    def key(self, tenant_id: str, name: str) -> str:
        """`config_id`, with the tenant before it unless that is `local`."""
        return stored_id(tenant_id, name)

    def item(self, definition: Definition) -> dict[str, Any]:
        """The fields of V3, flat."""
        tenant_id = definition.tenant_id
        rule = rule_of(definition)
        item: dict[str, Any] = plain(rule)
        item |= {
            "tenant_id": tenant_id,
            "config_id": stored_id(tenant_id, rule.config_id),
            "table_id": stored_id(tenant_id, rule.table_id),
        }
        if rule.status == "active" and rule.enabled and rule.schedule:
            item["due"] = due_key(tenant_id, rule.schedule)
        return item

    def read(self, item: dict[str, Any]) -> Definition:
        """The version that an item keeps."""
        rule = rule_in(item)
        body = plain(body_of(rule))
        return Definition(
            tenant_id=item["tenant_id"],
            kind=KIND,
            name=rule.config_id,
            version=rule.version,
            digest=digest_of(body),
            body=body,
            status=rule.status,
            enabled=rule.enabled,
            comment=rule.comment,
            change_author=rule.change_author,
            change_reason=rule.change_reason,
            created_at=rule.created_at,
            updated_at=rule.updated_at,
        )

    async def also(self, definition: Definition, before: Definition | None) -> list[Write]:
        """What makes an active and enabled rule's table be looked at on the rule's schedule."""
        rule = rule_of(definition)
        if rule.status != "active" or not rule.enabled:
            return []
        expression = rule.schedule
        if not expression:
            table = await self._tables.find(definition.tenant_id, rule.table_id)
            expression = table.schedule if table and table.active else ""
        if not expression:
            return []
        return await self._schedule_writes(definition.tenant_id, rule.table_id, expression)


class Validations:
    """The rules of all tenants; every verb names its tenant, and every change its actor and reason."""

    def __init__(self, store: Records, registry: Registry, tables: Tables, types: ValidationTypes) -> None:
        self._store = store
        self._registry = registry
        self._tables = tables
        self._types = types

    # changing

    async def create(
        self,
        tenant_id: str,
        config_id: str,
        rule: Given,
        *,
        actor: Actor,
        reason: str,
        comment: str = "",
        enabled: bool = True,
    ) -> TableValidation:
        """Write a new rule: version 1, active. Raises InputError with every mistake, ConflictError when there is one."""
        made = await self._registry.create(
            tenant_id,
            KIND,
            config_id,
            plain(rule),
            actor=actor,
            reason=reason,
            comment=comment,
            enabled=enabled,
        )
        return rule_of(made)

    async def edit(
        self,
        tenant_id: str,
        config_id: str,
        rule: Given,
        *,
        actor: Actor,
        reason: str,
        comment: str = "",
        enabled: bool | None = None,
        expect_version: int | None = None,
    ) -> TableValidation:
        """Write the next version and make it active; the one before is archived.

        `expect_version` is the active version that was edited. Raises InputError, NotFoundError, ConflictError.
        """
        await self.history(
            tenant_id, config_id, limit=1
        )  # unknown is said before what is wrong with the rule
        made = await self._registry.edit(
            tenant_id,
            KIND,
            config_id,
            plain(rule),
            actor=actor,
            reason=reason,
            comment=comment,
            enabled=enabled,
            expect_version=expect_version,
        )
        return rule_of(made)

    async def draft(
        self, tenant_id: str, config_id: str, rule: Given, *, actor: Actor, reason: str, comment: str = ""
    ) -> TableValidation:
        """Write a version that is not active until it is promoted. Raises InputError, ConflictError."""
        made = await self._registry.draft(
            tenant_id, KIND, config_id, plain(rule), actor=actor, reason=reason, comment=comment
        )
        return rule_of(made)

    async def promote(
        self,
        tenant_id: str,
        config_id: str,
        version: int,
        *,
        actor: Actor,
        reason: str,
        expect_version: int | None = None,
    ) -> TableValidation:
        """Make a draft the active version. Raises NotFoundError, InputError, ConflictError."""
        made = await self._registry.promote(
            tenant_id, KIND, config_id, version, actor=actor, reason=reason, expect_version=expect_version
        )
        return rule_of(made)

    async def refuse(
        self, tenant_id: str, config_id: str, version: int, *, actor: Actor, reason: str
    ) -> TableValidation:
        """Turn down a draft, with the reason. Raises NotFoundError, InputError, ConflictError."""
        made = await self._registry.refuse(tenant_id, KIND, config_id, version, actor=actor, reason=reason)
        return rule_of(made)

    async def rollback(
        self,
        tenant_id: str,
        config_id: str,
        version: int,
        *,
        actor: Actor,
        reason: str,
        expect_version: int | None = None,
    ) -> TableValidation:
        """Make an archived version active again. Raises NotFoundError, InputError, ConflictError."""
        made = await self._registry.rollback(
            tenant_id, KIND, config_id, version, actor=actor, reason=reason, expect_version=expect_version
        )
        return rule_of(made)

    async def delete(
        self,
        tenant_id: str,
        config_id: str,
        *,
        actor: Actor,
        reason: str,
        expect_version: int | None = None,
    ) -> TableValidation:
        """Archive a rule: nothing is active, and every version is kept. Raises NotFoundError, ConflictError."""
        made = await self._registry.archive(
            tenant_id, KIND, config_id, actor=actor, reason=reason, expect_version=expect_version
        )
        return rule_of(made)

    async def enable(self, tenant_id: str, config_id: str, *, actor: Actor, reason: str) -> TableValidation:
        """Switch a rule on. Raises NotFoundError, ConflictError."""
        return rule_of(await self._registry.enable(tenant_id, KIND, config_id, actor=actor, reason=reason))

    async def disable(self, tenant_id: str, config_id: str, *, actor: Actor, reason: str) -> TableValidation:
        """Switch a rule off; its active version stays what it is. Raises NotFoundError, ConflictError."""
        return rule_of(await self._registry.disable(tenant_id, KIND, config_id, actor=actor, reason=reason))

    # looking

    async def get(self, tenant_id: str, config_id: str, version: int = 0) -> TableValidation:
        """A version of a rule, the active one for 0. Raises NotFoundError."""
        return rule_of(await self._registry.get(tenant_id, KIND, config_id, version))

    async def list(
        self,
        tenant_id: str,
        *,
        table_id: str = "",
        status: str = "active",
        limit: int = 50,
        cursor: str | None = None,
    ) -> ValidationPage:
        """Rules of a table, or of the tenant, in one status: active, archived or draft."""
        index, owner = "by_tenant", tenant_id
        if table_id:
            index, owner = "by_table", stored_id(tenant_id, check_id("table_id", table_id))
        page = await self._store.query(VALIDATIONS, index, (owner, status), limit=limit, cursor=cursor)
        return ValidationPage([rule_in(item) for item in page.items], page.cursor)

    async def active(self, tenant_id: str, *, table_id: str = "") -> Rules:
        """Every active rule of a table, or of the tenant, enabled or not."""
        found: Rules = []
        cursor: str | None = None
        while True:
            page = await self.list(tenant_id, table_id=table_id, limit=PAGE, cursor=cursor)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                return found

    async def history(
        self, tenant_id: str, config_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> ValidationPage:
        """Every version of a rule, newest first. Raises NotFoundError."""
        page = await self._registry.history(tenant_id, KIND, config_id, limit=limit, cursor=cursor)
        return ValidationPage([rule_of(version) for version in page.items], page.cursor)

    async def changes(self, tenant_id: str, config_id: str, *, limit: int = 50) -> Audit:
        """The audit records of a rule, newest first."""
        return (await self._registry.changes(tenant_id, KIND, config_id, limit=limit)).items

    async def diff(self, tenant_id: str, config_id: str, a: int, b: int) -> tuple[Difference, ...]:
        """Where two versions differ. Raises NotFoundError."""
        return tuple(await self._registry.diff(tenant_id, KIND, config_id, a, b))

    async def due(
        self, tenant_id: str, expression: str, *, limit: int = 50, cursor: str | None = None
    ) -> ValidationPage:
        """The rules to run on a schedule: active, enabled, of an active table; on their own schedule or their table's.

        Those on their own come first, by id, then the others by table and id; a page may hold fewer than `limit`.
        """
        place: _Place | None = _Place.read(cursor)
        found: Rules = []
        looks = 0
        while place is not None and len(found) < limit and looks < max(limit, LOOKS):
            step = self._due_themselves if place.phase == OWN else self._due_by_table
            rules, place = await step(tenant_id, expression, place, limit - len(found))
            found += rules
            looks += 1
        return ValidationPage(found, None if place is None else place.cursor)

    async def _due_themselves(
        self, tenant_id: str, expression: str, at: _Place, limit: int
    ) -> tuple[Rules, _Place | None]:
        page = await self._store.query(
            VALIDATIONS,
            "by_schedule",
            (due_key(tenant_id, expression),),
            limit=limit,
            cursor=at.first or None,
        )
        # A schedule may hold a `/`, and so might a tenant's name: the key alone does not tell them apart.
        rules = [rule_in(item) for item in page.items if item["tenant_id"] == tenant_id]
        tables = {name: await self._tables.find(tenant_id, name) for name in {r.table_id for r in rules}}
        following = _Place(TABLES) if page.cursor is None else _Place(OWN, page.cursor)
        return [r for r in rules if _is_active(tables[r.table_id])], following

    async def _due_by_table(
        self, tenant_id: str, expression: str, at: _Place, limit: int
    ) -> tuple[Rules, _Place | None]:
        """The rules of the next table on this schedule, as far as they fit."""
        table, after = await self._tables.scheduled(tenant_id, expression, cursor=at.first or None)
        following = None if after is None else _Place(TABLES, after)
        if table is None:
            return [], following
        page = await self.list(tenant_id, table_id=table.table_id, limit=limit, cursor=at.second or None)
        if page.cursor is not None:
            following = _Place(TABLES, at.first, page.cursor)
        return [r for r in page.items if r.enabled and not r.schedule], following

    # what rules need

    async def remove_table(self, tenant_id: str, table_id: str, *, actor: Actor, reason: str) -> None:
        """Forget a table; its run log stays. Raises NotFoundError, ConflictError while an active rule needs it."""
        await self._tables.get(tenant_id, table_id)
        rules = [r for r in await self.active(tenant_id) if table_id in await self._needed(tenant_id, r)]
        _refuse_needed(f"table `{table_id}`", rules)
        await self._tables.remove(tenant_id, table_id, actor=actor, reason=reason)

    async def remove_type(self, tenant_id: str, name: str, *, actor: Actor, reason: str) -> None:
        """Forget a tenant's own validation type. Raises NotFoundError, InputError, ConflictError while a rule is of it."""
        await self._types.own(tenant_id, name)
        _refuse_needed(
            f"validation type `{name}`",
            [r for r in await self.active(tenant_id) if r.validation_type == name],
        )
        await self._types.remove(tenant_id, name, actor=actor, reason=reason)

    async def _needed(self, tenant_id: str, rule: TableValidation) -> Names:
        """The tables that a rule is about or names."""
        kind = await self._types.find(tenant_id, rule.validation_type)
        return [rule.table_id, *(tables_in(kind, rule.parameters) if kind else ())]


def rule_of(definition: Definition) -> TableValidation:
    """A version of a rule, from what the registry holds."""
    body = convert(definition.body, Rule)
    return TableValidation(
        table_id=body.table_id,
        config_id=definition.name,
        version=definition.version,
        validation_type=body.validation_type,
        parameters=body.parameters,
        enabled=definition.enabled,
        schedule=body.schedule,
        status=definition.status,
        comment=definition.comment,
        change_author=definition.change_author,
        change_reason=definition.change_reason,
        created_at=definition.created_at,
        updated_at=definition.updated_at,
    )


def body_of(rule: TableValidation) -> Rule:
    """What a person wrote of a version."""
    return Rule(rule.table_id, rule.validation_type, rule.parameters, rule.schedule)


def rule_in(item: Mapping[str, Any]) -> TableValidation:
    """A version of a rule, from the item that keeps it."""
    fields = {name: item[name] for name in TableValidation.__struct_fields__ if name in item}
    ids = {name: own_id(item["tenant_id"], item[name]) for name in ("config_id", "table_id")}
    return convert(fields | ids, TableValidation)


def _refuse_needed(what: str, rules: Rules) -> None:
    if rules:
        named = ", ".join(f"`{rule.config_id}`" for rule in rules[:5])
        more = f" and {len(rules) - 5} more" if len(rules) > 5 else ""
        raise ConflictError(
            f"{what} is needed by the active rules {named}{more}",
            code="E542",
            help="delete or edit those first: `remit validations delete ID`",
        )


def _is_active(table: Table | None) -> bool:
    return table is not None and table.active
