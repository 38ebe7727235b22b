#!/usr/bin/env bash
# Installs what checks templates, each in a venv of its own, and prints what to export:
#
#     eval "$(scripts/ci/linters.sh)"
set -euo pipefail
# shellcheck source=/dev/null
source "$(dirname "$0")/lib.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
HOME_DIR=${HOME_DIR:-$ROOT/.cache}

install() {
    local name=$1 version=$2
    [ -x "$HOME_DIR/lint-$name/bin/$name" ] && return
    local uv
    uv=$(find_uv "$ROOT")
    "$uv" venv --quiet --clear --python "$ROOT/.venv/bin/python" "$HOME_DIR/lint-$name"
    "$uv" pip install --quiet --python "$HOME_DIR/lint-$name/bin/python" "$name==$version"
}

install cfn-lint 1.58.0 >&2
install checkov 3.3.30 >&2
echo "export REMIT_TEST_CFN_LINT=$HOME_DIR/lint-cfn-lint/bin/cfn-lint"
echo "export REMIT_TEST_CHECKOV=$HOME_DIR/lint-checkov/bin/checkov"
