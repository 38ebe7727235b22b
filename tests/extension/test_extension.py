"""What somebody else's distribution adds, built and installed as any: a model provider, a store, a store of vectors and a pack."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from remit import Message, ModelRequest, Text
from remit.adapters.secrets.mapping import MappingSecrets
from remit.bootstrap.adapters import open_models, open_store
from remit.bootstrap.documents import open_embeddings, open_indexes
from remit.bootstrap.extensions import extensions, names
from remit.bootstrap.packs import load_pack
from remit.core.errors import ConfigError
from remit.ports.store import Store
from remit.ports.vectors import Vectors
from remit.settings import DocumentSettings, Settings
from remit.testing import FakeClock
from remit.testing.contracts.store import StoreContract
from remit.testing.contracts.vectors import VectorsContract

SECRET = "acme-key-31337"
SECRETS = MappingSecrets({"acme_key": SECRET})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the distribution's wheel is installed into."""
    made, site = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("site")
    source = Path(__file__).with_name("acme")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)]
    subprocess.run(build, cwd=source, check=True, capture_output=True, timeout=60)
    (wheel,) = made.glob("acme_remit-1.2.0-*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(site)
    return site


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The distribution is on the path of this process."""
    monkeypatch.syspath_prepend(site)
    yield site
    for name in [name for name in sys.modules if name.split(".")[0] == "acme_remit"]:
        del sys.modules[name]


def settings(home: Path, **fields: object) -> Settings:
    """Settings of a fresh installation."""
    return Settings(**{"home": home, "store": "memory:", **fields})  # type: ignore[arg-type]


def remit(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process that finds the distribution."""
    env = {
        **os.environ,
        "PYTHONPATH": str(site),
        "REMIT_SECRET_ACME_KEY": SECRET,
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
    command = [Path(sys.executable).with_name("remit"), *arguments]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
def test_an_agent_runs_on_all_of_them_in_a_process(site: Path, tmp_path: Path) -> None:
    """Named in `remit.toml` and nowhere else: the run is answered by the provider, and kept in the store."""
    (tmp_path / "remit.toml").write_text(
        """
        store = "acme:kept"
        packs = ["acme"]
        [models.default]
        provider = "acme"
        model = "acme-1"
        [documents]
        vectors = "acme:"
        [extensions.acme]
        greeting = "you said"
        """
    )
    done = remit(site, tmp_path, "run", "acme-clerk", "good morning", "--json")
    assert done.returncode == 0, done.stderr
    assert "you said: good morning (acme-1, key of 14 letters)" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert list(tmp_path.rglob("acme.db")), "the run is not in the store that was named"
    doctor = remit(site, tmp_path, "doctor")
    lines = doctor.stdout.splitlines()
    (used,) = [line for line in lines if "model provider acme " in line]
    assert "`acme-remit` 1.2.0, used" in used
    assert any("store of vectors acme" in line and ", used" in line for line in lines)
    assert any("pack acme" in line and ", used" in line for line in lines)


class TestItsStore(StoreContract):
    """The store keeps the contract that ships with Remit."""

    @pytest_asyncio.fixture
    async def store(self, installed: Path, tmp_path: Path) -> AsyncIterator[Store]:
        del installed
        store = open_store(settings(tmp_path, store="acme:kept"), self.clock, SECRETS)
        assert type(store).__module__ == "acme_remit.store"
        await store.open()
        yield store
        await store.close()


class TestItsVectors(VectorsContract):
    """So does the store of vectors."""

    @pytest.fixture
    def open_vectors(self, installed: Path, tmp_path: Path) -> Callable[[], Vectors]:
        del installed
        chosen = settings(tmp_path, documents=DocumentSettings(vectors="acme:"))
        return lambda: open_indexes(chosen, open_embeddings(chosen, SECRETS), FakeClock(), SECRETS).vectors


def test_nothing_is_imported_until_it_is_named(installed: Path, tmp_path: Path) -> None:
    """Neither by looking what there is, nor by opening what is Remit's own."""
    del installed
    assert "acme" in names("remit.models")
    open_models(settings(tmp_path), [], FakeClock(), SECRETS, {}, {})
    found = list(extensions(settings(tmp_path)))
    assert {f.check for f in found if f.verdict == "ok"} >= {"model provider acme", "store acme", "pack acme"}
    assert not [name for name in sys.modules if name.startswith("acme_remit")]


def test_a_name_of_remit_s_own_stays_remit_s(installed: Path, tmp_path: Path) -> None:
    """An entry `anthropic` replaces nothing, and the examination says so."""
    del installed
    access = open_models(settings(tmp_path, model="anthropic:m"), [], FakeClock(), SECRETS, {}, {})
    assert access.knows("default")
    (found,) = [f for f in extensions(settings(tmp_path)) if f.check == "model provider anthropic"]
    assert (found.verdict, "Remit's own" in found.result) == ("note", True)


async def refused(provider: str, home: Path) -> ConfigError:
    """What a provider that does not work is refused with."""

    async def ask() -> object:
        access = open_models(settings(home, model=f"{provider}:m"), [], FakeClock(), SECRETS, {}, {})
        return await access.ask("default", ModelRequest("", (Message("user", (Text("hi"),)),)))

    with pytest.raises(ConfigError) as raised:
        await ask()
    return raised.value


@pytest.mark.parametrize(
    ("provider", "code", "said"),
    [
        ("acme-broken", "E1160", "No module named 'acme_remit.no_such_module'"),
        ("acme-unfit", "E1162", "`acme_remit.model:NAME` cannot be called"),
        ("acme-empty", "E1162", "has no `ask`, `close`, `provider`"),
        ("acme-telling", "E1160", "is not accepted"),
        ("acme-nobody", "E211", "which is not there"),
    ],
)
async def test_an_entry_that_does_not_work_is_named_with_its_distribution(
    installed: Path, tmp_path: Path, provider: str, code: str, said: str
) -> None:
    """By a stable code; and no secret is in what is said."""
    del installed
    error = await refused(provider, tmp_path)
    assert (error.code, said in error.message) == (code, True), error.message
    assert code == "E211" or "`acme-remit` 1.2.0" in error.message
    assert SECRET not in f"{error.message} {error.help} {error.__cause__}"


async def test_two_distributions_of_one_name_are_refused(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are named, whichever comes first on the path; for a provider, a store and a pack."""
    del installed
    other = tmp_path / "site" / "other_acme-0.3.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other-acme\nVersion: 0.3\n")
    groups = [f"[remit.{group}]\nacme = nowhere:open\n" for group in ("models", "stores", "packs")]
    (other / "entry_points.txt").write_text("".join(groups))
    monkeypatch.syspath_prepend(other.parent)
    errors = [await refused("acme", tmp_path)]
    with pytest.raises(ConfigError) as raised:
        open_store(settings(tmp_path, store="acme:kept"), FakeClock(), SECRETS)
    errors.append(raised.value)
    with pytest.raises(ConfigError) as raised:
        load_pack("acme", tmp_path)
    errors.append(raised.value)
    for error in errors:
        assert error.code == "E1161"
        assert "`acme-remit` 1.2.0" in error.message
        assert "`other-acme` 0.3" in error.message
