"""Documents are taken in whole, found by words and meaning, cited to the character, and leave nothing when they go."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("numpy", reason='the extra "remit[documents]" is not installed')

import itertools

from remit.adapters.embeddings.lexical import LexicalEmbeddings
from remit.bootstrap import App
from remit.core.citation import parse
from remit.core.errors import ConfigError, InputError, NotFoundError
from remit.engine.documents import ABANDONED_MS, VERSION, Library, vectors_of, words_of
from remit.engine.embedding import Patient
from remit.engine.passages import TenantDocuments
from remit.ports.embeddings import Purpose
from remit.settings import DocumentSettings
from remit.testing import FakeClock, app_for_tests

KETTLE = b"# Kettle\n\nThe kettle switches off before the water boils. Descale it with citric acid."
ROUTER = b"# Router\n\nA red light means that there is no connection to the internet."


@pytest_asyncio.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """An app on SQLite."""
    async with app_for_tests(home=tmp_path, store=f"sqlite:///{tmp_path}/remit.db") as opened:
        yield opened


@pytest.fixture
def documents(app: App) -> TenantDocuments:
    """The documents of `acme`."""
    return TenantDocuments(app.documents, "acme")


async def blobs_in(home: Path) -> list[Path]:
    """Every blob there is."""
    return [path for path in (home / "blobs").rglob("*") if path.is_file()]


async def test_what_was_added_is_found_and_cited_to_the_character(documents: TenantDocuments) -> None:
    """A passage is exactly the characters that its citation names."""
    await documents.add(KETTLE, document_id="kettle", source="kettle.md", tags=["home"])
    await documents.add(ROUTER, document_id="router", source="router.md")
    best = (await documents.search("my kettle stops before boiling"))[0]
    assert (best.document_id, best.title, best.source) == ("kettle", "Kettle", "kettle.md")
    cited = parse(best.citation)
    again = await documents.passage(cited.document_id, cited.start, cited.end)
    assert (again.text, again.citation) == (best.text, best.citation)
    assert KETTLE.decode()[best.start : best.end] == best.text


@given(
    st.one_of(
        st.text(min_size=1, max_size=3000),
        st.lists(st.sampled_from(["Water boils. ", "# Head\n", "\n\n", "é", "水", "x" * 300, " ", "🙂"]), min_size=1)
        .map(lambda parts: "".join(parts) * 20),
    ).filter(str.strip)
)  # fmt: skip
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_kept_to_the_letter_and_spans_are_exact(text: str) -> None:
    """Whatever it is: text[start:end] is the passage, and the bytes come back as they were."""

    async def go() -> None:
        async with app_for_tests() as app:
            documents = TenantDocuments(app.documents, "acme")
            data = text.encode()
            await documents.add(data, document_id="d", media_type="text/plain; charset=utf-8")
            assert (await documents.passage("d")).text == text
            assert await app.documents.original("acme", "d") == data
            for query in ("water boils", text[:200]):
                if not query.strip():
                    continue
                found = await documents.search(query, limit=50)
                for passage in found:
                    assert passage.text == text[passage.start : passage.end]
                spans = sorted((p.start, p.end) for p in found)
                assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans)), "a span is told twice"

    asyncio.run(go())


async def test_labels_travel_with_each_passage(documents: TenantDocuments) -> None:
    """Untrusted unless said otherwise; trust and sensitivity are those of the document it is from."""
    await documents.add(KETTLE, document_id="kettle")
    await documents.add(ROUTER, document_id="router", trust="trusted", sensitivity="private")
    found = {p.document_id: (p.trust, p.sensitivity) for p in await documents.search("kettle router light")}
    assert found == {"kettle": ("untrusted", "internal"), "router": ("trusted", "private")}


async def test_a_tenant_never_finds_what_is_anothers(app: App) -> None:
    """Neither by search, nor by id, nor by citation; the same id in two tenants is two documents."""
    acme, zeta = TenantDocuments(app.documents, "acme"), TenantDocuments(app.documents, "zeta")
    await acme.add(b"the secret recipe of acme has vanilla", document_id="recipe")
    assert await zeta.search("secret recipe vanilla") == []
    for attempt in (zeta.get("recipe"), zeta.passage("recipe", 0, 5), zeta.delete("recipe")):
        with pytest.raises(NotFoundError):
            await attempt
    await zeta.add(b"zeta's recipe has cinnamon", document_id="recipe")
    assert [p.text for p in await acme.search("recipe vanilla cinnamon")] == [
        "the secret recipe of acme has vanilla"
    ]
    assert [p.text for p in await zeta.search("recipe vanilla cinnamon")] == ["zeta's recipe has cinnamon"]
    await zeta.delete("recipe")
    assert len(await acme.search("vanilla")) == 1


async def test_tags_are_all_asked_for(documents: TenantDocuments) -> None:
    """Also when the documents that have them stand far down in the ranking."""
    for n in range(60):
        await documents.add(f"kettle kettle kettle {n}".encode(), document_id=f"d{n}", tags=["common"])
    await documents.add(
        b"about a kettle, among other things that are not it", document_id="rare", tags=["common", "rare"]
    )
    assert [p.document_id for p in await documents.search("kettle", tags=["rare", "common"])] == ["rare"]
    assert len(await documents.search("kettle", limit=10, tags=["common"])) == 10
    assert await documents.search("kettle", tags=["absent"]) == []


async def test_the_same_text_is_told_once(documents: TenantDocuments) -> None:
    """Two documents that say the same make one passage."""
    for n in range(3):
        await documents.add(KETTLE, document_id=f"copy{n}")
    await documents.add(ROUTER, document_id="router")
    assert len(await documents.search("kettle internet", limit=10)) == 2


async def test_replacing_leaves_nothing_of_the_former(
    app: App, documents: TenantDocuments, tmp_path: Path
) -> None:
    """Neither its passages nor its blobs nor its row."""
    await documents.add(KETTLE, document_id="d", tags=["old"])
    await documents.add(ROUTER, document_id="d", title="New")
    assert [p.title for p in await documents.search("kettle descale router light", limit=50)] == ["New"]
    assert (await documents.get("d")).tags == ()
    assert len(await blobs_in(tmp_path)) == 2
    page = await app.store.query(VERSION, "", ("acme",))
    assert [item["state"] for item in page.items] == ["live"]
    assert await app.documents.indexes.words.search(words_of("acme"), "citric") == []


async def test_deleting_leaves_nothing(app: App, documents: TenantDocuments, tmp_path: Path) -> None:
    """Bytes, text, entries and rows are gone; deleting it again finds nothing."""
    await documents.add(KETTLE, document_id="d")
    await documents.delete("d")
    assert await documents.search("kettle") == []
    assert await blobs_in(tmp_path) == []
    assert (await app.store.query(VERSION, "", ("acme",))).items == []
    (vector,) = await app.documents.indexes.embeddings.embed(["kettle"], "query")
    assert await app.documents.indexes.vectors.near(vectors_of("acme", "lexical:1"), vector) == []
    with pytest.raises(NotFoundError):
        await documents.delete("d")


async def test_deleting_takes_nothing_from_others(app: App, documents: TenantDocuments) -> None:
    """The same bytes as an artifact, and as another tenant's document, stay."""
    artifact = await app.blobs.put(KETTLE)
    other = TenantDocuments(app.documents, "zeta")
    await documents.add(KETTLE, document_id="d")
    await other.add(KETTLE, document_id="d")
    await documents.delete("d")
    assert await app.blobs.get(artifact) == KETTLE
    assert (await other.passage("d")).text == KETTLE.decode()


