"""What every model of embeddings keeps. Subclass `EmbeddingsContract`, give it the fixture `embeddings`."""

from __future__ import annotations

import math

import pytest

from remit.ports.embeddings import Embeddings

TEXTS = [
    "The kettle switches off before the water boils.",
    "Refunds are paid within 14 days.",
    "water kettle",
]
ODD = ["", " ", "\n\t", "?!", "水は沸いた", "🙂", "word " * 3000, "x" * 20_000, "nul\x00inside"]


class EmbeddingsContract:
    """The contract of `ports.embeddings.Embeddings`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def embeddings(self) -> Embeddings:
        """The model."""
        raise NotImplementedError("override the fixture `embeddings`")

    async def test_vectors_are_of_unit_length_and_of_one_size(self, embeddings: Embeddings) -> None:
        """One for each text, whatever it is, for documents as for queries."""
        vectors = await embeddings.embed([*TEXTS, *ODD], "document")
        vectors += await embeddings.embed(TEXTS, "query")
        assert len(vectors) == len(TEXTS) * 2 + len(ODD)
        assert len({len(vector) for vector in vectors}) == 1
        for vector in vectors:
            assert math.hypot(*vector) == pytest.approx(1, abs=1e-3)

    async def test_vectors_come_in_order(self, embeddings: Embeddings) -> None:
        """A text has the same vector alone and among others."""
        together = await embeddings.embed(TEXTS, "document")
        for text, vector in zip(TEXTS, together, strict=True):
            (alone,) = await embeddings.embed([text], "document")
            assert alone == pytest.approx(vector, abs=1e-4)

    async def test_a_full_batch_is_taken(self, embeddings: Embeddings) -> None:
        """As many texts as `batch` says; none make no vector."""
        texts = [f"{TEXTS[n % 3]} {n}" for n in range(embeddings.batch)]
        assert len(await embeddings.embed(texts, "document")) == embeddings.batch
        assert await embeddings.embed([], "document") == []

    async def test_the_name_says_which_model(self, embeddings: Embeddings) -> None:
        """`provider:model`, so that an index knows whose vectors it holds."""
        provider, _, model = embeddings.name.partition(":")
        assert provider
        assert model
