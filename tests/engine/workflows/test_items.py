"""What a distributed Map reads, how it batches, and what it writes: on files, as AWS documents it."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.adapters.objects.files import FileObjectStore
from remit.core.codec import encode
from remit.core.states.dataflow import Env, Scope
from remit.core.states.failures import ITEM_READER, RESULT_WRITER, RUNTIME, StateFailure
from remit.engine.workflows.items import ItemResult, batches, read_items, write_results
from remit.ports.objects import Objects
from remit.testing.contracts.objects import parquet, zstandard

BUCKET = "data-bucket"
GET, LIST = "arn:aws:states:::s3:getObject", "arn:aws:states:::s3:listObjectsV2"
PUT = "arn:aws:states:::s3:putObject"


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    """An empty store."""
    return FileObjectStore(tmp_path / "objects").of("local")


def scope(input: Any = None, *, jsonata: bool = False) -> Scope:
    """What a Map sees."""
    return Scope(input, {}, {}, jsonata, Env(lambda: 0, lambda: 0.5, lambda: "id"))


def reader(key: str = "k", /, **config: Any) -> dict[str, Any]:
    """A Map that reads one object."""
    parameters = {"Bucket": BUCKET, "Key": key}
    return {"ItemReader": {"Resource": GET, "ReaderConfig": config, "Parameters": parameters}}


async def values(objects: Objects, state: dict[str, Any], where: Scope | None = None) -> list[Any]:
    """The values of the items that a Map reads."""
    return [item.value for item in await read_items(objects, state, where or scope())]


def csv_reader(**more: Any) -> dict[str, Any]:
    """A Map that reads CSV whose first row is the header."""
    return reader(InputType="CSV", CSVHeaderLocation="FIRST_ROW", **more)


# CSV


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", [{"a": "1", "b": "2"}]),
        ("a,b\r\n1,2", [{"a": "1", "b": "2"}]),
        ("\ufeffa,b\n1,2\n", [{"a": "1", "b": "2"}]),
        ('a,b\n"x, ""y""\nz",\n', [{"a": 'x, "y"\nz', "b": ""}]),
        ("a,b\n1\n", [{"a": "1", "b": ""}]),
        ("a,b\n1,2,3\n", [{"a": "1", "b": "2"}]),
        ("a,b\n\n1,2\n\n", [{"a": "1", "b": "2"}]),
        ("a,b\n007, x \n", [{"a": "007", "b": " x "}]),
        ("a,b\n", []),
        ("", []),
    ],
)
async def test_csv_is_objects_of_strings(objects: Objects, text: str, expected: list[Any]) -> None:
    """Short rows are filled with empty strings, long ones cut, empty ones skipped; nothing is taken for a number."""
    await objects.put(BUCKET, "k", text.encode())
    assert await values(objects, csv_reader()) == expected


@pytest.mark.parametrize(
    ("name", "sign"), [("COMMA", ","), ("PIPE", "|"), ("SEMICOLON", ";"), ("SPACE", " "), ("TAB", "\t")]
)
async def test_csv_has_delimiters(objects: Objects, name: str, sign: str) -> None:
    """The five of AWS."""
    await objects.put(BUCKET, "k", f"a{sign}b\n1{sign}2\n".encode())
    assert await values(objects, csv_reader(CSVDelimiter=name)) == [{"a": "1", "b": "2"}]


async def test_csv_headers_may_be_given(objects: Objects) -> None:
    """Then the first row is an item too."""
    await objects.put(BUCKET, "k", b"1,2\n3,4\n")
    state = reader(InputType="CSV", CSVHeaderLocation="GIVEN", CSVHeaders=["x", "y"])
    assert await values(objects, state) == [{"x": "1", "y": "2"}, {"x": "3", "y": "4"}]


# JSON


async def test_json_is_an_array_or_an_object(objects: Objects) -> None:
    """Elements of an array; values of an object, with their keys."""
    await objects.put(BUCKET, "k", b'[1, "x", {"y": null}]')
    assert await values(objects, reader(InputType="JSON")) == [1, "x", {"y": None}]
    await objects.put(BUCKET, "k", b'{"a": 1, "b": [2]}')
    items = await read_items(objects, reader(InputType="JSON"), scope())
    assert [(i.index, i.key, i.value) for i in items] == [(0, "a", 1), (1, "b", [2])]


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [("/data/rows", [1, 2]), ("/data/a~1b", [3]), ("/data/list/0", [4]), ("/data/m~0n", [5])],
)
async def test_items_are_found_by_a_pointer(objects: Objects, pointer: str, expected: list[Any]) -> None:
    """ItemsPointer is a JSON Pointer (RFC 6901)."""
    data = {"data": {"rows": [1, 2], "a/b": [3], "list": [[4]], "m~n": [5]}}
    await objects.put(BUCKET, "k", encode(data))
    assert await values(objects, reader(InputType="JSON", ItemsPointer=pointer)) == expected


async def test_json_lines_are_items(objects: Objects) -> None:
    """One value a line, of any kind; blank lines are skipped, and U+2028 ends no line."""
    await objects.put(BUCKET, "k", '{"a":"\u2028"}\n\n[1]\r\n"x"'.encode())
    assert await values(objects, reader(InputType="JSONL")) == [{"a": "\u2028"}, [1], "x"]


# packed


@pytest.mark.parametrize("kind", ["CSV", "JSONL"])
@pytest.mark.parametrize("packing", ["gzip", "two gzip members", "zstd"])
async def test_compressed_text_is_unpacked(objects: Objects, kind: str, packing: str) -> None:
    """gzip and Zstandard are known by their first bytes, not by a name."""
    lines = ["a,b", '1,"x, y"'] if kind == "CSV" else ['{"a": "1", "b": "x, y"}']
    text = "".join(f"{line}\n" for line in lines).encode()
    packed = {
        "gzip": gzip.compress(text),
        "two gzip members": gzip.compress(text[:3]) + gzip.compress(text[3:]),
        "zstd": zstandard(text),
    }[packing]
    await objects.put(BUCKET, "k", packed)
    assert await values(objects, reader(InputType=kind, CSVHeaderLocation="FIRST_ROW")) == [
        {"a": "1", "b": "x, y"}
    ]


async def test_parquet_rows_are_items(objects: Objects, tmp_path: Path) -> None:
    """And no more of them are read than are wanted."""
    await objects.put(BUCKET, "k", parquet(tmp_path))
    assert [r["id"] for r in await values(objects, reader(InputType="PARQUET"))] == [0, 1, 2]
    assert [r["id"] for r in await values(objects, reader(InputType="PARQUET", MaxItems=1))] == [0]


# many objects


async def test_a_listing_is_items(objects: Objects) -> None:
    """As ListObjectsV2 answers; the source is the bucket."""
    for n in range(3):
        await objects.put(BUCKET, f"in/{n}", b"x" * n)
    await objects.put(BUCKET, "out/1", b"")
    state = {"ItemReader": {"Resource": LIST, "Parameters": {"Bucket": BUCKET, "Prefix": "in/"}}}
    items = await read_items(objects, state, scope())
    assert [i.value["Key"] for i in items] == ["in/0", "in/1", "in/2"]
    assert set(items[0].value) == {"Etag", "Key", "LastModified", "Size", "StorageClass"}
    assert [i.value["Size"] for i in items] == [0, 1, 2]
    assert {i.source for i in items} == {f"S3://{BUCKET}"}


async def test_a_listing_of_many_pages_is_whole(objects: Objects) -> None:
    """More objects than a page has; MaxItems stops it."""
    for n in range(1003):
        await objects.put("file-list", f"{n:05d}", b"")
    state: dict[str, Any] = {"ItemReader": {"Resource": LIST, "Parameters": {"Bucket": "file-list"}}}
    assert [v["Key"] for v in await values(objects, state)] == [f"{n:05d}" for n in range(1003)]
    state["ItemReader"]["ReaderConfig"] = {"MaxItems": 2}
    assert [v["Key"] for v in await values(objects, state)] == ["00000", "00001"]


async def test_what_is_in_listed_objects_may_be_the_items(objects: Objects) -> None:
    """LOAD_AND_FLATTEN: one list of all that the objects hold, each item with its object as source."""
    await objects.put(BUCKET, "in/a.jsonl", b"1\n2\n")
    await objects.put(BUCKET, "in/b.jsonl", b"3\n")
    config = {"InputType": "JSONL", "Transformation": "LOAD_AND_FLATTEN"}
    state = {
        "ItemReader": {
            "Resource": LIST,
            "ReaderConfig": config,
            "Parameters": {"Bucket": BUCKET, "Prefix": "in/"},
        }
    }
    items = await read_items(objects, state, scope())
    assert [(i.value, i.source[-7:]) for i in items] == [(1, "a.jsonl"), (2, "a.jsonl"), (3, "b.jsonl")]


async def test_an_inventory_is_items(objects: Objects) -> None:
    """The manifest names gzipped CSV files without headers; its schema names the columns."""
    for n in range(2):
        row = f'"{BUCKET}","key%20{n}","{n}"\n'
        await objects.put("inventory", f"data/{n}.csv.gz", gzip.compress(row.encode()))
    manifest = {
        "sourceBucket": BUCKET,
        "destinationBucket": "arn:aws:s3:::inventory",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": f"data/{n}.csv.gz", "size": 1} for n in range(2)],
    }
    await objects.put(BUCKET, "manifest.json", encode(manifest))
    state = reader("manifest.json", InputType="MANIFEST")
    assert await values(objects, state) == [
        {"Bucket": BUCKET, "Key": f"key%20{n}", "Size": str(n)} for n in range(2)
    ]


async def test_an_athena_manifest_leads_to_the_data(objects: Objects) -> None:
    """It lists objects by URI, and InputType says how they are read."""
    await objects.put(BUCKET, "a", b"1\n2\n")
    await objects.put(BUCKET, "b", b"3\n")
    await objects.put(BUCKET, "manifest.csv", f"s3://{BUCKET}/a\ns3://{BUCKET}/b\n".encode())
    state = reader("manifest.csv", InputType="JSONL", ManifestType="ATHENA_DATA")
    assert await values(objects, state) == [1, 2, 3]


# parameters


async def test_parameters_are_templates(objects: Objects) -> None:
    """JSONPath's Parameters and MaxItemsPath; JSONata's Arguments and MaxItems."""
    await objects.put(BUCKET, "k", b"[1, 2, 3]")
    where = {"where": BUCKET, "most": 2}
    field = {"Resource": GET, "ReaderConfig": {"InputType": "JSON", "MaxItemsPath": "$.most"}}
    state = {"ItemReader": {**field, "Parameters": {"Bucket.$": "$.where", "Key": "k"}}}
    assert await values(objects, state, scope(where)) == [1, 2]
    config = {"InputType": "JSON", "MaxItems": "{% $states.input.most %}"}
    arguments = {"Bucket": "{% $states.input.where %}", "Key": "k"}
    state = {"ItemReader": {"Resource": GET, "ReaderConfig": config, "Arguments": arguments}}
    assert await values(objects, state, scope(where, jsonata=True)) == [1, 2]


@pytest.mark.parametrize(
    ("state", "data", "why"),
    [
        (reader("nothing", InputType="JSON"), b"", "does not exist"),
        (reader(InputType="JSON"), b"{", "no JSON"),
        (reader(InputType="JSON"), b"1", "no array or object"),
        (reader(InputType="JSON", ItemsPointer="/a/b"), b'{"a": []}', "leads nowhere"),
        (reader(InputType="JSONL"), b"1\n{\n", "line 2"),
        (reader(InputType="XML"), b"", "`InputType` is `XML`"),
        (reader(InputType="CSV"), b"a\n", "CSVHeaderLocation"),
        (csv_reader(), b"a,a\n1,2\n", "duplicates"),
        (csv_reader(CSVDelimiter="#"), b"a\n1\n", "CSVDelimiter"),
        (csv_reader(), b"\xff\xfe", "no UTF-8"),
        (csv_reader(), b"\x1f\x8bnot gzip", "gzip"),
        (csv_reader(), b"\x28\xb5\x2f\xfdnot zstd", "Zstandard"),
        (reader(InputType="PARQUET"), b"x", "Parquet"),
        (reader(InputType="MANIFEST"), b'{"fileFormat": "ORC"}', "no manifest"),
        ({"ItemReader": {"Resource": GET, "Parameters": {"Bucket": BUCKET}}}, b"", "`Key` is missing"),
        (
            {"ItemReader": {"Resource": GET, "Parameters": {"Bucket": BUCKET, "Key": 1}}},
            b"",
            "`Key` is no text",
        ),
        (
            {"ItemReader": {"Resource": GET, "Parameters": {"Bucket": BUCKET, "Key": "k", "X": "y"}}},
            b"",
            "`X`",
        ),
        ({"ItemReader": {"Resource": PUT, "Parameters": {"Bucket": BUCKET, "Key": "k"}}}, b"", "cannot use"),
        ({"ItemReader": {"Resource": LIST, "Parameters": {"Bucket": "none-such"}}}, b"", "does not exist"),
    ],
)
async def test_what_cannot_be_read_fails_the_reader(
    objects: Objects, state: dict[str, Any], data: bytes, why: str
) -> None:
    """`States.ItemReaderFailed`, and a sentence that says what is wrong."""
    await objects.put(BUCKET, "k", data)
    with pytest.raises(StateFailure, match=why) as raised:
        await read_items(objects, state, scope())
    assert raised.value.error == ITEM_READER


# batches


@settings(deadline=None)
@given(
    st.lists(st.text(max_size=12)),
    st.integers(1, 5) | st.none(),
    st.integers(1, 120) | st.none(),
    st.text(max_size=10) | st.none(),
)
def test_batches_keep_order_and_limits(
    items: list[str], count: int | None, size: int | None, base: str | None
) -> None:
    """All items once and in order; no batch over a limit unless it is one item alone; none could take its next one's first."""
    limits = {"MaxItemsPerBatch": count, "MaxInputBytesPerBatch": size}
    batcher: dict[str, Any] = {k: v for k, v in limits.items() if v is not None}
    if not batcher:
        return
    if base is not None:
        batcher["BatchInput"] = {"base": base}
    made = batches({"ItemBatcher": batcher}, scope(), items)
    assert [i for batch in made for i in batch["Items"]] == items
    for batch in made:
        assert batch["Items"]
        assert ("BatchInput" in batch) == (base is not None)
        assert count is None or len(batch["Items"]) <= count
        assert size is None or len(encode(batch)) <= size or len(batch["Items"]) == 1
    for batch, following in pairwise(made):
        grown = {**batch, "Items": [*batch["Items"], following["Items"][0]]}
        assert len(batch["Items"]) == count or (size is not None and len(encode(grown)) > size)


