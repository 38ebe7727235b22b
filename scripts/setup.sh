#!/usr/bin/env bash
# Make the virtual environment from the lock file: exact versions, checked by hash. Needs Python 3.11+ and nothing else.
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
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv>=0.8"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r requirements.lock
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e .
