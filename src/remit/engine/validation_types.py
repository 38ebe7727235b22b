"""Validation types (V2): the kinds of checks there are, built in, from packs, or written by a tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from remit.core.codec import convert, plain
from remit.core.errors import ConditionError, ConfigError, ConflictError, InputError, NotFoundError
from remit.core.naming import check_id, own_id, stored_id
from remit.core.redaction import Redactor
from remit.core.task import Actor
from remit.core.validation import ValidationType
from remit.engine.schemas import Validator, check_schema
from remit.engine.trail import RecordChanges, Trail
from remit.ports.store import ABSENT, Collection, Delete, Index, Put, Records, Write

TYPE, TYPES = "validation_type", "validation_types"

COLLECTION = Collection(TYPES, ("validation_type",), (Index("by_tenant", ("tenant_id", "validation_type")),))

TABLE_FORMAT = "table"
"""`"format": "table"` in a type's JSON Schema marks a parameter that names a registered table."""

PAGE = 200
APPLIED = "applied_from"
_DEPTH = 32

Names = list[str]
Writes = list[Write]


class ValidationTypePage(Struct, frozen=True):
    """Validation types by name, the built-in ones first."""

    items: list[ValidationType]
    cursor: str | None = None


class ValidationTypes:
    """The built-in types, which every tenant has, and those that a tenant wrote."""

    def __init__(
        self,
        store: Records,
        built_in: Mapping[str, ValidationType],
        agents: Mapping[str, Any],
        redactor: Redactor,
        trail: Trail,
    ) -> None:
        """`agents` are those that exist here, by name: a type names the one that runs it.

        `redactor` knows the secrets that no type may hold; `trail` keeps who changed which.
        """
        self._store = store
        self._redactor = redactor
        self._built_in = built_in
        self._agents = agents
        self._trail = trail

    async def get(self, tenant_id: str, name: str) -> ValidationType:
        """A type. Raises NotFoundError that lists the built-in ones."""
        found = await self.find(tenant_id, name)
        if found is None:
            known = ", ".join(f"`{t}`" for t in sorted(self._built_in)) or "none"
            raise NotFoundError(
                f"there is no validation type `{name[:150]}`", help=f"built in: {known}; `remit types list`"
            )
        return found

    async def find(self, tenant_id: str, name: str) -> ValidationType | None:
        """A type, or None."""
        if name in self._built_in:
            return self._built_in[name]
        if len(name) > 128:
            return None
        item = await self._store.get(TYPES, (stored_id(tenant_id, check_id("validation_type", name)),))
        return None if item is None else _type(tenant_id, item)

    async def list(self, tenant_id: str, *, limit: int = 50, cursor: str | None = None) -> ValidationTypePage:
        """Types by name: the built-in ones, all on the first page, then the tenant's own."""
        page = await self._store.query(TYPES, "by_tenant", (tenant_id,), limit=limit, cursor=cursor)
        built_in = [] if cursor else [self._built_in[name] for name in sorted(self._built_in)]
        return ValidationTypePage([*built_in, *(_type(tenant_id, i) for i in page.items)], page.cursor)

    async def put(
        self,
        tenant_id: str,
        given: ValidationType,
        *,
        actor: Actor,
        reason: str,
        applied_from: str | None = None,
    ) -> bool:
        """Write a type, or change it; False when it is so already. Raises InputError, DeniedError, ConflictError.

        `applied_from` says by what it is kept up to date, which pruning goes by; None leaves that as it is.
        """
        self.check(given)
        built_in = self._built_in.get(given.validation_type)
        if built_in is not None:
            if plain(built_in) == plain(given):
                return False
            raise InputError(
                f"validation type `{given.validation_type}` is built in and cannot be changed",
                code="E533",
                help="give yours another name",
            )
        item = await self._store.get(TYPES, (stored_id(tenant_id, given.validation_type),))
        known = None if item is None else _type(tenant_id, item)
        made = _item(
            tenant_id, given, (item or {}).get(APPLIED, "") if applied_from is None else applied_from
        )
        if made == item:
            return False
        writes: Writes = [Put(TYPES, made, item or ABSENT)]
        if known != given:
            writes.append(await self._recorded(tenant_id, known, given, actor, reason))
        await self._transact(given.validation_type, writes)
        return known != given

    async def names(self, tenant_id: str, *, applied_from: str = "") -> Names:
        """A tenant's own types, or those of them that are kept up to date by `applied_from`."""
        found: Names = []
        cursor: str | None = None
        while True:
            page = await self._store.query(TYPES, "by_tenant", (tenant_id,), limit=PAGE, cursor=cursor)
            found += [
                own_id(tenant_id, item["validation_type"])
                for item in page.items
                if not applied_from or item.get(APPLIED) == applied_from
            ]
            cursor = page.cursor
            if cursor is None:
                return found

    async def own(self, tenant_id: str, name: str) -> ValidationType:
        """A type that the tenant wrote. Raises NotFoundError, and InputError for a built-in one."""
        if name in self._built_in:
            raise InputError(f"validation type `{name}` is built in and cannot be removed", code="E533")
        return await self.get(tenant_id, name)

    async def remove(self, tenant_id: str, name: str, *, actor: Actor, reason: str) -> None:
        """Forget a tenant's own type. Whoever removes it has seen to it that no rule needs it.

        Raises as `own`, DeniedError, and ConflictError when it is being changed.
        """
        known = await self.own(tenant_id, name)
        change = await self._recorded(tenant_id, known, None, actor, reason)
        await self._transact(name, [Delete(TYPES, (stored_id(tenant_id, name),)), change])

    async def changes(
        self, tenant_id: str, name: str, *, limit: int = 50, cursor: str | None = None
    ) -> RecordChanges:
        """Who changed a tenant's own type, when and why, newest first, also of one that was removed. Raises NotFoundError."""
        page = await self._trail.changes(tenant_id, TYPE, name, limit=limit, cursor=cursor)
        if not page.items and not cursor:
            await self.get(tenant_id, name)
        return page

    async def _recorded(
        self,
        tenant_id: str,
        before: ValidationType | None,
        after: ValidationType | None,
        actor: Actor,
        reason: str,
    ) -> Put:
        kind = after or before
        assert kind is not None, "a change is of something"
        return await self._trail.record(
            tenant_id,
            TYPE,
            kind.validation_type,
            actor=actor,
            reason=reason,
            before=None if before is None else plain(before),
            after=None if after is None else plain(after),
        )

    async def _transact(self, name: str, writes: Writes) -> None:
        try:
            await self._store.transact(writes)
        except ConditionError as error:
            raise ConflictError(
                f"validation type `{name}` is being changed by somebody else", code="E548", help="try again"
            ) from error

    def check(self, given: ValidationType) -> None:
        """Raise InputError unless an agent runs it and its parameters are a JSON Schema of an object."""
        check_id("validation_type", given.validation_type)
        mistakes = [*_schema_mistakes(given.parameters)]
        if given.agent not in self._agents:
            mistakes.append(f"there is no agent `{given.agent[:100]}`")
        if self._redactor.value(fields := plain(given)) is not fields:
            mistakes.append("it holds a secret")
        if mistakes:
            raise InputError(
                f"validation type `{given.validation_type}` cannot be used: {'; '.join(mistakes)}",
                code="E534",
                help="name an agent that exists here, and describe its parameters as a JSON Schema of an object",
            )


