#!/usr/bin/env bash
# The tests. On a user's machine those that need a service skip, saying so; with CI=true they must run.
set -euo pipefail
unset PYTHONDONTWRITEBYTECODE  # hundreds of processes would each compile all that they import
if [ "${CI:-}" = "true" ]; then
  # shellcheck source=/dev/null
  source scripts/ci/services.sh
fi
.venv/bin/pytest -n "${REMIT_TEST_PROCESSES:-4}" --dist loadfile --no-loadscope-reorder --durations=40 "$@"
