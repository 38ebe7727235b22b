"""The bundle: what goes in, what stays out, and that the same project makes the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from remit.core.errors import ConfigError
from remit_deploy.packaging import bundle, project, zipped

APP = '''
import json

import prices
from remit import Agent, tool


@tool
def double(n: int) -> int:
    """Twice a number."""
    return prices.DOUBLE * n


greeter = Agent("greeter", instructions="Answer in one sentence.", tools=[double])
'''

HOUSE = 'name = "house"\nextends = "default"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of somebody's."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "agents.py").write_text(APP)
    (root / "prices.py").write_text("DOUBLE = 2\n")
    (root / "unused.py").write_text("import nothing_like_this\n")
    (root / "secret.env").write_text("TOKEN=1\n")
    (root / "prompts").mkdir()
    (root / "prompts" / "a.md").write_text("Be kind.\n")
    (root / "policies" / "house").mkdir(parents=True)
    (root / "policies" / "house" / "policy.cedar").write_text("")
    (root / "policies" / "house" / "profile.toml").write_text(HOUSE)
    (root / "remit.toml").write_text(
        'app = "agents.py"\nstore = "sqlite:///here.db"\npolicies = ["policies"]\n'
        '[models.default]\nprovider = "bedrock"\nmodel = "us.amazon.nova-lite-v1:0"\nmax_tokens = 100\n'
        '[deploy]\nproject = "shop"\n'
    )
    return root


def names(found: project.Project) -> list[str]:
    """The files that go along."""
    return [str(path) for path in found.files]


def test_the_app_what_it_imports_and_policies_go_along_and_nothing_else(root: Path) -> None:
    """Of the project only what runs goes into the bundle: no other file of the folder, unless it is named."""
    assert names(project.read(root)) == [
        "agents.py",
        "policies/house/policy.cedar",
        "policies/house/profile.toml",
        "prices.py",
    ]
    assert "prompts/a.md" in names(project.read(root, include=("prompts/**",)))


def test_the_settings_go_along_without_what_is_of_this_machine(root: Path) -> None:
    """`remit.toml` of the bundle says the same as the project's, but for the store and how to deploy."""
    said = tomllib.loads(project.read(root).settings_text())
    assert said == {
        "app": "agents.py",
        "policies": ["policies"],
        "models": {
            "default": {"provider": "bedrock", "model": "us.amazon.nova-lite-v1:0", "max_tokens": 100}
        },
    }


@pytest.mark.parametrize(
    "value", ["plain", 'with "quotes" and \\', "ünïcode\n", 3, 2.5, True, [1, "a"], {"a b": [{"c": False}]}]
)
def test_settings_survive_being_written(value: object) -> None:
    """Any value of a TOML file is read back as it was."""
    assert tomllib.loads(f"key = {project.toml(value)}")["key"] == value


def test_an_import_cycle_of_the_project_ends(root: Path) -> None:
    """Two files that import each other are both taken once."""
    (root / "prices.py").write_text("import agents\nDOUBLE = 2\n")
    assert names(project.read(root)).count("prices.py") == 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('app = "../outside.py"', "no file or folder inside"),
        ('app = "missing.py"', "no file or folder inside"),
        ('policies = ["/etc"]', "no file or folder inside"),
    ],
)
def test_what_lies_outside_the_project_is_refused(root: Path, setting: str, message: str) -> None:
    """A path that leads out of the project, or nowhere, is an error and not an empty bundle."""
    (root.parent / "outside.py").write_text("")
    (root / "remit.toml").write_text(setting)
    with pytest.raises(ConfigError, match=message) as raised:
        project.read(root)
    assert raised.value.code == "E861"


def test_a_pattern_that_matches_nothing_is_an_error(root: Path) -> None:
    """A typo in `include` is told, since the functions would miss the files."""
    with pytest.raises(ConfigError, match=r"promts"):
        project.read(root, include=("promts/**",))