def test_a_batch_has_its_input_beside_its_items() -> None:
    """BatchInput is a template, evaluated once."""
    batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"who.$": "$.who"}}
    assert batches({"ItemBatcher": batcher}, scope({"who": "me"}), [1, 2, 3]) == [
        {"BatchInput": {"who": "me"}, "Items": [1, 2]},
        {"BatchInput": {"who": "me"}, "Items": [3]},
    ]


def test_without_a_batcher_the_items_are_the_inputs() -> None:
    """As they are."""
    assert batches({}, scope(), [1, {"a": 2}]) == [1, {"a": 2}]


def test_a_batcher_needs_a_limit() -> None:
    """One of the two."""
    with pytest.raises(StateFailure) as raised:
        batches({"ItemBatcher": {}}, scope(), [1])
    assert raised.value.error == RUNTIME


# results

RESULTS = [
    ItemResult(
        1,
        {"i": 1},
        "SUCCEEDED",
        [2, 3],
        run_id="r.1",
        started_ts=1_700_000_000_000,
        ended_ts=1_700_000_000_500,
    ),
    ItemResult(0, {"i": 0}, "SUCCEEDED", "x", run_id="r.0"),
    ItemResult(2, {"i": 2}, "FAILED", None, "Boom", "it broke", "r.2"),
]


