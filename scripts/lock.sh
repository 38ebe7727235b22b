#!/usr/bin/env bash
# Locks for every platform and Python we support, with hashes, naming no index: they work behind any mirror.
# What only `remit deploy` needs is large, and has a lock of its own. Other frameworks do not install together: theirs are in
# tests/frameworks/requirements/.
set -euo pipefail
lock() {
  .venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --no-annotate --quiet "$@"
}
everyday=$(sed -n '/^\[project.optional-dependencies\]/,/^\[project.scripts\]/s/^\([a-z0-9]*\) = .*/\1/p' pyproject.toml | grep -vxE 'deploy|langgraph|crewai|strands|agentframework')
# shellcheck disable=SC2046
lock $(printf -- '--extra %s ' $everyday) --group dev -o requirements.lock
lock --extra deploy --group deploy -c requirements.lock -o requirements-deploy.lock
for each in together crewai; do
  .venv/bin/uv pip compile pyproject.toml "tests/frameworks/requirements/$each.in" tests/frameworks/requirements/tests.in --universal \
    --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o "tests/frameworks/requirements/$each.txt"
done
