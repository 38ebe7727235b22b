"""Where versions of definitions are kept, and what a kind of definition brings with it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from remit.core.codec import canonical, convert, decode, digest_of, encode, plain
from remit.core.definition import Change, Definition, Head, definition_id
from remit.core.errors import InputError
from remit.ports.store import Collection, Index, Write

HEADS, VERSIONS, CHANGES = "definition_head", "definition_version", "definition_change"

COLLECTIONS = (
    Collection(
        HEADS,
        ("definition_id",),
        (Index("by_kind", ("scope", "name")), Index("by_tenant", ("tenant_id", "definition_id"))),
    ),
    Collection(VERSIONS, ("definition_id", "version"), numbers=("version",)),
    Collection(
        CHANGES,
        ("definition_id", "revision"),
        (
            Index("by_time", ("definition_id", "changed_ts")),
            Index("by_tenant", ("tenant_id", "changed_ts")),
        ),
        numbers=("revision",),
    ),
)

MOST_BYTES = 262_144
"""Bytes of a body as canonical JSON: what one item of any store (DynamoDB: 400 KB) holds with room to spare."""


class Kind:
    """A kind of definition: what a body must be, and how its versions are kept. Subclass it for each kind.

    To keep versions in a collection of your own, declare one whose key is two fields, a string and `version`; name it
    as `collection`, and override `key`, `item` and `read`. An item holds `version` and `status` as the definition does:
    they are what conditional writes compare.
    """

    name: str
    collection: str = VERSIONS
    remark: str = ""
    """What somebody who changes one must know; said whenever one is applied."""
    word: str = ""
    """What people call one, where that is not its name."""
    listed: str = ""
    """The command that lists them, where that is not `remit get KIND`."""

    def check(self, body: dict[str, Any]) -> None:
        """Raise InputError for a body that cannot be a definition of this kind."""

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """A checked body as it is kept: what was left out is filled in, so that equal definitions have equal digests."""
        return body

    async def verify(self, tenant_id: str, body: dict[str, Any]) -> None:
        """Raise InputError for a body that does not fit what exists for this tenant, before it is written or made active."""

    def references(self, body: dict[str, Any]) -> list[tuple[str, str]]:
        """The definitions, as (kind, name), that must exist before this one."""
        return []

    def key(self, tenant_id: str, name: str) -> str:
        """The first field of the key under which versions are kept; another tenant's must never be the same."""
        return definition_id(tenant_id, self.name, name)

    def item(self, definition: Definition) -> dict[str, Any]:
        """The item that keeps a version."""
        made: dict[str, Any] = plain(definition)
        return {**made, "definition_id": self.key(definition.tenant_id, definition.name)}

    def read(self, item: dict[str, Any]) -> Definition:
        """The version that an item keeps."""
        return convert({k: v for k, v in item.items() if k != "definition_id"}, Definition)

    async def also(self, definition: Definition, before: Definition | None) -> list[Write]:
        """More writes for the transaction that changes a definition: the version it is about, as it will be, and the
        version that was active until then."""
        return []


def checked_body(kind: Kind, body: Any) -> dict[str, Any]:
    """The body as plain JSON, if it can be one of this kind. Raises InputError."""
    if not isinstance(body, dict):
        raise InputError(
            f"the body of {kind.name} is no JSON object", code="E509", help="write its fields under `spec:`"
        )
    data = canonical(body)
    if len(data) > MOST_BYTES:
        raise InputError(
            f"the body has {len(data)} bytes, more than {MOST_BYTES}",
            code="E509",
            help="keep large data as an artifact",
        )
    made = decode(encode(body), dict[str, Any])
    kind.check(made)
    return kind.complete(made)


def new_version(kind: Kind, head: Head, body: dict[str, Any], comment: str) -> Definition:
    """The newest version of a head, before its status is set."""
    return Definition(
        tenant_id=head.tenant_id,
        kind=kind.name,
        name=head.name,
        version=head.latest,
        digest=digest_of(body),
        body=body,
        status="draft",
        enabled=head.enabled,
        comment=comment,
        change_author=head.last.author,
        change_reason=head.last.reason,
        created_at=head.last.ts,
        updated_at=head.last.ts,
    )


def head_item(head: Head) -> dict[str, Any]:
    """The item that keeps a head."""
    made: dict[str, Any] = plain(head)
    scope = scope_of(head.tenant_id, head.kind)
    return {**made, "definition_id": definition_id(head.tenant_id, head.kind, head.name), "scope": scope}


def read_head(item: dict[str, Any]) -> Head:
    """The head that an item keeps."""
    return convert({k: v for k, v in item.items() if k not in ("definition_id", "scope")}, Head)


def scope_of(tenant_id: str, kind: str) -> str:
    """What the heads of one kind of one tenant are found by."""
    return f"{tenant_id}/{kind}"


def read_change(item: dict[str, Any]) -> Change:
    """The change that an item keeps."""
    return convert(item, Change)


def as_of(definition: Definition, head: Head) -> Definition:
    """A version as it stood under a head of its past: what was active then, and whether it was switched on."""
    if definition.version == head.active.version:
        return replace(definition, status="active", enabled=head.enabled)
    return definition