def writer(**fields: Any) -> dict[str, Any]:
    """A Map with a ResultWriter."""
    return {"ResultWriter": {"Resource": PUT, "Parameters": {"Bucket": BUCKET, "Prefix": "out/"}, **fields}}


async def stored(objects: Objects, key: str) -> Any:
    """An object as JSON."""
    return json.loads(await objects.get(BUCKET, key))


async def test_results_are_exported(objects: Objects) -> None:
    """Files by how the items ended, a manifest that names them, and where that is as the result."""
    answer = await write_results(objects, writer(), scope(), "m1", RESULTS)
    assert answer == {
        "MapRunArn": "remit:mapRun:m1",
        "ResultWriterDetails": {"Bucket": BUCKET, "Key": "out/m1/manifest.json"},
    }
    manifest = await stored(objects, "out/m1/manifest.json")
    assert manifest["DestinationBucket"] == BUCKET
    assert manifest["ResultFiles"]["PENDING"] == []
    (good,) = manifest["ResultFiles"]["SUCCEEDED"]
    assert good["Key"] == "out/m1/SUCCEEDED_0.json"
    assert good["Size"] == len(await objects.get(BUCKET, good["Key"]))
    first, second = await stored(objects, good["Key"])
    assert (first["Output"], first["Input"], first["Status"]) == ('"x"', '{"i":0}', "SUCCEEDED")
    assert second["StartDate"] == "2023-11-14T22:13:20.000Z"
    assert second["StopDate"] == "2023-11-14T22:13:20.500Z"
    (bad,) = await stored(objects, "out/m1/FAILED_0.json")
    assert (bad["Error"], bad["Cause"], bad["Status"]) == ("Boom", "it broke", "FAILED")


