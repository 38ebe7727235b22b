"""What a distributed Map reads its items from, how it batches them, and where it writes its results.

After the AWS developer guide: "ItemReader (Map)", "ItemBatcher (Map)", "ResultWriter (Map)" and "Map state processing modes".
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

import msgspec
from msgspec import Struct

from remit.core.codec import encode
from remit.core.errors import RemitError
from remit.core.states.dataflow import Item, Scope, number, template
from remit.core.states.failures import ITEM_READER, RESULT_WRITER, RUNTIME, StateFailure
from remit.core.states.resources import parse
from remit.core.times import rfc3339
from remit.ports.objects import PAGE, Objects

MAX_UNPACKED_BYTES = 1024**3
"""The most that one object may hold once it is unpacked: items are held in memory."""
DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
_GZIP, _ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_READ = frozenset({"Bucket", "Key", "VersionId"})
_LIST = frozenset({"Bucket", "Prefix", "StartAfter", "MaxKeys"})
_WRITE = frozenset({"Bucket", "Prefix"})

Status = Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING"]


class ItemResult(Struct, frozen=True):
    """How one iteration (an item or a batch) of a Map ended. Times are Unix milliseconds; `run_id` is its own run's or place's."""

    index: int
    input: Any
    status: Status
    output: Any = None
    error: str = ""
    cause: str = ""
    run_id: str = ""
    started_ts: int | None = None
    ended_ts: int | None = None


# reading


async def read_items(objects: Objects, state: Mapping[str, Any], scope: Scope) -> list[Item]:
    """The items of a Map with an ItemReader. Raises StateFailure `States.ItemReaderFailed`."""
    reader = state["ItemReader"]
    config = reader.get("ReaderConfig") or {}
    most = _whole(config, "MaxItems", scope)
    try:
        values = await _values(objects, reader, config, _arguments(reader, scope), most)
    except (RemitError, _Unreadable) as error:
        message = error.message if isinstance(error, RemitError) else str(error)
        raise StateFailure(ITEM_READER, message) from error
    return [Item(i, value, key, source) for i, (key, value, source) in enumerate(values[:most])]


Found = tuple[str | None, Any, str]
"""An item's key (of an object's items), its value, and the URI that it came from."""


class _Unreadable(Exception):
    """What was read is not what the ReaderConfig says, in one sentence."""


async def _values(
    objects: Objects,
    reader: Mapping[str, Any],
    config: Mapping[str, Any],
    given: Mapping[str, Any],
    most: int | None,
) -> list[Found]:
    resource = parse(reader.get("Resource", ""))
    action = resource.name if resource is not None else ""
    if action == "s3:listObjectsV2":
        return await _listed(objects, config, given, most)
    if action != "s3:getObject":
        raise _Unreadable(f"an ItemReader cannot use the resource `{reader.get('Resource')}`")
    _only(given, _READ, {"Bucket", "Key"})
    if config.get("InputType") == "MANIFEST" or "ManifestType" in config:
        return await _manifest(objects, config, given, most)
    return await _object(objects, config, given["Bucket"], given["Key"], given.get("VersionId", ""), most)


async def _listed(
    objects: Objects, config: Mapping[str, Any], given: Mapping[str, Any], most: int | None
) -> list[Found]:
    _only(given, _LIST, {"Bucket"})
    bucket, prefix = given["Bucket"], given.get("Prefix", "")
    flatten = config.get("Transformation", "NONE") == "LOAD_AND_FLATTEN"
    found: list[Found] = []
    after = given.get("StartAfter", "")
    while most is None or len(found) < most:
        page = await objects.list(bucket, prefix, after=after)
        for info in page:
            if flatten and not info.key.endswith("/"):
                left = None if most is None else most - len(found)
                found += await _object(objects, config, bucket, info.key, "", left)
            elif not flatten:
                value = {
                    "Etag": info.etag,
                    "Key": info.key,
                    "LastModified": info.modified_ts // 1000,
                    "Size": info.size,
                    "StorageClass": info.storage_class,
                }
                found.append((None, value, f"S3://{bucket}"))
        if len(page) < PAGE:
            break
        after = page[-1].key
    return found


async def _object(
    objects: Objects, config: Mapping[str, Any], bucket: str, key: str, version: str, most: int | None
) -> list[Found]:
    kind = config.get("InputType", "JSON")
    source = f"S3://{bucket}/{key}"
    if kind == "PARQUET":
        rows = await objects.rows(bucket, key, limit=most, version=version)
        return [(None, row, source) for row in rows]
    if kind not in _PARSERS:
        raise _Unreadable(f"`InputType` is `{kind}`: use CSV, JSON, JSONL, PARQUET or MANIFEST")
    text = await _text(objects, bucket, key, version)
    pairs = await asyncio.to_thread(lambda: list(islice(_PARSERS[kind](text, config), most)))
    return [(name, value, source) for name, value in pairs]


async def _text(objects: Objects, bucket: str, key: str, version: str) -> str:
    """An object's text, unpacked. Raises _Unreadable."""
    data = await objects.get(bucket, key, version=version)
    if data.startswith(_GZIP):
        data = await asyncio.to_thread(_gunzip, data, key)
    elif data.startswith(_ZSTANDARD):
        data = await objects.unpack(data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Unreadable(f"`{key}` is no UTF-8 text: {error}") from error


def _gunzip(data: bytes, key: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _Unreadable(f"`{key}` is no whole gzip file: {error}") from error
    if len(unpacked) > MAX_UNPACKED_BYTES:
        raise _Unreadable(f"`{key}` unpacks to more than {MAX_UNPACKED_BYTES} bytes")
    return unpacked


Pairs = Iterable[tuple[str | None, Any]]


def _json(text: str, config: Mapping[str, Any]) -> Pairs:
    """The elements of an array, or the values of an object by key, at `ItemsPointer` (RFC 6901)."""
    value = _decoded(text)
    pointer = config.get("ItemsPointer", "")
    for part in pointer.split("/")[1:]:
        value = _step(value, part.replace("~1", "/").replace("~0", "~"), pointer)
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return [(None, each) for each in value]
    raise _Unreadable(f"there is no array or object at `{pointer or '/'}`")


def _step(value: Any, part: str, pointer: str) -> Any:
    if isinstance(value, dict) and part in value:
        return value[part]
    if isinstance(value, list) and part.isdigit() and int(part) < len(value):
        return value[int(part)]
    raise _Unreadable(f"`ItemsPointer` `{pointer}` leads nowhere: there is no `{part}`")


def _json_lines(text: str, config: Mapping[str, Any]) -> Pairs:
    del config
    return ((None, _decoded(line, n)) for n, line in enumerate(text.split("\n"), 1) if line.strip())


def _decoded(text: str, line: int = 0) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _Unreadable(f"{f'line {line}' if line else 'the object'} is no JSON: {error}") from error


def _csv(text: str, config: Mapping[str, Any]) -> Pairs:
    """Objects of strings: a short row is filled with empty ones, what a long row has more is left out."""
    rows = _rows(text, config)
    headers = _headers(rows, config)
    if len(set(headers)) < len(headers):
        raise _Unreadable("CSV headers cannot contain duplicates")
    for row in rows:
        row += [""] * (len(headers) - len(row))
        yield None, dict(zip(headers, row, strict=False))


def _headers(rows: Iterable[list[str]], config: Mapping[str, Any]) -> list[str]:
    location = config.get("CSVHeaderLocation")
    if location == "FIRST_ROW":
        return next(iter(rows), [])
    given = config.get("CSVHeaders")
    if location == "GIVEN" and isinstance(given, list):
        return [str(name) for name in given]
    raise _Unreadable("CSV needs `CSVHeaderLocation`: FIRST_ROW, or GIVEN with `CSVHeaders`")


def _rows(text: str, config: Mapping[str, Any]) -> Iterable[list[str]]:
    name = config.get("CSVDelimiter", "COMMA")
    if name not in DELIMITERS:
        raise _Unreadable(f"`CSVDelimiter` is `{name}`: use {', '.join(DELIMITERS)}")
    try:
        yield from (
            row for row in csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[name]) if row
        )
    except csv.Error as error:
        raise _Unreadable(f"the object cannot be read as CSV: {error}") from error


_PARSERS: dict[str, Callable[[str, Mapping[str, Any]], Pairs]] = {
    "CSV": _csv,
    "JSON": _json,
    "JSONL": _json_lines,
}


async def _manifest(
    objects: Objects, config: Mapping[str, Any], given: Mapping[str, Any], most: int | None
) -> list[Found]:
    """The items that a manifest leads to: lines of an S3 inventory, or what is in the files of an Athena query."""
    bucket, key = given["Bucket"], given["Key"]
    text = await _text(objects, bucket, key, given.get("VersionId", ""))
    found: list[Found] = []
    if config.get("ManifestType", "S3_INVENTORY") == "ATHENA_DATA":
        for uri in filter(None, (line.strip().strip('"') for line in text.splitlines())):
            where, _, name = uri.removeprefix("s3://").partition("/")
            left = None if most is None else most - len(found)
            found += await _object(objects, config, where, name, "", left)
        return found
    manifest = _decoded(text)
    if not isinstance(manifest, dict) or manifest.get("fileFormat") != "CSV":
        raise _Unreadable(f"`{key}` is no manifest of an S3 inventory in CSV")
    headers = [name.strip() for name in str(manifest.get("fileSchema", "")).split(",")]
    where = str(manifest.get("destinationBucket", bucket)).rpartition(":")[2]
    for file in manifest.get("files", ()):
        lines = await _text(objects, where, file["key"], "")
        shape = {"CSVHeaderLocation": "GIVEN", "CSVHeaders": headers}
        found += [(None, value, f"S3://{where}/{file['key']}") for _, value in _csv(lines, shape)]
        if most is not None and len(found) >= most:
            break
    return found


def _arguments(field: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    """The evaluated Arguments (JSONata) or Parameters (JSONPath) of a reader or writer."""
    given = template(field.get("Arguments" if scope.jsonata else "Parameters", {}), scope)
    return given if isinstance(given, dict) else {}


def _only(given: Mapping[str, Any], known: frozenset[str], required: set[str]) -> None:
    for name in sorted(required - set(given)):
        raise _Unreadable(f"`{name}` is missing")
    for name in sorted(set(given) - known):
        raise _Unreadable(f"`{name}` is no parameter that is known here: use {', '.join(sorted(known))}")
    for name in sorted(n for n in given if n != "MaxKeys" and not isinstance(given[n], str)):
        raise _Unreadable(f"`{name}` is no text")


def _whole(field: Mapping[str, Any], name: str, scope: Scope) -> int | None:
    """A whole number of at least 1, or None where it is not given."""
    value = number(field, name, scope)
    return None if value is None else int(value)


# batching


def batches(state: Mapping[str, Any], scope: Scope, items: Sequence[Any]) -> list[Any]:
    """What the iterations get: the items (after ItemSelector) themselves, or batches of them where there is an ItemBatcher.

    An item that alone is larger than `MaxInputBytesPerBatch` is a batch of its own.
    """
    batcher = state.get("ItemBatcher")
    if batcher is None:
        return list(items)
    count, size = (_whole(batcher, f, scope) for f in ("MaxItemsPerBatch", "MaxInputBytesPerBatch"))
    if count is None and size is None:
        raise StateFailure(RUNTIME, "`ItemBatcher` needs `MaxItemsPerBatch` or `MaxInputBytesPerBatch`")
    base = {"BatchInput": template(batcher["BatchInput"], scope)} if "BatchInput" in batcher else {}
    empty = len(encode({**base, "Items": []}))
    made: list[list[Any]] = []
    bytes_so_far = 0
    for item in items:
        added = len(encode(item)) + 1
        full = made and (
            (count is not None and len(made[-1]) >= count)
            or (size is not None and bytes_so_far + added > size)
        )
        if full or not made:
            made.append([])
            bytes_so_far = empty - 1
        made[-1].append(item)
        bytes_so_far += added
    return [{**base, "Items": batch} for batch in made]


# results


async def write_results(
    objects: Objects, state: Mapping[str, Any], scope: Scope, run_id: str, results: Sequence[ItemResult]
) -> Any:
    """The result of a distributed Map: its outputs, or where its ResultWriter put them.

    `run_id` names this one run of the Map and is the folder of its files, so that writing them again changes nothing.
    Raises StateFailure `States.ResultWriterFailed`.
    """
    writer = state.get("ResultWriter") or {"WriterConfig": {}}
    config = writer.get("WriterConfig") or {}
    ordered = sorted(results, key=lambda r: r.index)
    if "Resource" not in writer:
        entries = _transformed(ordered, config.get("Transformation", "COMPACT"))
        return _lines(entries).decode() if config.get("OutputType") == "JSONL" else entries
    try:
        return await _export(objects, writer, config, _arguments(writer, scope), run_id, ordered)
    except (RemitError, _Unreadable) as error:
        message = error.message if isinstance(error, RemitError) else str(error)
        raise StateFailure(RESULT_WRITER, message) from error


async def _export(
    objects: Objects,
    writer: Mapping[str, Any],
    config: Mapping[str, Any],
    given: Mapping[str, Any],
    run_id: str,
    results: list[ItemResult],
) -> Any:
    resource = parse(writer["Resource"])
    if resource is None or resource.name != "s3:putObject":
        raise _Unreadable(f"a ResultWriter cannot use the resource `{writer['Resource']}`")
    _only(given, _WRITE, {"Bucket"})
    bucket, prefix = given["Bucket"], given.get("Prefix", "").strip("/")
    folder = f"{prefix}/{run_id}" if prefix else run_id
    lines = config.get("OutputType") == "JSONL"
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for name, statuses in _FILES.items():
        group = [r for r in results if r.status in statuses]
        if group:
            entries = _transformed(group, config.get("Transformation", "NONE"))
            data = _lines(entries) if lines else encode(entries)
            key = f"{folder}/{name}_0.{'jsonl' if lines else 'json'}"
            await objects.put(bucket, key, data, media_type="application/json")
            files[name].append({"Key": key, "Size": len(data)})
    arn = f"remit:mapRun:{run_id}"
    manifest = {"DestinationBucket": bucket, "MapRunArn": arn, "ResultFiles": files}
    # Last: where the manifest is, everything that it names is too.
    await objects.put(bucket, f"{folder}/manifest.json", encode(manifest), media_type="application/json")
    return {"MapRunArn": arn, "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"}}


_FILES: dict[str, frozenset[str]] = {
    "SUCCEEDED": frozenset({"SUCCEEDED"}),
    "FAILED": frozenset({"FAILED", "TIMED_OUT", "ABORTED"}),
    "PENDING": frozenset({"PENDING"}),
}


def _transformed(results: Iterable[ItemResult], how: str) -> list[Any]:
    """NONE: with what is known of each iteration; COMPACT: its output; FLATTEN: its output, arrays taken apart.

    What did not succeed is told as with NONE.
    """
    entries: list[Any] = []
    for result in results:
        if how == "NONE" or result.status != "SUCCEEDED":
            entries.append(_described(result))
        elif how == "FLATTEN" and isinstance(result.output, list):
            entries += result.output
        else:
            entries.append(result.output)
    return entries


def _described(result: ItemResult) -> dict[str, Any]:
    told: dict[str, Any] = {
        "ExecutionArn": f"remit:run:{result.run_id}",
        "Input": encode(result.input).decode(),
        "InputDetails": {"Included": True},
        "Name": result.run_id,
        "Status": result.status,
    }
    if result.status == "SUCCEEDED":
        told |= {"Output": encode(result.output).decode(), "OutputDetails": {"Included": True}}
    elif result.error:
        told |= {"Error": result.error, "Cause": result.cause}
    if result.started_ts is not None:
        told["StartDate"] = rfc3339(result.started_ts)
    if result.ended_ts is not None:
        told["StopDate"] = rfc3339(result.ended_ts)
    return told


def _lines(entries: Iterable[Any]) -> bytes:
    return b"".join(encode(entry) + b"\n" for entry in entries)
