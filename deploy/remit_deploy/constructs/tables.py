"""The tables of a deployment, as the DynamoDB store declares them."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import CfnTag
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from remit.adapters.store.dynamodb import schema
from remit.adapters.store.dynamodb.schema import TableDefinition, TableIndex
from remit_deploy.constructs.shared import Shared

STREAMED = frozenset({"run_head", "journal", "bus_ready"})
"""Tables whose changes functions follow, beyond those that the store wants followed."""


class Tables(Construct):
    """Every table: on demand, encrypted with our key, restorable to any second, and not to be deleted in `prod`."""

    def __init__(self, scope: Construct, id: str, shared: Shared, tables: Iterable[TableDefinition]) -> None:
        super().__init__(scope, id)
        self._shared = shared
        self._made = {table.collection: self._table(table) for table in tables}

    def stream_arn(self, collection: str) -> str:
        """The stream of a table."""
        return str(self._made[collection].attr_stream_arn)

    def _table(self, table: TableDefinition) -> dynamodb.CfnTable:
        streamed = table.stream or table.collection in STREAMED
        config = self._shared.config
        made = dynamodb.CfnTable(
            self,
            table.collection,
            table_name=table.name,
            billing_mode="PAY_PER_REQUEST",
            attribute_definitions=[
                dynamodb.CfnTable.AttributeDefinitionProperty(attribute_name=a.name, attribute_type=a.type)
                for a in table.attributes()
            ],
            key_schema=_keys(table.hash, table.range),
            global_secondary_indexes=[_global(i) for i in table.indexes if not i.local] or None,
            local_secondary_indexes=[_local(i) for i in table.indexes if i.local] or None,
            sse_specification=dynamodb.CfnTable.SSESpecificationProperty(
                sse_enabled=True, sse_type="KMS", kms_master_key_id=self._shared.key.key_arn
            ),
            point_in_time_recovery_specification=dynamodb.CfnTable.PointInTimeRecoverySpecificationProperty(
                point_in_time_recovery_enabled=table.restorable
            ),
            time_to_live_specification=dynamodb.CfnTable.TimeToLiveSpecificationProperty(
                attribute_name=table.ttl, enabled=True
            )
            if table.ttl
            else None,
            stream_specification=dynamodb.CfnTable.StreamSpecificationProperty(
                stream_view_type="NEW_AND_OLD_IMAGES"
            )
            if streamed
            else None,
            deletion_protection_enabled=config.environment == "prod",
            tags=[CfnTag(key="remit:collection", value=table.collection)],
        )
        made.apply_removal_policy(self._shared.removal)
        return made


def _keys(
    hash: schema.Attribute, range: schema.Attribute | None
) -> list[dynamodb.CfnTable.KeySchemaProperty]:
    return [
        dynamodb.CfnTable.KeySchemaProperty(attribute_name=part["AttributeName"], key_type=part["KeyType"])
        for part in schema.key_schema(hash, range)
    ]


def _projection(index: TableIndex) -> dynamodb.CfnTable.ProjectionProperty:
    return dynamodb.CfnTable.ProjectionProperty(projection_type="ALL" if index.whole else "KEYS_ONLY")


def _global(index: TableIndex) -> dynamodb.CfnTable.GlobalSecondaryIndexProperty:
    return dynamodb.CfnTable.GlobalSecondaryIndexProperty(
        index_name=index.name, key_schema=_keys(index.hash, index.range), projection=_projection(index)
    )


def _local(index: TableIndex) -> dynamodb.CfnTable.LocalSecondaryIndexProperty:
    return dynamodb.CfnTable.LocalSecondaryIndexProperty(
        index_name=index.name, key_schema=_keys(index.hash, index.range), projection=_projection(index)
    )
