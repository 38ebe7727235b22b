#!/usr/bin/env bash
# Makes the venv of moto, whose interpreter is the second opinion of the differential suite, and prints what to export:
#
#     eval "$(scripts/ci/moto.sh)"
set -euo pipefail
# shellcheck source=/dev/null
source "$(dirname "$0")/lib.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
VENV=${VENV:-$ROOT/.cache/moto/venv}
# its pins of boto3 are not ours, so a venv of its own; JSONata is the engine that moto calls and does not bring
PINS=("moto[stepfunctions]==5.2.5" boto3==1.44.5 jsonata-python==0.7.1)

if [ "$(cat "$VENV/.pins" 2>/dev/null)" != "${PINS[*]}" ]; then
    uv=$(find_uv "$ROOT")
    {
        "$uv" venv --quiet --clear --python "$ROOT/.venv/bin/python" "$VENV"
        "$uv" pip install --quiet --python "$VENV/bin/python" "${PINS[@]}"
    } >&2
    echo "${PINS[*]}" >"$VENV/.pins"
fi
echo "export REMIT_TEST_MOTO=$VENV/bin/python"
