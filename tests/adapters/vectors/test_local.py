"""Vectors in files, by NumPy and by a graph."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from remit.adapters.vectors import matrix
from remit.adapters.vectors.local import LocalVectors
from remit.adapters.vectors.matrix import Matrix
from remit.core.errors import StoreError
from remit.ports.vectors import Vector, Vectors
from remit.testing.contracts.vectors import VectorsContract, anywhere, cosine, unit

IDS = [f"v{n}" for n in range(8)]


class TestLocalVectors(VectorsContract):
    """The contract, by looking at every vector."""

    @pytest.fixture
    def open_vectors(self, tmp_path: Path) -> Callable[[], Vectors]:
        return lambda: LocalVectors(tmp_path / "vectors")


class TestCompactedVectors(VectorsContract):
    """The contract, when a file is rewritten as soon as half of it is dead."""

    @pytest.fixture
    def open_vectors(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Vectors]:
        monkeypatch.setattr(matrix, "FEWEST_DEAD", 1)
        return lambda: LocalVectors(tmp_path / "vectors")


class TestUsearchVectors(VectorsContract):
    """The contract, by a graph from the first vector on."""

    @pytest.fixture
    def open_vectors(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Vectors]:
        usearch = pytest.importorskip("remit.adapters.vectors.usearch")
        monkeypatch.setattr(usearch, "FEWEST", 1)
        monkeypatch.setattr(matrix, "FEWEST_DEAD", 4)
        return lambda: usearch.UsearchVectors(tmp_path / "vectors")


def test_a_graph_finds_almost_what_looking_at_all_finds(tmp_path: Path) -> None:
    """Nineteen of twenty neighbours, in 12,000 vectors of which some were replaced; saved, and found again by the next process."""
    usearch = pytest.importorskip("remit.adapters.vectors.usearch")
    made = np.random.default_rng(7).normal(size=(12_000, 32)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    first = usearch.Graph(tmp_path)
    first.put([Vector(f"v{n}", row) for n, row in enumerate(made)])
    first.put([Vector(f"v{n}", made[n]) for n in range(50)])
    queries = np.random.default_rng(8).normal(size=(30, 32)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    exact = [[f"v{n}" for n in np.argsort(-(made @ query))[:20]] for query in queries]
    first.close()
    assert list(tmp_path.glob("graph-*.usearch"))
    again = usearch.Graph(tmp_path)
    found = [[near.id for near in again.near(query.tolist(), 20)] for query in queries]
    right = sum(len(set(a) & set(b)) for a, b in zip(found, exact, strict=True))
    assert right >= 0.95 * 20 * len(queries)
    again.close()


def test_a_damaged_graph_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vectors are the truth, and the graph only a way to them."""
    usearch = pytest.importorskip("remit.adapters.vectors.usearch")
    monkeypatch.setattr(usearch, "FEWEST", 10)
    first = usearch.Graph(tmp_path)
    first.put([Vector(f"v{n}", anywhere(n)) for n in range(100)])
    first.close()
    (file,) = tmp_path.glob("graph-*.usearch")
    for damage in (b"", b"\x00" * 50, file.read_bytes()[: file.stat().st_size // 2]):
        file.write_bytes(damage)
        again = usearch.Graph(tmp_path)
        assert again.near(anywhere(5), 1)[0].id == "v5"
        again.close()


CRASHING = """
import os, sys
from pathlib import Path
import numpy as np
from remit.adapters.vectors import matrix
from remit.ports.vectors import Vector
from remit.testing.contracts.vectors import anywhere
made = matrix.Matrix(Path(sys.argv[1]))
made.put([Vector("a", anywhere(1))])
written = made._write
def dying(*given):
    written(*given)
    os._exit(9)
made._write = dying
made.put([Vector("a", anywhere(2)), Vector("b", anywhere(3))])
"""


def test_a_write_that_was_cut_off_is_not_there(tmp_path: Path) -> None:
    """Numbers whose places were not committed are nobody's, and the next write goes over them."""
    done = subprocess.run([sys.executable, "-c", CRASHING, str(tmp_path)], check=False)
    assert done.returncode == 9
    again = Matrix(tmp_path)
    assert [near.id for near in again.near(anywhere(1), 5)] == ["a"]
    again.put([Vector("c", anywhere(4))])
    assert again.near(anywhere(4), 5)[0].id == "c"
    again.close()


def test_files_that_are_gone_are_told(tmp_path: Path) -> None:
    """E936 with what to do, not an answer out of nothing."""
    first = Matrix(tmp_path)
    first.put([Vector("a", anywhere(1))])
    first.close()
    for file in tmp_path.glob("*.f32"):
        file.unlink()
    again = Matrix(tmp_path)
    with pytest.raises(StoreError, match="lack a file"):
        again.near(anywhere(1), 1)
    again.close()


async def test_a_store_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """E936, whatever the disk said."""
    store = LocalVectors(tmp_path)
    await store.put("c", [Vector("a", unit(1, 0))])
    await store.close()
    (database,) = tmp_path.rglob("vectors.db")
    for file in database.parent.iterdir():
        file.unlink()
    database.write_bytes(b"this is no database, and never was one" * 100)
    with pytest.raises(StoreError) as raised:
        await LocalVectors(tmp_path).near("c", unit(1, 0))
    assert raised.value.code == "E936"


class Against(RuleBasedStateMachine):
    """Two processes and a dictionary: whatever is put, deleted, dropped or rewritten, all three say the same."""

    @initialize(fewest=st.sampled_from([1, 3, 1000]))
    def begin(self, fewest: int) -> None:
        """A folder of its own."""
        import tempfile

        matrix.FEWEST_DEAD = fewest
        self.folder = tempfile.TemporaryDirectory()
        self.doors = [Matrix(Path(self.folder.name)) for _ in range(2)]
        self.model: dict[str, list[float]] = {}

    @rule(door=st.integers(0, 1), ids=st.lists(st.sampled_from(IDS), min_size=1), seed=st.integers(0, 50))
    def put(self, door: int, ids: list[str], seed: int) -> None:
        """Write some."""
        vectors = [Vector(name, anywhere(seed + n, 4)) for n, name in enumerate(ids)]
        self.doors[door].put(vectors)
        self.model.update((vector.id, list(vector.values)) for vector in vectors)

    @rule(door=st.integers(0, 1), ids=st.lists(st.sampled_from(IDS)))
    def delete(self, door: int, ids: list[str]) -> None:
        """Delete some."""
        self.doors[door].delete(ids)
        for name in ids:
            self.model.pop(name, None)

    @rule(door=st.integers(0, 1))
    def drop(self, door: int) -> None:
        """Delete all."""
        self.doors[door].drop()
        self.model.clear()

    @rule(door=st.integers(0, 1))
    def again(self, door: int) -> None:
        """A process ends and another begins."""
        self.doors[door].close()
        self.doors[door] = Matrix(Path(self.folder.name))

    @invariant()
    def all_say_the_same(self) -> None:
        """Ids and scores."""
        query = anywhere(77, 4)
        expected = {name: cosine(values, query) for name, values in self.model.items()}
        for door in self.doors:
            found = {near.id: near.score for near in door.near(query, 100)}
            assert found == pytest.approx(expected, abs=1e-5)

    def teardown(self) -> None:
        """Close and remove."""
        matrix.FEWEST_DEAD = 1024
        for door in self.doors:
            door.close()
        self.folder.cleanup()


TestAgainst = Against.TestCase
TestAgainst.settings = hypothesis_settings(max_examples=25, stateful_step_count=20, deadline=None)
