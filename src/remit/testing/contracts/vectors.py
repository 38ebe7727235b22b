"""What every store of vectors keeps. Subclass `VectorsContract`, give it the fixture `open_vectors`."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import pytest_asyncio

from remit.core.errors import InputError
from remit.ports.vectors import Vector, Vectors


def unit(*values: float) -> list[float]:
    """The values as a vector of unit length."""
    length = math.hypot(*values)
    return [value / length for value in values]


def anywhere(seed: int, dimensions: int = 16) -> list[float]:
    """A vector in a direction of its own."""
    chance = random.Random(seed)
    return unit(*(chance.gauss(0, 1) for _ in range(dimensions)))


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between unit vectors."""
    return sum(a * b for a, b in zip(one, other, strict=True))


class VectorsContract:
    """The contract of `ports.vectors.Vectors`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def open_vectors(self) -> Callable[[], Vectors]:
        """Opens one and the same store, empty at first, as another process would."""
        raise NotImplementedError("override the fixture `open_vectors`")

    @pytest_asyncio.fixture
    async def vectors(self, open_vectors: Callable[[], Vectors]) -> AsyncIterator[Vectors]:
        """The store."""
        opened = open_vectors()
        yield opened
        await opened.close()

    async def test_the_nearest_come_first_with_their_cosine(self, vectors: Vectors) -> None:
        """Every score is the cosine, to float32, and the order is theirs."""
        known = {f"v{n}": anywhere(n) for n in range(200)}
        await vectors.put("c", [Vector(name, values) for name, values in known.items()])
        query = anywhere(1000)
        exact = sorted(known, key=lambda name: -cosine(known[name], query))
        found = await vectors.near("c", query, limit=10)
        assert [near.id for near in found] == exact[:10]
        for near in found:
            assert near.score == pytest.approx(cosine(known[near.id], query), abs=1e-5)

    async def test_a_vector_is_nearest_to_itself(self, vectors: Vectors) -> None:
        """With a score of 1."""
        await vectors.put("c", [Vector(f"v{n}", anywhere(n)) for n in range(20)])
        (found,) = await vectors.near("c", anywhere(7), limit=1)
        assert (found.id, round(found.score, 5)) == ("v7", 1.0)

    async def test_what_is_put_again_is_replaced(self, vectors: Vectors) -> None:
        """Its old place is found no more, also within one call, where the last of an id counts."""
        await vectors.put("c", [Vector("a", unit(1, 0)), Vector("b", unit(0, 1))])
        await vectors.put("c", [Vector("a", unit(1, 1)), Vector("a", unit(-1, 0))])
        found = await vectors.near("c", unit(1, 0), limit=5)
        assert [(near.id, round(near.score, 5)) for near in found] == [("b", 0.0), ("a", -1.0)]

    async def test_what_is_deleted_is_not_found(self, vectors: Vectors) -> None:
        """Deleting what is not there, or from no collection, is no error; deleted ids may come back."""
        await vectors.put("c", [Vector("a", unit(1, 0)), Vector("b", unit(0, 1))])
        await vectors.delete("c", ["a", "nobody"])
        await vectors.delete("nowhere", ["a"])
        assert [near.id for near in await vectors.near("c", unit(1, 0))] == ["b"]
        await vectors.delete("c", ["b"])
        assert await vectors.near("c", unit(1, 0)) == []
        await vectors.put("c", [Vector("a", unit(1, 0))])
        assert [near.id for near in await vectors.near("c", unit(1, 0))] == ["a"]

    @pytest.mark.parametrize("name", ["other", "C", "c ", "c/../d", "ć", "x" * 300, ""])
    async def test_collections_know_nothing_of_each_other(self, vectors: Vectors, name: str) -> None:
        """Whatever their names are: ids, vectors and deletions of one are nothing to another."""
        await vectors.put("c", [Vector("a", unit(1, 0))])
        assert await vectors.near(name, unit(1, 0)) == []
        await vectors.put(name, [Vector("a", unit(0, 0, 1)), Vector("z", unit(1, 0, 0))])
        await vectors.delete(name, ["a"])
        assert [near.id for near in await vectors.near("c", unit(1, 0))] == ["a"]
        await vectors.drop(name)
        assert [near.id for near in await vectors.near("c", unit(1, 0))] == ["a"]

    @pytest.mark.parametrize(
        "values", [[1.0], [1.0, 0.0, 0.0], [], [0.0, 0.0], [3.0, 4.0], [math.nan, 0.0], [math.inf, 0.0]],
        ids=["shorter", "longer", "empty", "zero", "not of length 1", "nan", "infinite"],
    )  # fmt: skip
    async def test_a_vector_that_does_not_fit_is_refused(self, vectors: Vectors, values: list[float]) -> None:
        """E931, of a put as of a query; nothing of that put was written."""
        await vectors.put("c", [Vector("a", unit(1, 0))])
        with pytest.raises(InputError) as raised:
            await vectors.put("c", [Vector("b", unit(0, 1)), Vector("bad", values)])
        assert raised.value.code == "E931"
        with pytest.raises(InputError):
            await vectors.near("c", values)
        assert [near.id for near in await vectors.near("c", unit(0, 1))] == ["a"]

    async def test_a_dropped_collection_starts_anew(self, vectors: Vectors) -> None:
        """Its vectors are gone, and vectors of another length may come."""
        await vectors.put("c", [Vector("a", unit(1, 0))])
        await vectors.drop("c")
        await vectors.drop("c")
        assert await vectors.near("c", unit(1, 0)) == []
        await vectors.put("c", [Vector("a", unit(1, 0, 0))])
        assert [near.id for near in await vectors.near("c", unit(1, 0, 0))] == ["a"]

    async def test_limits_are_kept(self, vectors: Vectors) -> None:
        """Never more than asked, all there is when more is asked, none for none."""
        await vectors.put("c", [Vector(f"v{n:03}", anywhere(n)) for n in range(30)])
        for limit, count in ((0, 0), (1, 1), (29, 29), (30, 30), (1000, 30)):
            assert len(await vectors.near("c", anywhere(99), limit=limit)) == count

    async def test_what_one_process_writes_another_sees(
        self, vectors: Vectors, open_vectors: Callable[[], Vectors]
    ) -> None:
        """At once, whether it opened the store before or after; deletions and drops too."""
        other = open_vectors()
        try:
            await vectors.put("c", [Vector("a", unit(1, 0))])
            assert [near.id for near in await other.near("c", unit(1, 0))] == ["a"]
            await other.put("c", [Vector("b", unit(0, 1))])
            assert [near.id for near in await vectors.near("c", unit(0, 1))] == ["b", "a"]
            await vectors.delete("c", ["a"])
            assert [near.id for near in await other.near("c", unit(0, 1))] == ["b"]
            await other.drop("c")
            assert await vectors.near("c", unit(0, 1)) == []
        finally:
            await other.close()

    async def test_writers_do_not_disturb_each_other(
        self, vectors: Vectors, open_vectors: Callable[[], Vectors]
    ) -> None:
        """Many writes at once through two doors, the first of a collection among them: all are there."""
        other = open_vectors()
        try:
            await asyncio.gather(
                *((vectors, other)[n % 2].put("c", [Vector(f"v{n}", anywhere(n))]) for n in range(20))
            )
            found = {near.id for near in await vectors.near("c", anywhere(0), limit=100)}
            assert found == {f"v{n}" for n in range(20)}
        finally:
            await other.close()

    async def test_what_was_written_outlives_its_writer(self, open_vectors: Callable[[], Vectors]) -> None:
        """Closed and opened again, everything is there."""
        first = open_vectors()
        await first.put("c", [Vector(f"v{n}", anywhere(n)) for n in range(10)])
        await first.delete("c", ["v3"])
        await first.close()
        again = open_vectors()
        try:
            found = {near.id for near in await again.near("c", anywhere(0), limit=100)}
        finally:
            await again.close()
        assert found == {f"v{n}" for n in range(10) if n != 3}
