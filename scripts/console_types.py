"""Check that console/src/api/schema.ts is what contracts/openapi.json gives; with `--write`, make it so. Needs `make console` before."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hatch_build import how_npm_runs  # noqa: E402

TYPES = ROOT / "console" / "src" / "api" / "schema.ts"


def generated(place: Path) -> str:
    """What the generator makes of the contract."""
    npm, env = how_npm_runs()
    made = str(place / "schema.ts")
    contract = str(ROOT / "contracts" / "openapi.json")
    command = [*npm, "exec", "--no", "--", "openapi-typescript", contract, "--alphabetize", "--output", made]
    done = subprocess.run(command, cwd=ROOT / "console", env=env, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise SystemExit(f"the types could not be generated:\n{done.stderr.strip()[-1000:]}")
    return (place / "schema.ts").read_text()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        wanted = generated(Path(place))
    if given.write:
        TYPES.write_text(wanted)
        return 0
    if TYPES.read_text() == wanted:
        return 0
    print(
        "console/src/api/schema.ts differs from contracts/openapi.json: python scripts/console_types.py --write",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