@pytest.mark.parametrize(
    ("transformation", "expected"), [("COMPACT", ["x", [2, 3]]), ("FLATTEN", ["x", 2, 3])]
)
@pytest.mark.parametrize("kind", ["JSON", "JSONL"])
async def test_results_are_transformed(
    objects: Objects, transformation: str, expected: list[Any], kind: str
) -> None:
    """COMPACT keeps the outputs, FLATTEN takes arrays apart; what failed is told in full."""
    state = writer(WriterConfig={"Transformation": transformation, "OutputType": kind})
    await write_results(objects, state, scope(), "m1", RESULTS)
    name = f"out/m1/SUCCEEDED_0.{kind.lower()}"
    text = (await objects.get(BUCKET, name)).decode()
    found = json.loads(text) if kind == "JSON" else [json.loads(line) for line in text.splitlines()]
    assert found == expected
    failed = (await objects.get(BUCKET, name.replace("SUCCEEDED", "FAILED"))).decode()
    assert "it broke" in failed


async def test_results_without_a_place_are_the_output(objects: Objects) -> None:
    """WriterConfig alone formats the state's output; without a ResultWriter it is COMPACT."""
    good = RESULTS[:2]
    assert await write_results(objects, {}, scope(), "m1", good) == ["x", [2, 3]]
    flat = {"ResultWriter": {"WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSON"}}}
    assert await write_results(objects, flat, scope(), "m1", good) == ["x", 2, 3]
    lines = {"ResultWriter": {"WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"}}}
    assert await write_results(objects, lines, scope(), "m1", good) == '"x"\n[2,3]\n'


