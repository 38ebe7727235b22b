"""Great Expectations' row count of one table against another; prints both counts as JSON. Usage: URL TABLE OTHER."""

import json
import sys

import great_expectations as gx


def main() -> None:
    """One expectation."""
    url, table, other = sys.argv[1:]
    context = gx.get_context(mode="ephemeral")
    source = context.data_sources.add_postgres("postgres", connection_string=url)
    batch = (
        source.add_table_asset("table", table_name=table).add_batch_definition_whole_table("all").get_batch()
    )
    found = batch.validate(gx.expectations.ExpectTableRowCountToEqualOtherTable(other_table_name=other))
    value = found.result["observed_value"]
    print(json.dumps([value["self"], value["other"]]))


main()
