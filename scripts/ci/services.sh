# Sourced: start the real services that CI requires, and say where they are. Debian's PostgreSQL, ministack from PyPI.
set -euo pipefail
root=$(pwd)
mkdir -p .cache
if [ -z "${REMIT_TEST_POSTGRES:-}" ]; then
  # shellcheck source=/dev/null
  source scripts/ci/postgres.sh
fi
if [ -z "${REMIT_TEST_MINISTACK:-}" ]; then
  eval "$(scripts/ci/ministack.sh)"
  trap 'stop_postgres 2>/dev/null || true; kill "$(cat .cache/ministack/pid)" 2>/dev/null || true' EXIT
fi
cd "$root"
