#!/usr/bin/env bash
# Make the virtual environment from the lock file: exact versions, checked by hash. Needs Python 3.11+ and nothing else.
# The console is built meanwhile; where that is not possible (no Node, no npm registry) everything else still works.
set -euo pipefail
python=$1 venv=$2
"$python" - <<'PY' || exit 3
import sys
if sys.version_info < (3, 11):
    print(f"error: Python 3.11 or newer is needed, this is {sys.version.split()[0]}\n  help: make run PYTHON=python3.12", file=sys.stderr)
    raise SystemExit(1)
PY
echo "setting up $venv (once; about half a minute)" >&2
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
said=$(mktemp)
"$venv/bin/python" hatch_build.py --soft >"$said" 2>&1 &
console=$!
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv>=0.8"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r requirements.lock
SKIP_UI=1 "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e .
built=0
wait "$console" || built=$?
cat "$said" >&2
rm -f "$said"
exit "$built"
