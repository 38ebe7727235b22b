#!/usr/bin/env bash
# The governance suite over every framework we adapt. They do not install together (CrewAI wants an older pydantic), so
# each lock under tests/frameworks/requirements/ gets an environment of its own, in which Remit is this source tree.
#
# Usage: scripts/ci/frameworks.sh [--install-only] [LOCK ...] [-- PYTEST ARGUMENTS]
# Without LOCK: `together`. The kill tests that are long run with `-- -m ""`.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
uv=$root/.venv/bin/uv
locks=() install_only=""
while [ $# -gt 0 ] && [ "$1" != "--" ]; do
  if [ "$1" = "--install-only" ]; then install_only=1; else locks+=("$1"); fi
  shift
done
[ "${1:-}" = "--" ] && shift
[ ${#locks[@]} -gt 0 ] || locks=(together)
export OTEL_SDK_DISABLED=true CREWAI_DISABLE_TELEMETRY=true CREWAI_TRACING_ENABLED=false LANGSMITH_TRACING=false
for lock in "${locks[@]}"; do
  place=.bench/frameworks/$lock
  requirements=tests/frameworks/requirements/$lock.txt
  if ! cmp -s "$requirements" "$place/installed.txt"; then
    "$uv" venv --quiet --clear --python "$root/.venv/bin/python" "$place"
    "$uv" pip sync --quiet --python "$place/bin/python" --require-hashes "$requirements"
    printf '%s\n' "$root/src" "$root/packs" > "$("$place/bin/python" -c 'import site; print(site.getsitepackages()[0])')/remit.pth"
    cp "$requirements" "$place/installed.txt"
  fi
  [ -n "$install_only" ] || "$place/bin/python" -m pytest -c tests/frameworks/pytest.ini tests/frameworks "$@"
done
