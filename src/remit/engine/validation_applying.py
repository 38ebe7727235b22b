"""Applying tables, validation types and rules from files (V10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from remit.core.codec import convert, plain
from remit.core.errors import InputError
from remit.core.task import Actor
from remit.core.validation import Table, ValidationType
from remit.engine.applying import FILES, Document, Key, RegistryApplier, Standing
from remit.engine.registry import Registry
from remit.engine.tables import TABLE, Tables, check_table, described, tidy
from remit.engine.validation_types import TYPE, ValidationTypes
from remit.engine.validations import KIND, Rule, ValidationKind, Validations


class TableApplier:
    """Registers tables, and changes them in place."""

    kind = TABLE

    def __init__(self, tables: Tables, validations: Validations) -> None:
        self._tables = tables
        self._validations = validations

    def check(self, tenant_id: str, document: Document) -> Document:
        """The document with every field of its table. Raises InputError."""
        table = _table(document)
        check_table(table)
        return replace(document, spec=_table_spec(replace(table, schedule=tidy(table.schedule))))

    def references(self, document: Document) -> list[Key]:
        """A table needs nothing."""
        return []

    async def mistakes(self, tenant_id: str, document: Document, given: Mapping[Key, Document]) -> list[str]:
        """Nothing beyond the document itself."""
        return []

    async def current(self, tenant_id: str, name: str) -> Standing | None:
        """The registered table."""
        table = await self._tables.find(tenant_id, name)
        return None if table is None else Standing(_table_spec(table))

    async def write(
        self, tenant_id: str, document: Document, now: Standing | None, *, actor: Actor, why: str
    ) -> None:
        """Register or change it."""
        await self._tables.put(tenant_id, _table(document), actor=actor, reason=why, applied_from=FILES)

    async def remove(self, tenant_id: str, name: str, *, actor: Actor, why: str) -> None:
        """Forget it. Raises ConflictError while an active rule needs it."""
        await self._validations.remove_table(tenant_id, name, actor=actor, reason=why)

    async def names(self, tenant_id: str, *, from_files: bool) -> list[str]:
        """Tables by id, inactive ones too."""
        return await self._tables.names(tenant_id, applied_from=FILES if from_files else "")


class TypeApplier:
    """Writes a tenant's own validation types."""

    kind = TYPE

    def __init__(self, types: ValidationTypes, validations: Validations) -> None:
        self._types = types
        self._validations = validations

    def check(self, tenant_id: str, document: Document) -> Document:
        """The document with every field of its type. Raises InputError."""
        made = _type(document)
        self._types.check(made)
        return replace(document, spec=_type_spec(made))

    def references(self, document: Document) -> list[Key]:
        """Its agent is code or checked when it is written."""
        return []

    async def mistakes(self, tenant_id: str, document: Document, given: Mapping[Key, Document]) -> list[str]:
        """Nothing beyond the document itself."""
        return []

    async def current(self, tenant_id: str, name: str) -> Standing | None:
        """The type, built in or not."""
        found = await self._types.find(tenant_id, name)
        return None if found is None else Standing(_type_spec(found))

    async def write(
        self, tenant_id: str, document: Document, now: Standing | None, *, actor: Actor, why: str
    ) -> None:
        """Write or change it. Raises InputError for a built-in one."""
        await self._types.put(tenant_id, _type(document), actor=actor, reason=why, applied_from=FILES)

    async def remove(self, tenant_id: str, name: str, *, actor: Actor, why: str) -> None:
        """Forget it. Raises ConflictError while an active rule is of it."""
        await self._validations.remove_type(tenant_id, name, actor=actor, reason=why)

    async def names(self, tenant_id: str, *, from_files: bool) -> list[str]:
        """The tenant's own types; the built-in ones come with the program."""
        return await self._types.names(tenant_id, applied_from=FILES if from_files else "")


class RuleApplier(RegistryApplier):
    """Writes rules as versions, checked against the tables and types that come with them."""

    def __init__(self, registry: Registry, kind: ValidationKind) -> None:
        super().__init__(registry, KIND)
        self._rules = kind

    def references(self, document: Document) -> list[Key]:
        """Its table and its type."""
        return [
            (kind, name)
            for kind, name in (
                (TABLE, document.spec.get("table_id")),
                (TYPE, document.spec.get("validation_type")),
            )
            if isinstance(name, str)
        ]

    async def mistakes(self, tenant_id: str, document: Document, given: Mapping[Key, Document]) -> list[str]:
        """Parameters that do not fit the type, tables that they name and nobody knows, a schedule that means nothing."""
        rule = convert(document.spec, Rule)
        coming = given.get((TYPE, rule.validation_type))
        return await self._rules.mistakes(
            tenant_id,
            rule,
            tables=[name for kind, name in given if kind == TABLE],
            kind=None if coming is None else _type(coming),
        )


def _table(document: Document) -> Table:
    if document.enabled is not None:
        raise InputError(
            f"table `{document.name}` has no `enabled`", code="E544", help="set `active` in its spec"
        )
    return described(_named(document, "table_id"))


def _type(document: Document) -> ValidationType:
    if document.enabled is not None:
        raise InputError(
            f"validation type `{document.name}` has no `enabled`", code="E544", help="leave it out"
        )
    return convert(_named(document, "validation_type"), ValidationType)


def _named(document: Document, field: str) -> dict[str, Any]:
    """The spec with the document's name as its id."""
    if document.spec.get(field, document.name) != document.name:
        raise InputError(
            f"{document.kind} `{document.name}` names another `{field}` in its spec",
            code="E544",
            help=f"leave `{field}` out of the spec",
        )
    return {**document.spec, field: document.name}


def _table_spec(table: Table) -> dict[str, Any]:
    spec: dict[str, Any] = plain(table)
    return {k: v for k, v in spec.items() if k not in ("table_id", "created_at")}


def _type_spec(given: ValidationType) -> dict[str, Any]:
    spec: dict[str, Any] = plain(given)
    return {k: v for k, v in spec.items() if k != "validation_type"}
