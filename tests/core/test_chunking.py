"""Where texts are cut, how rankings are fused, and what a citation names."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.chunking import spans
from remit.core.citation import Citation, parse
from remit.core.errors import InputError
from remit.core.ranking import fuse
from remit.core.words import telling

PIECES = st.sampled_from(
    [
        "word ",
        "Sentence ends. ",
        "\n\n",
        "\n",
        "# Heading\n",
        "## Sub\n",
        "```\n",
        "x" * 70,
        "，水は沸いた。",
        " ",
        "\t",
        "\r\n",
        "é̂",
    ]
)
TEXTS = st.one_of(st.text(max_size=600), st.lists(PIECES, max_size=120).map("".join))


@given(TEXTS, st.integers(4, 200), st.data())
def test_every_character_is_in_a_span_and_every_span_is_exact(
    text: str, size: int, data: st.DataObject
) -> None:
    """Spans are in order, none is empty, too long or begins or ends with white space, and together they leave nothing out."""
    overlap = data.draw(st.integers(0, (size - 1) // 2))
    found = spans(text, size=size, overlap=overlap)
    covered: set[int] = set()
    for before, after in itertools.pairwise(found):
        assert before.start < after.start
        assert before.end < after.end
    for span in found:
        piece = text[span.start : span.end]
        assert 0 < len(piece) <= size
        assert piece == piece.strip()
        covered.update(range(span.start, span.end))
    assert not "".join(c for n, c in enumerate(text) if n not in covered).strip()


def test_cuts_are_where_a_reader_would_make_them() -> None:
    """At headings first, then between paragraphs, then behind sentences; never within a word that fits."""
    text = "# One\n\n" + "First sentence here. " * 20 + "\n\n# Two\n\n" + "Second part goes on. " * 20
    found = spans(text, size=300, overlap=60)
    assert any(text[span.start :].startswith("# Two") for span in found)
    assert all(text[span.end - 1] == "." for span in found)
    assert {span.heading for span in found} == {"One", "Two"}


def test_neighbours_share_whole_sentences() -> None:
    """The overlap begins where a sentence begins."""
    text = " ".join(f"Sentence number {n} is here." for n in range(40))
    found = spans(text, size=200, overlap=60)
    assert all(text[span.start :].startswith("Sentence") for span in found)
    assert all(after.start < before.end for before, after in itertools.pairwise(found))


def test_headings_make_a_path_and_fenced_ones_are_none() -> None:
    """A span knows what it stands under."""
    text = "# A\n" + "x " * 60 + "\n## B\n```\n# no heading\n```\n" + "y " * 60 + "\n# C\n" + "z " * 60
    assert [span.heading for span in spans(text, size=200, overlap=20)] == ["A", "A > B", "C"]


def test_small_sections_stay_together() -> None:
    """A page of short answers is not cut into crumbs."""
    text = "\n".join(f"## Question {n}\nAnswer {n}.\n" for n in range(6))
    assert len(spans(text)) == 1


def test_a_long_text_is_cut_in_time() -> None:
    """Three hundred thousand characters, with and without a place to cut at."""
    for text in ("x" * 300_000, "word " * 60_000, "# h\n" * 75_000, "\n" * 300_000):
        spans(text)


@given(st.lists(st.lists(st.sampled_from("abcdef"), unique=True), max_size=3))
def test_fusing_takes_what_any_ranking_has(rankings: list[list[str]]) -> None:
    """Once each; what is first everywhere is first."""
    fused = fuse(*rankings)
    assert {name for name, _ in fused} == {name for ranking in rankings for name in ranking}
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)
    if rankings and all(rankings) and len({ranking[0] for ranking in rankings}) == 1:
        assert fused[0][0] == rankings[0][0]


def test_reciprocal_ranks_with_k_60() -> None:
    """1 / (60 + rank), as published."""
    assert fuse(["a", "b"], ["b"]) == [("b", 1 / 62 + 1 / 61), ("a", 1 / 61)]


@given(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True),
    st.integers(0, 10**9),
    st.integers(0, 10**6),
)
def test_a_citation_reads_as_it_was_written(document_id: str, start: int, length: int) -> None:
    """Both ways."""
    made = Citation(document_id, start, start + length)
    assert parse(str(made)) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "doc:a",
        "doc:a#1",
        "doc:a#2-1",
        "doc:a#-1-2",
        "doc:../a#1-2",
        "doc:a#1-2 ",
        "doc:a#1-2\n",
        "DOC:a#1-2",
    ],
)
def test_what_is_no_citation_is_refused(text: str) -> None:
    """E934."""
    with pytest.raises(InputError) as raised:
        parse(text)
    assert raised.value.code == "E934"


def test_common_words_do_not_count_where_there_are_others() -> None:
    """They do where there is nothing else."""
    assert telling("What is the Kettle's problem, the kettle?") == ["kettle", "s", "problem"]
    assert telling("who is it") == ["who", "is", "it"]
    assert telling("?!") == []