async def test_a_search_during_replacing_sees_the_old_or_the_new(documents: TenantDocuments) -> None:
    """Never neither, never both."""
    await documents.add(b"kettle version 0", document_id="d")
    done = asyncio.Event()

    async def replace() -> None:
        for n in range(1, 15):
            await documents.add(f"kettle version {n}".encode(), document_id="d")
        done.set()

    async def search() -> None:
        last = 0
        while not done.is_set():
            (found,) = await documents.search("kettle version")
            number = int(found.text.rpartition(" ")[2])
            assert number >= last
            last = number

    async with asyncio.timeout(60):
        await asyncio.gather(replace(), search(), search())


async def test_many_add_at_once(documents: TenantDocuments) -> None:
    """Different ids all land; of one id, one version counts and nothing of the others stays."""
    await asyncio.gather(*(documents.add(f"kettle {n}".encode(), document_id=f"d{n}") for n in range(12)))
    assert len((await documents.page(limit=200)).items) == 12
    await asyncio.gather(*(documents.add(f"router {n}".encode(), document_id="same") for n in range(6)))
    found = [p.document_id for p in await documents.search("router kettle", limit=50)]
    assert sorted(found) == sorted(["same", *(f"d{n}" for n in range(12))])


DYING = """
import asyncio, sys
from pathlib import Path
from remit.settings import DocumentSettings, Settings
from remit.bootstrap import open_app
home, fault, verb = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
async def main():
    async with open_app(Settings(home=home, store=f"sqlite:///{home}/remit.db", fault=fault)) as app:
        if verb == "delete":
            await app.documents.delete("acme", "d")
        else:
            await app.documents.add("acme", b"router version two", document_id="d")
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("point", "verb", "seen"),
    [
        ("after:documents:begin", "add", "kettle"),
        ("after:documents:blobs", "add", "kettle"),
        ("after:documents:index", "add", "kettle"),
        ("after:documents:publish", "add", "router"),
        ("after:documents:delete", "delete", ""),
    ],
)
async def test_a_kill_leaves_the_old_or_the_new(tmp_path: Path, point: str, verb: str, seen: str) -> None:
    """Nothing half is found, and what the killed process left is swept once it is old."""
    store = f"sqlite:///{tmp_path}/remit.db"
    async with app_for_tests(home=tmp_path, store=store) as app:
        await app.documents.add("acme", b"kettle version one", document_id="d")
    done = subprocess.run([sys.executable, "-c", DYING, str(tmp_path), point, verb], check=False, timeout=60)
    assert done.returncode == -9
    clock = FakeClock()
    async with app_for_tests(home=tmp_path, store=store, clock=clock) as app:
        documents = TenantDocuments(app.documents, "acme")
        assert [p.text.split()[0] for p in await documents.search("kettle router version")] == (
            [seen] if seen else []
        )
        # the killed process went by the real clock
        page = await app.store.query(VERSION, "", ("acme",))
        latest = max((item["since_ts"] for item in page.items), default=0)
        clock.advance(max(0, latest - clock.now() + 2 * ABANDONED_MS) / 1000)
        await app.documents.sweep("acme")
        page = await app.store.query(VERSION, "", ("acme",))
        assert [item["state"] for item in page.items] == (["live"] if seen else [])
        assert len(await blobs_in(tmp_path)) == (2 if seen else 0)
        words = await app.documents.indexes.words.search(words_of("acme"), "kettle router")
        assert len(words) == bool(seen)


class OtherWords(LexicalEmbeddings):
    """Another model, whose vectors point the other way."""

    name = "lexical:other"

    async def embed(self, texts: Any, purpose: Purpose) -> list[list[float]]:
        return [[-x for x in vector] for vector in await super().embed(texts, purpose)]


def renamed(library: Library, app: App) -> Library:
    """The same library as a process sees it whose settings name another model."""
    indexes = library.indexes
    other = type(indexes)(indexes.words, indexes.vectors, Patient(OtherWords(), app.clock))
    return Library(app.store, app.blobs, app.clock, app.documents._extraction, other)


async def test_another_model_is_told_until_all_is_indexed_by_it(app: App) -> None:
    """Vectors of two models are never compared: E930 says what to run, and after it only the new one is good."""
    old = app.documents
    await old.add("acme", KETTLE, document_id="kettle")
    await old.add("acme", ROUTER, document_id="router")
    new = renamed(old, app)
    for attempt in (
        TenantDocuments(new, "acme").search("kettle"),
        new.add("acme", b"more"),
        new.delete("acme", "kettle"),
    ):
        with pytest.raises(ConfigError) as raised:
            await attempt
        assert raised.value.code == "E930"
        assert "remit documents reindex" in raised.value.help
    assert await new.reindex("acme") == 2
    assert (await TenantDocuments(new, "acme").search("kettle"))[0].document_id == "kettle"
    with pytest.raises(ConfigError):
        await TenantDocuments(old, "acme").search("kettle")
    (vector,) = await old.indexes.embeddings.embed(["kettle"], "query")
    assert await old.indexes.vectors.near(vectors_of("acme", "lexical:1"), vector) == []


async def test_what_changes_during_reindexing_is_followed(app: App) -> None:
    """Added, replaced and deleted by a process that still goes by the former model: all of it is right afterwards."""
    old = app.documents
    for n in range(3):
        await old.add("acme", f"kettle {n}".encode(), document_id=f"d{n}")
    new, calls = renamed(old, app), []

    class Meddling(OtherWords):
        async def embed(self, texts: Any, purpose: Purpose) -> list[list[float]]:
            calls.append(texts)
            if len(calls) == 2:
                await old.add("acme", b"router added", document_id="d9")
                await old.add("acme", b"router replaced", document_id="d0")
                await old.delete("acme", "d1")
            return await super().embed(texts, purpose)

    indexes = new.indexes
    meddled = type(indexes)(indexes.words, indexes.vectors, Patient(Meddling(), app.clock))
    assert await Library(app.store, app.blobs, app.clock, old._extraction, meddled).reindex("acme") == 3
    found = {
        p.document_id: p.text for p in await TenantDocuments(new, "acme").search("kettle router", limit=20)
    }
    assert found == {"d0": "router replaced", "d2": "kettle 2", "d9": "router added"}
    (vector,) = await new.indexes.embeddings.embed(["kettle router"], "query")
    assert len(await indexes.vectors.near(vectors_of("acme", "lexical:other"), vector, limit=50)) == 3


async def test_a_lost_index_is_made_again(app: App, documents: TenantDocuments) -> None:
    """Rows and blobs are the truth: reindexing fills indexes that were deleted."""
    await documents.add(KETTLE, document_id="d")
    await app.documents.indexes.words.drop(words_of("acme"))
    await app.documents.indexes.vectors.drop(vectors_of("acme", "lexical:1"))
    assert await documents.search("kettle") == []
    assert await app.documents.reindex("acme") == 1
    assert len(await documents.search("kettle")) == 1


async def test_titles_are_one_line(documents: TenantDocuments) -> None:
    """Whatever a file calls itself."""
    added = await documents.add(b"# A \x00 title\x1b[31m\n\ntext", source="a\nb.md")
    assert (added.title, added.source) == ("A title [31m", "a b.md")


async def test_without_an_id_the_same_bytes_are_one_document(documents: TenantDocuments) -> None:
    """The id is of the bytes."""
    first, second = [await documents.add(KETTLE) for _ in range(2)]
    assert first.document_id == second.document_id
    assert len((await documents.page()).items) == 1


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"document_id": "../etc"}, "E530"),
        ({"document_id": "a/b"}, "E530"),
        ({"document_id": "x" * 129}, "E530"),
        ({"tags": ["", "a"]}, "E934"),
        ({"tags": [f"t{n}" for n in range(51)]}, "E934"),
        ({"media_type": "image/png"}, "E932"),
    ],
)
async def test_what_does_not_fit_is_refused(
    documents: TenantDocuments, given: dict[str, Any], code: str
) -> None:
    """And nothing was changed."""
    with pytest.raises(InputError) as raised:
        await documents.add(KETTLE, **given)
    assert raised.value.code == code
    assert (await documents.page()).items == []


async def test_too_much_is_refused(documents: TenantDocuments, monkeypatch: pytest.MonkeyPatch) -> None:
    """E933, for bytes as for the text that they make."""
    monkeypatch.setattr("remit.engine.documents.MAX_BYTES", 100)
    with pytest.raises(InputError, match="101 bytes"):
        await documents.add(b"x" * 101)
    monkeypatch.setattr("remit.engine.documents.MAX_CHARACTERS", 50)
    with pytest.raises(InputError, match="100 characters"):
        await documents.add(b"x" * 100)


@pytest.mark.parametrize(
    "given", [{"query": " "}, {"query": "x" * 4001}, {"query": "x", "limit": 0}, {"query": "x", "limit": 51}]
)
async def test_a_search_has_bounds(documents: TenantDocuments, given: dict[str, Any]) -> None:
    """E934."""
    with pytest.raises(InputError) as raised:
        await documents.search(**given)
    assert raised.value.code == "E934"


async def test_a_span_that_is_not_there_is_told(documents: TenantDocuments) -> None:
    """A citation of a longer text than there is now names nothing."""
    await documents.add(b"short", document_id="d")
    with pytest.raises(NotFoundError, match="5 characters"):
        await documents.passage("d", 0, 6)


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        (DocumentSettings(vectors="nowhere"), "E937"),
        (DocumentSettings(embeddings="nobody:x"), "E937"),
        (DocumentSettings(embeddings="bedrock:anthropic.claude"), "E937"),
        (DocumentSettings(embeddings="local:/nonexistent"), "E939"),
    ],
)
async def test_settings_that_name_nothing_are_told(chosen: DocumentSettings, code: str) -> None:
    """When documents are first asked for, with what may be set."""
    async with app_for_tests(documents=chosen) as app:
        with pytest.raises(ConfigError) as raised:
            _ = app.documents
        assert raised.value.code == code
