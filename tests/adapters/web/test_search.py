"""The searches: one contract for both, and what each does besides."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.adapters.web.questions import QUESTIONS
from tests.adapters.web.tavily_server import KEY, Tavily, tavily

from remit.adapters.extraction.files import FileExtraction
from remit.adapters.web.corpus import Corpus
from remit.adapters.web.tavily import TavilySearch
from remit.bootstrap.web import CORPUS
from remit.core.errors import ConfigError, ToolError
from remit.ports.web import Search
from remit.testing import FakeClock
from remit.testing.contracts.search import PAGES, SearchContract


def corpus_of(folder: Path, clock: FakeClock | None = None) -> Corpus:
    """A corpus of a folder."""
    return Corpus(folder, clock or FakeClock(), FileExtraction(wall_s=15))


def write(folder: Path, name: str, text: str) -> Path:
    """A file of the folder, with a time of change of its own."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))
    return path


class TestCorpus(SearchContract):
    """Pages in a folder."""

    @pytest.fixture
    def search(self, tmp_path: Path) -> Search:
        for page in PAGES:
            name = page.url.rpartition("/")[2]
            write(tmp_path, f"{name}.md", f"---\ntitle: {page.title}\nurl: {page.url}\n---\n{page.text}\n")
        return corpus_of(tmp_path)


class TestTavily(SearchContract):
    """The service, as a stand-in speaks its published API."""

    @pytest.fixture
    def service(self) -> Iterator[Tavily]:
        """The stand-in."""
        with tavily(PAGES) as made:
            yield made

    @pytest.fixture
    def search(self, service: Tavily) -> Search:
        return TavilySearch(lambda: KEY, base_url=service.url)

    async def test_the_service_gets_what_it_documents(self, search: Search, service: Tavily) -> None:
        """The query cut to 400 characters, the number of results, and nothing that costs more than a basic search."""
        await search.search("ice " * 300, limit=7)
        asked = service.asked[0]
        assert len(asked["query"]) <= 400
        assert asked["max_results"] == 7
        assert asked["search_depth"] == "basic"

    @pytest.mark.parametrize(
        ("status", "code", "retryable"),
        [
            (400, "E924", False),
            (401, "E924", False),
            (403, "E924", False),
            (404, "E924", False),
            (429, "E925", True),
            (432, "E924", False),
            (433, "E924", False),
            (500, "E925", True),
            (502, "E925", True),
            (503, "E925", True),
        ],
    )
    async def test_a_failure_says_what_to_do(
        self, search: Search, service: Tavily, status: int, code: str, retryable: bool
    ) -> None:
        """Limits and keys are for people, overload passes; one request was made, and the answer's text is not repeated."""
        service.status = status
        with pytest.raises(ToolError) as raised:
            await search.search("ice")
        assert (raised.value.code, raised.value.retryable) == (code, retryable)
        assert raised.value.help
        assert KEY not in str(raised.value)
        assert len(service.asked) == 1

    @pytest.mark.parametrize(
        "raw",
        [b"", b"not json", b"[]", b"{}", b'{"results": [{}]}', b'{"results": 3}', b"\xff\xfe", b"{" * 9000],
    )
    async def test_an_answer_that_is_none_is_a_failure(
        self, search: Search, service: Tavily, raw: bytes
    ) -> None:
        """Nothing is guessed."""
        service.raw = raw
        with pytest.raises(ToolError, match="none that is understood"):
            await search.search("ice")

    async def test_an_answer_is_bounded(self, search: Search, service: Tavily) -> None:
        """A service that sends too much is no service."""
        service.raw = b'{"results": [' + b" " * (5 * 2**20) + b"]}"
        with pytest.raises(ToolError, match="too large"):
            await search.search("ice")

    async def test_more_than_asked_for_is_cut(self, search: Search, service: Tavily) -> None:
        """Results without titles are named by their address; a published date is passed on."""
        one = '{"url": "https://a.example/%d", "content": "x", "published_date": "2026-01-01"}'
        service.raw = ('{"results": [' + ",".join(one % n for n in range(9)) + "]}").encode()
        found = await search.search("ice", limit=3)
        assert [hit.title for hit in found] == [f"https://a.example/{n}" for n in range(3)]
        assert found[0].published == "2026-01-01"

    async def test_a_wrong_key_is_told(self, service: Tavily) -> None:
        """It is asked for at each search, so a new one counts at once."""
        keys = ["wrong", KEY]
        search = TavilySearch(lambda: keys.pop(0), base_url=service.url)
        with pytest.raises(ToolError, match="does not know the key"):
            await search.search("ice")
        assert await search.search("ice")

    async def test_a_service_that_is_not_there_is_told(self) -> None:
        """Whoever calls may try again."""
        with pytest.raises(ToolError) as raised:
            await TavilySearch(lambda: KEY, base_url="http://127.0.0.1:9", timeout_s=2).search("ice")
        assert raised.value.retryable


