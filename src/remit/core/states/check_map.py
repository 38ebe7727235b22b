"""Checks of what a Map reads, batches and writes, and how its items run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from remit.core.states.check_expressions import object_template, reference, template
from remit.core.states.check_members import JSONATA, JSONPATH, Field, Fields, at_most_one, members
from remit.core.states.check_values import Check, either, must, one_of, text, whole
from remit.core.states.report import Here

MOST_LABEL = 40
"""Characters of a Map's label (AWS developer guide, "Distributed mode")."""

DISTRIBUTED = "DISTRIBUTED"
_OF_DISTRIBUTED = ("ItemReader", "ItemBatcher", "ResultWriter", "Label")
_S3 = re.compile(r"arn:[a-z-]+:states:::s3:([A-Za-z0-9]+)\Z")
label: Check = must(
    lambda v: (
        isinstance(v, str)
        and 0 < len(v) <= MOST_LABEL
        and not re.search(r"[\s?*<>{}\[\]:;,\\|^~$#%&`\"\x00-\x1f\x7f-\x9f]", v)
    ),
    f"at most {MOST_LABEL} characters, with no spaces, brackets, wildcards or other special characters",
)


def is_distributed(state: Mapping[str, Any]) -> bool:
    """Whether the items of a Map run as executions of their own."""
    body = state.get("ItemProcessor") or state.get("Iterator")
    config = body.get("ProcessorConfig") if isinstance(body, dict) else None
    return isinstance(config, dict) and config.get("Mode") == DISTRIBUTED


def whole_map(here: Here, state: Mapping[str, Any]) -> None:
    """What the fields of a Map mean together."""
    if "ItemsPath" in state and "ItemReader" in state:
        here.at("ItemsPath").warning("`ItemsPath` has no effect beside `ItemReader`", "take it out")
    if is_distributed(state):
        return
    for key in _OF_DISTRIBUTED:
        if key in state:
            here.at(key).problem(
                f"`{key}` is for items that run as executions of their own",
                'set `"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}` in `ItemProcessor`',
            )


def processor_config(here: Here, value: Any) -> None:
    """How the items of a Map run."""
    if not members(here, value, PROCESSOR, "`ProcessorConfig`"):
        return
    if value.get("Mode") != DISTRIBUTED and "ExecutionType" in value:
        here.at("ExecutionType").problem(
            "`ExecutionType` is for the mode `DISTRIBUTED`", "take it out, or set the mode"
        )
    if value.get("Mode") == DISTRIBUTED and "ExecutionType" not in value:
        here.problem("the mode `DISTRIBUTED` needs an `ExecutionType`", "add `STANDARD` or `EXPRESS`")
    if value.get("ExecutionType") == "EXPRESS":
        here.at("ExecutionType").warning(
            "`EXPRESS` items run as durably as `STANDARD` ones here", "nothing needs to be done"
        )


def _action(*actions: str) -> Check:
    wanted = " or ".join(f"`arn:aws:states:::s3:{action}`" for action in actions)
    return must(lambda v: isinstance(v, str) and (m := _S3.match(v)) is not None and m[1] in actions, wanted)


def _reader_config(here: Here, value: Any) -> None:
    if not members(here, value, READER_CONFIG, "`ReaderConfig`"):
        return
    at_most_one(here, value, ("MaxItems", "MaxItemsPath"))
    if value.get("InputType") != "CSV":
        return
    if "CSVHeaderLocation" not in value:
        here.problem("a CSV file needs a `CSVHeaderLocation`", "add `FIRST_ROW` or `GIVEN`")
    if (value.get("CSVHeaderLocation") == "GIVEN") != ("CSVHeaders" in value):
        here.problem(
            "`CSVHeaders` and the `CSVHeaderLocation` `GIVEN` belong together", "write both or neither"
        )


def item_reader(here: Here, value: Any) -> None:
    """Where a distributed Map reads its items."""
    members(here, value, READER, "`ItemReader`")


def item_batcher(here: Here, value: Any) -> None:
    """How the items of a distributed Map are put together."""
    if not members(here, value, BATCHER, "`ItemBatcher`"):
        return
    for limit in _LIMITS:
        at_most_one(here, value, (limit, f"{limit}Path"))
    if not any(key in value for limit in _LIMITS for key in (limit, f"{limit}Path")):
        here.problem("`ItemBatcher` says no size", "add `MaxItemsPerBatch` or `MaxInputBytesPerBatch`")


def result_writer(here: Here, value: Any) -> None:
    """Where a distributed Map writes its results."""
    if members(here, value, WRITER, "`ResultWriter`") and not value.keys() & {"Resource", "WriterConfig"}:
        here.problem("`ResultWriter` says neither where to write nor how", "add `Resource` or `WriterConfig`")


def _writer_config(here: Here, value: Any) -> None:
    members(here, value, WRITER_CONFIG, "`WriterConfig`")


_LIMITS = ("MaxItemsPerBatch", "MaxInputBytesPerBatch")
MOST_BATCH_BYTES = 262_144
PROCESSOR: Fields = {
    "Mode": Field(one_of(("INLINE", DISTRIBUTED))),
    "ExecutionType": Field(one_of(("STANDARD", "EXPRESS"))),
}
READER_CONFIG: Fields = {
    "InputType": Field(one_of(("CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"))),
    "CSVHeaderLocation": Field(one_of(("FIRST_ROW", "GIVEN"))),
    "CSVHeaders": Field(
        must(
            lambda v: isinstance(v, list) and v != [] and all(isinstance(h, str) for h in v),
            "an array of texts",
        )
    ),
    "CSVDelimiter": Field(one_of(("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"))),
    "ManifestType": Field(one_of(("ATHENA_DATA", "S3_INVENTORY"))),
    "Transformation": Field(one_of(("NONE", "LOAD_AND_FLATTEN"))),
    "ItemsPointer": Field(
        must(lambda v: isinstance(v, str) and v.startswith("/"), "a JSON pointer, such as `/orders`")
    ),
    "MaxItems": Field(either(whole(0, 100_000_000))),
    "MaxItemsPath": Field(reference, JSONPATH),
}
READER: Fields = {
    "Resource": Field(_action("getObject", "listObjectsV2"), required=True),
    "Parameters": Field(object_template, JSONPATH),
    "Arguments": Field(object_template, JSONATA),
    "ReaderConfig": Field(_reader_config),
    "Comment": Field(text),
}
BATCHER: Fields = {
    "MaxItemsPerBatch": Field(either(whole(1))),
    "MaxItemsPerBatchPath": Field(reference, JSONPATH),
    "MaxInputBytesPerBatch": Field(either(whole(1, MOST_BATCH_BYTES))),
    "MaxInputBytesPerBatchPath": Field(reference, JSONPATH),
    "BatchInput": Field(template),
    "Comment": Field(text),
}
WRITER_CONFIG: Fields = {
    "OutputType": Field(one_of(("JSON", "JSONL"))),
    "Transformation": Field(one_of(("NONE", "COMPACT", "FLATTEN"))),
}
WRITER: Fields = {
    "Resource": Field(_action("putObject")),
    "Parameters": Field(object_template, JSONPATH),
    "Arguments": Field(object_template, JSONATA),
    "WriterConfig": Field(_writer_config),
    "Comment": Field(text),
}