def parameter_mistakes(kind: ValidationType, parameters: dict[str, Any]) -> tuple[str, ...]:
    """What is wrong with the parameters of a rule of this type; empty when they fit."""
    return tuple(
        text.replace("$", "parameters", 1) for text in Validator(kind.parameters).problems(parameters)
    )


def tables_in(kind: ValidationType, parameters: dict[str, Any]) -> list[str]:
    """The tables that the parameters name, each once, in order."""
    return list(dict.fromkeys(_named(kind.parameters, kind.parameters, parameters, _DEPTH)))


def _named(root: Mapping[str, Any], schema: Any, value: Any, depth: int) -> Iterable[str]:
    """Texts of the value where the schema says that a table is named."""
    if not isinstance(schema, dict) or not depth:
        return
    reference = schema.get("$ref", "")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        definitions = root.get("$defs", {})
        yield from _named(root, definitions.get(reference.removeprefix("#/$defs/")), value, depth - 1)
    for way in ("anyOf", "oneOf", "allOf"):
        for branch in schema.get(way, ()):
            yield from _named(root, branch, value, depth - 1)
    if isinstance(value, str) and value and schema.get("format") == TABLE_FORMAT:
        yield value
    elif isinstance(value, dict):
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield from _named(root, part, value[name], depth - 1)
    elif isinstance(value, list):
        for item in value:
            yield from _named(root, schema.get("items"), item, depth - 1)


def _schema_mistakes(schema: dict[str, Any]) -> Iterable[str]:
    try:
        check_schema(schema)
    except ConfigError as error:
        yield f"parameters: {error.message}"
        return
    if schema.get("type") != "object":
        yield "parameters: the schema is not of `type: object`"


def _item(tenant_id: str, given: ValidationType, applied_from: str) -> dict[str, Any]:
    item: dict[str, Any] = plain(given)
    item |= {"tenant_id": tenant_id, "validation_type": stored_id(tenant_id, given.validation_type)}
    return item | ({APPLIED: applied_from} if applied_from else {})


def _type(tenant_id: str, item: Mapping[str, Any]) -> ValidationType:
    fields = {name: item[name] for name in ValidationType.__struct_fields__ if name in item}
    name = own_id(tenant_id, item["validation_type"])
    return convert(fields | {"validation_type": name}, ValidationType)
