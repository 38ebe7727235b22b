"""The tables of a deployment, as values: what CreateTable is given, and what a template declares.

A table's key is the collection's own: the first field its HASH, the second its RANGE, and from the third on a RANGE that
is composed of the rest (`source+id`). An index `("table_id", "status")` is a GSI named `table_id.status`; its RANGE ends
with the key, so that the order of a query is total.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from remit.adapters.store import items
from remit.core.errors import ConfigError
from remit.ports.store import Collection, Index

RUN_HEAD, JOURNAL, CONTENT, RUN_SIGNAL = "run_head", "journal", "content", "run_signal"
DUE, BY_ROOT, BY_NUMBER = "due_shard.due", "root_run.due", "run_id.number"
TTL = "expires_s"
"""Where an item has it (Unix seconds), DynamoDB removes the item some time after. No item of a journal has it."""

EVERYTHING = "_all"
"""The HASH attribute of an index whose first field is already the one that orders."""

STREAMS = frozenset({RUN_HEAD, JOURNAL, "agent_run", "bus_ready"})
LONGEST = 255


class Attribute(Struct, frozen=True):
    """A key attribute. `type`: S a string, N a number."""

    name: str
    type: Literal["S", "N"] = "S"


class TableIndex(Struct, frozen=True):
    """A global index, or a local one (same HASH as the table). It holds the keys, or with `whole` the items."""

    name: str
    hash: Attribute
    range: Attribute
    local: bool = False
    whole: bool = False


class TableDefinition(Struct, frozen=True):
    """A table: on-demand, encrypted by the service's key, restorable to any second of the last 35 days.

    `collection` is its name without the deployment's. `stream`: it tells its changes, new and old images.
    `ttl` names the attribute by which items expire, or is empty.
    """

    name: str
    collection: str
    hash: Attribute
    range: Attribute | None = None
    indexes: tuple[TableIndex, ...] = ()
    stream: bool = False
    ttl: str = ""
    restorable: bool = True

    def attributes(self) -> list[Attribute]:
        """The attributes that some key names, each once."""
        keys = [self.hash, self.range]
        for index in self.indexes:
            keys += [index.hash, index.range]
        return list(dict.fromkeys(key for key in keys if key is not None))

    def create_table(self, *, protected: bool = False) -> dict[str, Any]:
        """The arguments of CreateTable. TTL and point-in-time recovery are calls of their own."""
        given: dict[str, Any] = {
            "TableName": self.name,
            "AttributeDefinitions": [
                {"AttributeName": each.name, "AttributeType": each.type} for each in self.attributes()
            ],
            "KeySchema": key_schema(self.hash, self.range),
            "BillingMode": "PAY_PER_REQUEST",
            "SSESpecification": {"Enabled": True},
        }
        for kind, local in (("GlobalSecondaryIndexes", False), ("LocalSecondaryIndexes", True)):
            found = [index_arguments(index) for index in self.indexes if index.local is local]
            if found:
                given[kind] = found
        if self.stream:
            given["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        if protected:
            given["DeletionProtectionEnabled"] = True
        return given


def tables(collections: Iterable[Collection], prefix: str = "") -> list[TableDefinition]:
    """The tables of a deployment: the journal's four, then one for each collection. Raises ConfigError E256."""
    return [*journal_tables(prefix), *(records_table(each, prefix) for each in collections)]


def journal_tables(prefix: str = "") -> list[TableDefinition]:
    """The tables of the journal: heads, entries, contents, signals."""
    run_id = Attribute("run_id")
    due = Attribute("due")
    return [
        TableDefinition(
            table_name(prefix, RUN_HEAD),
            RUN_HEAD,
            run_id,
            indexes=(
                TableIndex(DUE, Attribute("due_shard"), due),
                TableIndex(BY_ROOT, Attribute("root_run"), due),
            ),
            stream=True,
        ),
        TableDefinition(table_name(prefix, JOURNAL), JOURNAL, run_id, Attribute("seq", "N"), stream=True),
        TableDefinition(table_name(prefix, CONTENT), CONTENT, Attribute("digest")),
        TableDefinition(
            table_name(prefix, RUN_SIGNAL),
            RUN_SIGNAL,
            run_id,
            Attribute("signal_id"),
            indexes=(TableIndex(BY_NUMBER, run_id, Attribute("number", "N"), local=True, whole=True),),
        ),
    ]


def records_table(collection: Collection, prefix: str = "") -> TableDefinition:
    """The table of a collection."""
    items.check_declaration(collection)
    indexes = {index_name(index): records_index(collection, index) for index in collection.indexes}
    return TableDefinition(
        table_name(prefix, collection.name),
        collection.name,
        key_attribute(collection, collection.key[:1]),
        key_attribute(collection, collection.key[1:]) if len(collection.key) > 1 else None,
        indexes=tuple(indexes.values()),
        stream=collection.name in STREAMS,
        ttl=TTL,
    )


def records_index(collection: Collection, index: Index) -> TableIndex:
    """The GSI that answers an index."""
    return TableIndex(
        index_name(index),
        key_attribute(collection, index.fields[:-1]) if index.fields[1:] else Attribute(EVERYTHING),
        key_attribute(collection, index_order(collection, index)),
    )


def index_name(index: Index) -> str:
    """The name of a GSI: its fields, so that one declared anew with other fields is another GSI, and the old one stays."""
    name = ".".join(index.fields)
    return name if len(name) > 2 else f"{name}-index"


def index_order(collection: Collection, index: Index) -> tuple[str, ...]:
    """The fields that order the items of an index for given first fields: the last one, then what the key adds."""
    rest = (name for name in collection.key if name not in index.fields)
    return (index.fields[-1], *rest)


def key_attribute(collection: Collection, fields: tuple[str, ...]) -> Attribute:
    """The attribute for these fields: the field itself, or a string that is composed of several."""
    if len(fields) == 1 and fields[0] in collection.numbers:
        return Attribute(fields[0], "N")
    return Attribute("+".join(fields))


def table_name(prefix: str, collection: str) -> str:
    """`NAME-collection`, or the bare name without a deployment. Raises ConfigError E256 for what cannot name a table."""
    name = f"{prefix}-{collection}" if prefix else collection
    plain = all(letter.isascii() and (letter.isalnum() or letter in "_.-") for letter in name)
    if plain and 3 <= len(name) <= LONGEST:
        return name
    raise ConfigError(
        f"`{name}` cannot name a DynamoDB table",
        code="E256",
        help="name the deployment with letters, digits and hyphens, e.g. `remit-dev`",
    )


def key_schema(hash: Attribute, range: Attribute | None) -> list[dict[str, str]]:
    """The KeySchema of a table or an index."""
    schema = [{"AttributeName": hash.name, "KeyType": "HASH"}]
    if range is not None:
        schema.append({"AttributeName": range.name, "KeyType": "RANGE"})
    return schema


def index_arguments(index: TableIndex) -> dict[str, Any]:
    """An index as CreateTable and UpdateTable take it."""
    return {
        "IndexName": index.name,
        "KeySchema": key_schema(index.hash, index.range),
        "Projection": {"ProjectionType": "ALL" if index.whole else "KEYS_ONLY"},
    }