async def test_a_page_may_be_markdown_html_or_text(tmp_path: Path) -> None:
    """Each with its title: of its own head, its heading, its `<title>`, or its file name; addresses likewise."""
    write(tmp_path, "a.md", "---\ntitle: 'Quoted'\ndate: 2026-05-01\nurl: https://x.example/a\n---\nalpha")
    write(tmp_path, "deep/b.md", "# Headed #\n\nbeta")
    write(tmp_path, "c.html", "<title>Marked</title><p>gamma<script>hidden</script>")
    write(tmp_path, "d.txt", "delta")
    write(tmp_path, "e.pdf", "epsilon")
    write(tmp_path, ".hidden.md", "zeta")
    corpus = corpus_of(tmp_path)
    hits = {hit.url: hit for hit in await corpus.search("alpha beta gamma delta epsilon zeta hidden")}
    assert {url: hit.title for url, hit in hits.items()} == {
        "https://x.example/a": "Quoted",
        "corpus:deep/b.md": "Headed",
        "corpus:c.html": "Marked",
        "corpus:d.txt": "d",
    }
    assert hits["https://x.example/a"].published == "2026-05-01"
    page = await corpus.page("https://x.example/a#part")
    assert page is not None
    assert page.text == "alpha"


async def test_a_change_of_the_folder_is_found(tmp_path: Path) -> None:
    """A page that is new, changed or gone, at the next look, which is after a second."""
    clock = FakeClock()
    write(tmp_path, "a.md", "apple")
    gone = write(tmp_path, "b.md", "banana")
    corpus = corpus_of(tmp_path, clock)
    assert await corpus.search("apple")
    write(tmp_path, "a.md", "apricot")
    write(tmp_path, "c.md", "cherry")
    gone.unlink()
    assert await corpus.search("apple")
    clock.advance(1.5)
    assert [len(await corpus.search(word)) for word in ("apple", "apricot", "banana", "cherry")] == [
        0,
        1,
        0,
        1,
    ]
    assert await corpus.page("corpus:b.md") is None


async def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    """Links are not followed, and no address names a file."""
    (tmp_path / "secret.md").write_text("secret words")
    folder = tmp_path / "pages"
    write(folder, "a.md", "apple")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / "up").symlink_to(tmp_path)
    corpus = corpus_of(folder)
    assert await corpus.search("secret") == []
    for url in (
        "corpus:link.md",
        "corpus:../secret.md",
        f"file://{tmp_path}/secret.md",
        "corpus:up/secret.md",
    ):
        assert await corpus.page(url) is None


async def test_bytes_that_are_no_text_harm_nobody(tmp_path: Path) -> None:
    """Broken encodings, nulls and a head that never ends."""
    (tmp_path / "a.md").write_bytes(b"---\ntitle: x\n" + b"\xff\xfe\x00" * 1000)
    (tmp_path / "b.txt").write_bytes(b"app\x00le \xc3\x28 pear")
    (tmp_path / "c.txt").write_bytes("grüße".encode("utf-16"))
    corpus = corpus_of(tmp_path)
    assert [hit.url for hit in await corpus.search("pear")] == ["corpus:b.txt"]
    assert [hit.url for hit in await corpus.search("grusse gruße")] == ["corpus:c.txt"]


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With the setting that names it."""
    with pytest.raises(ConfigError, match=r"no folder of pages") as raised:
        await corpus_of(tmp_path / "nowhere").search("ice")
    assert raised.value.code == "E926"
    assert "web.corpus" in raised.value.help


async def test_the_corpus_that_ships_answers_its_topics() -> None:
    """Over questions with a known page: nearly always among the first five, and mostly the first."""
    corpus = corpus_of(CORPUS)
    ranks = []
    for question, slug in QUESTIONS.items():
        urls = [hit.url.rpartition("/")[2] for hit in await corpus.search(question)]
        ranks.append(1 / (urls.index(slug) + 1) if slug in urls else 0.0)
    assert sum(ranks) / len(ranks) > 0.85
    assert ranks.count(0.0) <= 1


async def test_every_page_that_ships_is_whole() -> None:
    """A title, a date, an address under corpus.remit.example, and text that is found by its title."""
    corpus = corpus_of(CORPUS)
    files = sorted(CORPUS.glob("*.md"))
    assert len(files) >= 40
    for file in files:
        url = f"https://corpus.remit.example/{file.stem}"
        page = await corpus.page(url)
        assert page is not None, file.name
        assert len(page.text) > 300
        hits = [hit for hit in await corpus.search(page.title, limit=3) if hit.url == url]
        assert hits, file.name
        assert len(hits[0].published) == len("2026-01-01")