async def test_writing_results_again_changes_nothing(objects: Objects) -> None:
    """The same keys with the same bytes, so that a retry after a crash is harmless."""
    first = await write_results(objects, writer(), scope(), "m1", RESULTS)
    before = [(i.key, i.etag) for i in await objects.list(BUCKET)]
    assert await write_results(objects, writer(), scope(), "m1", RESULTS) == first
    assert [(i.key, i.etag) for i in await objects.list(BUCKET)] == before


async def test_what_was_written_can_be_read(objects: Objects) -> None:
    """The results of one Map are the items of the next."""
    await write_results(objects, writer(WriterConfig={"Transformation": "FLATTEN"}), scope(), "m1", RESULTS)
    assert await values(objects, reader("out/m1/SUCCEEDED_0.json", InputType="JSON")) == ["x", 2, 3]


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ({"Resource": GET, "Parameters": {"Bucket": BUCKET}}, "cannot use"),
        ({"Resource": PUT, "Parameters": {}}, "`Bucket` is missing"),
        ({"Resource": PUT, "Parameters": {"Bucket": "UPPER"}}, "no name of a bucket"),
        ({"Resource": PUT, "Parameters": {"Bucket": BUCKET, "Prefix": "../../x"}}, "no key"),
        ({"Resource": PUT, "Parameters": {"Bucket": BUCKET, "Acl": "public-read"}}, "`Acl`"),
    ],
)
async def test_what_cannot_be_written_fails_the_writer(
    objects: Objects, field: dict[str, Any], why: str
) -> None:
    """`States.ResultWriterFailed`."""
    with pytest.raises(StateFailure, match=why) as raised:
        await write_results(objects, {"ResultWriter": field}, scope(), "m1", RESULTS)
    assert raised.value.error == RESULT_WRITER
