#!/usr/bin/env bash
# One lock for every platform and Python we support, with hashes, naming no index: it works behind any mirror.
set -euo pipefail
.venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --all-extras --group dev --no-emit-index-url --no-header --no-annotate --quiet -o requirements.lock
