#!/usr/bin/env bash
# The differential suite: workflows on our interpreter, on the AWS emulator and on moto. Stops the emulator if it started it.
set -euo pipefail
if [ -z "${REMIT_TEST_MINISTACK:-}" ]; then
  running=$(curl -sf --max-time 2 "http://127.0.0.1:${PORT:-4570}/_ministack/health" || true)
  eval "$(scripts/ci/ministack.sh)"
  [ -n "$running" ] || trap 'kill "$(cat .cache/ministack/pid)"' EXIT
fi
if [ -z "${REMIT_TEST_MOTO:-}" ]; then
  eval "$(scripts/ci/moto.sh)"
fi
# every case on every engine; the documents made up anew are for ARGS=--nightly
[ $# -gt 0 ] || set -- --nightly --deselect tests/workflows/differential/test_generated.py::test_documents_made_up_anew_give_the_same
CI=true .venv/bin/pytest -n "${REMIT_TEST_PROCESSES:-2}" --dist loadfile tests/workflows/differential "$@"
