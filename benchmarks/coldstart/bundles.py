"""The bundles that are measured: ours by `remit deploy`'s own builder, the peers' by their requirements and nothing else.

boto3 and botocore are taken out of all, since Lambda has them; all are compiled, and stripped of what no program loads.
"""

from __future__ import annotations

import compileall
import py_compile
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from benchmarks.peers.setup import find_uv

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "benchmarks" / "coldstart"
BUNDLES = ROOT / ".bench" / "coldstart"
PEERS = ("strands", "langgraph", "pydantic_ai")
PROVIDED = ("boto3", "botocore", "s3transfer", "jmespath")
UNUSED = ("__pycache__", "tests", "bin", "licenses", "sboms")
APP = 'app = "remit_app.py"\n[models.default]\nprovider = "bedrock"\nmodel = "anthropic.claude-sonnet-4-5-20250929-v1:0"\n'


def ours(fresh: bool) -> Path:
    """Our bundle, as `remit deploy` makes it for this machine's Python."""
    from remit_deploy.packaging import bundle, project

    where = BUNDLES / "remit"
    source = BUNDLES / "remit-project"
    if fresh or not where.exists():
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir(parents=True)
        (source / "remit.toml").write_text(APP)
        shutil.copy(HERE / "handlers" / "remit_app.py", source)
        bundle.build(project.read(source), where, bundle.here())
    return where


def theirs(peer: str, fresh: bool) -> Path:
    """A peer's bundle. Raises RuntimeError when it cannot be installed."""
    where = BUNDLES / peer
    if fresh or not where.exists():
        shutil.rmtree(where, ignore_errors=True)
        installed(peer, where)
        for name in PROVIDED:
            shutil.rmtree(where / name, ignore_errors=True)
        shutil.copy(HERE / "handlers" / f"{peer}_handler.py", where)
        finished(where)
    return where


def runtime(fresh: bool) -> Path:
    """What Lambda has of its own."""
    where = BUNDLES / "runtime"
    if fresh or not where.exists():
        shutil.rmtree(where, ignore_errors=True)
        installed("runtime", where)
        finished(where)
    return where


def installed(name: str, where: Path) -> None:
    """Install pinned requirements into a directory."""
    requirements = HERE / "requirements" / f"{name}.txt"
    command = [find_uv(), "pip", "install", "--quiet", "--python", sys.executable, "--target", str(where)]
    done = subprocess.run([*command, "-r", str(requirements)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-800:])


def finished(where: Path) -> None:
    """Take out what no program loads, and compile the rest."""
    for name in UNUSED:
        for path in list(where.rglob(name)):
            shutil.rmtree(path, ignore_errors=True)
    for path in list(where.rglob("*")):
        if path.suffix in (".pyi", ".pyx", ".pxd") or path.name in ("RECORD", ".lock"):
            path.unlink()
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(where, quiet=2, force=True, invalidation_mode=mode)


def sizes(where: Path) -> dict[str, float]:
    """Megabytes of a bundle: unzipped, and as the zip that is uploaded."""
    files = [path for path in sorted(where.rglob("*")) if path.is_file()]
    zipped = where.with_suffix(".zip")
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(where))
    size = zipped.stat().st_size
    zipped.unlink()
    return {"zip_mb": size / 2**20, "unzipped_mb": sum(p.stat().st_size for p in files) / 2**20}
