"""Who may know whom: rings by import-linter, and for each ring the list of what it may import at all."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import remit
from remit import sdk, workflow
from remit.core.errors import ConfigError
from remit.settings import FileSettings, Settings

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "remit"
PACKS = ROOT / "packs" / "remit_packs"
PURE = frozenset(
    """__future__ base64 binascii bisect collections contextlib dataclasses datetime decimal difflib enum functools hashlib
    hmac html inspect ipaddress itertools json math re string sys textwrap threading tomllib types typing unicodedata urllib zlib zoneinfo""".split()  # noqa: SIM905
)
STDLIB = frozenset(sys.stdlib_module_names)
ALLOWED = {
    # An allow-list: a deny-list forgets tomorrow's vendor.
    "core": PURE
    # Pure libraries: cron fields to times, and the two query languages of workflows.
    | {"msgspec", "cronsim", "jsonpath", "jsonata"},
    "ports": PURE | {"msgspec"},
    "engine": STDLIB | {"msgspec", "jsonschema_rs"},
    "sdk.py": STDLIB | {"msgspec"},
    "workflow": STDLIB | {"msgspec", "yaml"},
    "frameworks": STDLIB | {"msgspec", "langchain_core", "langgraph", "crewai", "strands", "agent_framework"},
    "settings.py": STDLIB | {"msgspec"},
    "bootstrap": STDLIB,
    "server": STDLIB | {"msgspec", "fastapi", "starlette", "uvicorn", "mcp", "mcp_types"},
    "cli": STDLIB
    | {"msgspec", "typer", "click", "rich", "httpx", "uvicorn", "yaml", "remit_packs", "remit_deploy"},
    "functions": STDLIB | {"msgspec"},
    "testing": STDLIB | {"msgspec", "pytest", "pytest_asyncio", "hypothesis"},
}
VENDORS = {
    "model": {"anthropic", "boto3", "botocore", "httpx", "msgspec"},
    "policy": {"cedarpy", "msgspec"},
    "guardrail": {"msgspec"},
    "identity": {"httpx", "jwt", "msgspec"},
    "store": {"psycopg", "psycopg_pool", "redis", "boto3", "botocore", "msgspec"},
    "signing": {"cryptography", "msgspec"},
    "telemetry": {"opentelemetry", "msgspec"},
    "blobs": {"boto3", "botocore", "msgspec"},
    "sandbox": {"pydantic_monty", "httpx", "msgspec"},
    "secrets": {"boto3", "botocore", "msgspec"},
    "connections": {"cryptography", "msgspec"},
    "notify": {"httpx", "msgspec"},
    "web": {"httpx", "idna", "msgspec"},
    "objects": {"boto3", "botocore", "duckdb", "msgspec", "zstandard"},
    "services": {"boto3", "botocore", "msgspec"},
    "clock": set(),
    "database": {"psycopg", "psycopg_pool"},
    "embeddings": {"httpx", "msgspec", "numpy"},
    "extraction": {"pypdf", "selectolax"},
    "fulltext": {"psycopg"},
    "vectors": {"numpy", "psycopg", "usearch"},
    "aws": {"boto3", "botocore"},
    "archive": {"botocore", "msgspec"},
    "bus": {"aiokafka", "botocore", "msgspec"},
    "driving": {"botocore", "msgspec"},
    "machines": {"botocore", "msgspec"},
    "mcp": {"mcp", "mcp_types", "anyio", "httpx2", "pydantic", "msgspec"},
}


def python_files(where: Path) -> list[Path]:
    """The Python files at or below a path."""
    return [where] if where.is_file() else sorted(where.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Modules that a file imports, wherever in it, with their lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module, node.lineno


def strangers(where: Path, allowed: frozenset[str] | set[str]) -> list[str]:
    """Imports that are not allowed, as `file:line module`."""
    return [
        f"{path.relative_to(ROOT)}:{line} {module}"
        for path in python_files(where)
        for module, line in imports(path)
        if module.split(".")[0] not in allowed
    ]


def test_the_rings_hold() -> None:
    """Every contract of import-linter in pyproject.toml is kept."""
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("ring", ALLOWED)
def test_a_ring_imports_only_what_is_listed(ring: str) -> None:
    """Beyond Remit itself: core and ports only msgspec and pure modules of the standard library, and so on."""
    assert strangers(SRC / ring, ALLOWED[ring] | {"remit"}) == []


@pytest.mark.parametrize(
    "port", [p.name for p in sorted((SRC / "adapters").iterdir()) if p.is_dir() and p.name[0] != "_"]
)
def test_a_vendor_lives_in_the_adapters_of_its_port(port: str) -> None:
    """A vendor's package is imported in its own port's adapters only."""
    assert strangers(SRC / "adapters" / port, STDLIB | VENDORS[port] | {"remit"}) == []


def test_every_ring_and_every_port_is_listed() -> None:
    """A new ring or kind of adapter does not slip past the lists above."""
    rings = {p.name for p in SRC.iterdir() if p.name[0] not in "_."} - {
        "adapters",
        "console",
        "data",
        "py.typed",
    }
    assert rings <= set(ALLOWED)
    assert {p.name for p in (SRC / "adapters").iterdir() if p.is_dir() and p.name[0] != "_"} <= set(VENDORS)


def test_a_pack_sees_only_the_sdk() -> None:
    """Packs import `remit` or `remit.sdk`, and nothing else of Remit."""
    seen = {
        f"{path.relative_to(ROOT)}:{line} {module}"
        for path in python_files(PACKS)
        for module, line in imports(path)
        if module.split(".")[0] == "remit" and module not in ("remit", "remit.sdk")
    }
    assert seen == set()


def test_only_settings_reads_the_environment() -> None:
    """`os.environ`, `os.getenv` and the like occur in settings.py only."""
    readers = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in [*python_files(SRC), *python_files(PACKS)]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "environb", "getenv", "getenvb", "putenv")
        if path != SRC / "settings.py"
    ]
    assert readers == []


def test_only_the_clock_adapter_tells_the_time() -> None:
    """In core, ports and engine nobody asks for the time, sleeps or rolls dice: the clock port does."""
    direct = re.compile(
        r"\btime\.(time|monotonic|sleep|time_ns)\(|\brandom\.\w+\(|asyncio\.sleep\(|datetime\.now|uuid4"
    )
    found = [
        f"{path.relative_to(ROOT)}:{n}"
        for ring in ("core", "ports", "engine")
        for path in python_files(SRC / ring)
        for n, line in enumerate(path.read_text().splitlines(), 1)
        if direct.search(line)
        and "kit.clock" not in line
        and "_clock.random" not in line
        and "clock.random" not in line
    ]
    assert found == []


MODULES = sorted(m.name for m in pkgutil.walk_packages(remit.__path__, "remit."))
OPTIONAL = {
    "langchain_core",
    "anthropic",
    "boto3",
    "botocore",
    "psycopg",
    "psycopg_pool",
    "redis",
    "opentelemetry",
    "numpy",
    "pypdf",
    "pytest",
    "pytest_asyncio",
    "hypothesis",
    "selectolax",
    "usearch",
}


@pytest.mark.parametrize("name", MODULES)
def test_every_module_is_importable_and_exports_what_it_says(name: str) -> None:
    """Each name in `__all__` exists; a module of an optional vendor says what to install."""
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").split(".")[0] not in OPTIONAL:
            raise
        return
    except ConfigError as error:
        if error.code != "E695":
            raise
        return
    for entry in getattr(module, "__all__", ()):
        assert getattr(module, entry) is not None


def test_the_whole_public_surface_is_there() -> None:
    """Every name that `remit` offers lazily exists; another one is an AttributeError that names it."""
    assert {"Agent", "Pack", "Task", "tool"} <= set(sdk.__all__)
    every = {*sdk.__all__, *workflow.__all__, *remit.PLACES}
    for name in every:
        assert getattr(remit, name) is not None
    assert every == set(dir(remit))
    with pytest.raises(AttributeError, match="no_such_thing"):
        remit.no_such_thing  # noqa: B018


def test_importing_remit_is_light() -> None:
    """Cold start: `import remit` loads no vendor package and no server."""
    heavy = (
        "boto3",
        "anthropic",
        "fastapi",
        "uvicorn",
        "psycopg",
        "opentelemetry",
        "httpx",
        "duckdb",
        "rich",
        "typer",
    )
    code = f"import sys, remit; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def documented() -> str:
    """What the reference says about settings."""
    pages = [ROOT / "contracts" / "settings.md", ROOT / "docs" / "reference" / "settings.md"]
    return "\n".join(p.read_text() for p in pages if p.exists())


@pytest.mark.parametrize(
    "name", sorted({f.name for t in (Settings, FileSettings) for f in msgspec.structs.fields(t)})
)
def test_every_setting_is_documented(name: str) -> None:
    """Each field of `Settings` and of `remit.toml` is in the settings reference."""
    assert re.search(rf"`(?:[\w.]*\.)?{name}`", documented()), f"`{name}` is not in the settings reference"


def test_every_error_code_is_documented() -> None:
    """docs/reference/errors.md is what scripts/errors.py makes of the source."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "errors.py", "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