@pytest.mark.slow
def test_the_bundle_runs_by_itself(root: Path, tmp_path: Path) -> None:
    """A Python that sees the bundle alone opens the app and its handlers, and nothing in it is unused."""
    where = tmp_path / "bundle"
    made = bundle.build(project.read(root), where, bundle.here())
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "import remit.functions.advance, remit.functions.api, remit.bootstrap as b\n"
        "app = b.open_app()\n"
        "assert 'greeter' in app.catalogue.agents, list(app.catalogue.agents)\n"
        "assert remit.functions.advance.__file__.startswith(sys.argv[1]), remit.functions.advance.__file__\n"
        "print('opened')"
    )
    environment = {"PATH": os.environ["PATH"], "REMIT_HOME": str(tmp_path / "home"), "REMIT_STORE": "memory:"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, str(where)],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "opened\n", done.stderr
    assert made.compiled
    assert made.size < 90 * 2**20
    inside = {path.name for path in where.iterdir()}
    assert not inside & {"boto3", "botocore", "typer", "rich", "duckdb", "uvicorn", "pytest", "bin"}
    assert not inside & {"secret.env", "unused.py"}
    assert not {path.name for path in (where / "remit").iterdir()} & {"cli", "console", "testing"}


@pytest.mark.slow
@pytest.mark.nightly
def test_the_same_project_makes_the_same_bytes(root: Path, tmp_path: Path) -> None:
    """Built twice, the zips are equal to the last byte, compiled files too."""
    made = []
    for n in (1, 2):
        id = bundle.build(project.read(root), tmp_path / f"bundle{n}", bundle.here()).id
        zipped.zip_directory(tmp_path / f"bundle{n}", tmp_path / f"{n}.zip")
        made.append((id, (tmp_path / f"{n}.zip").read_bytes()))
    assert made[0] == made[1]


@pytest.mark.slow
def test_the_bundle_of_lambda_is_built_for_lambda(root: Path, tmp_path: Path) -> None:
    """For arm64 its compiled packages are those of Linux on arm64, whatever this machine is."""
    where = tmp_path / "bundle"
    made = bundle.build(project.read(root), where, bundle.Target("3.13", "arm64"))
    libraries = [p.name for p in where.rglob("*.so") if "cpython" in p.name]
    assert libraries
    assert all("aarch64-linux-gnu" in name for name in libraries)
    assert made.architecture == "arm64"


@pytest.mark.slow
def test_what_the_bundle_lacks_is_said_before_deploying(root: Path, tmp_path: Path) -> None:
    """An import that nothing in the bundle answers is an error that names the file, the module and where to add it."""
    (root / "prices.py").write_text("import pandas\nDOUBLE = 2\n")
    with pytest.raises(ConfigError, match=r"`prices.py` imports `pandas`") as raised:
        bundle.build(project.read(root), tmp_path / "bundle", bundle.here())
    assert raised.value.code == "E862"
    assert "requirements" in raised.value.help


@pytest.mark.slow
def test_a_package_without_a_wheel_is_an_error(root: Path, tmp_path: Path) -> None:
    """A requirement that cannot be installed for the functions says so, with what the installer said."""
    with pytest.raises(ConfigError, match="could not be installed") as raised:
        bundle.build(project.read(root), tmp_path / "bundle", bundle.here(), ["msgspec==0.0.0"])
    assert raised.value.code == "E861"


def test_a_zip_is_made_of_content_alone(tmp_path: Path) -> None:
    """Times and order of files on disk leave no trace in a zip, and it unpacks to what it was made of."""
    for name, files in (("a", ["x.py", "y.py"]), ("b", ["y.py", "x.py"])):
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text(file)
    os.utime(tmp_path / "b" / "x.py", (0, 0))
    for name in ("a", "b"):
        zipped.zip_directory(tmp_path / name, tmp_path / f"{name}.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    shutil.unpack_archive(tmp_path / "a.zip", tmp_path / "c")
    assert bundle.content_hash(tmp_path / "c") == bundle.content_hash(tmp_path / "a")
