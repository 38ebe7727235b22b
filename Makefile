# The two commands: `make run` and `make test`. Everything else is here too, and only here.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

.PHONY: run test check bench console faults differential serve lock contracts clean setup

run: setup ## the main job, offline: a support desk that acts, asks, survives a kill and proves it (ARGS="--once --approve")
	@$(BIN)/remit demo $(ARGS)

test: setup ## every test; with CI=true each real service is required
	@scripts/test.sh $(ARGS)

check: setup ## types, lint, import rules, generated files
	$(BIN)/ruff check src packs deploy tests benchmarks scripts examples
	$(BIN)/ruff format --check src packs deploy tests benchmarks scripts examples
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/contracts.py --check
	$(BIN)/python scripts/errors.py --check
	$(BIN)/python scripts/reference.py --check

bench: setup ## ours and the peers', side by side; prints ratios and writes benchmarks/results/
	$(BIN)/python -m benchmarks.run $(ARGS)

faults: setup ## the fault plan at its nightly size
	$(BIN)/pytest tests/faults -m "nightly or not nightly" --nightly $(ARGS)

differential: setup ## workflows on our interpreter, the AWS emulator and moto, side by side (ARGS=--nightly for many more)
	@scripts/differential.sh $(ARGS)

serve: setup ## API and worker on 127.0.0.1:8700
	@$(BIN)/remit up $(ARGS)

console: setup ## the web console, built into the package; with Node of the system or from PyPI
	$(BIN)/python hatch_build.py

lock: setup ## pin again, hashes and all
	scripts/lock.sh

contracts: setup ## regenerate contracts/
	$(BIN)/python scripts/contracts.py
	$(BIN)/python scripts/errors.py
	$(BIN)/python scripts/reference.py

setup: $(STAMP)

$(STAMP): pyproject.toml requirements.lock scripts/setup.sh
	@scripts/setup.sh "$(PYTHON)" "$(VENV)"
	@touch $@

clean:
	rm -rf $(VENV) .remit .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
