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
fi
cd "$root"
