# One word a task; the same words in CI. `make help` lists them.
SHELL := /bin/bash
.DELETE_ON_ERROR:
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# byte code makes every import two to three times faster
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONHOME
PYTEST := $(BIN)/python -m pytest
# as many tests at a time as the smallest machine we know has cores
WORKERS ?= 2

.PHONY: help demo lab test check jest tools types unit integration browser bench soak build clean screenshots docs pins
help: ## list the tasks
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Perijove needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

# what a user's machine gets
$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/run.txt
	mkdir -p server_ext/perijove/labextension
	SKIP_JUPYTER_BUILDER=1 $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

# what a developer's machine gets on top
$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.run ## set everything up, run the gallery's training notebook as a job
	@scripts/demo

EXTENSION := server_ext/perijove/labextension/package.json
$(EXTENSION): $(shell find extension/src extension/style extension/schema -type f 2>/dev/null) extension/package.json | $(VENV)/.dev
	cd extension && { [ -d node_modules ] && [ node_modules -nt package-lock.json ] || npm ci --no-audit --no-fund; }
	cd extension && npm run --silent build:prod
	@touch $@
	scripts/link-extension

lab: $(EXTENSION) ## open JupyterLab with the extension, on the notebooks
	$(BIN)/jupyter lab --notebook-dir=notebooks $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_ARGS)

check: $(EXTENSION) ## lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m perijove.hub.openapi | diff -q - openapi.json || { echo "openapi.json is stale: make types"; exit 1; }
	cd extension && npm run --silent types:check && npm run --silent lint:check

types: $(VENV)/.dev ## generate openapi.json and the extension's API types
	$(BIN)/python -m perijove.hub.openapi > openapi.json
	cd extension && npm run --silent types

unit: $(VENV)/.dev ## fast tests with in-memory fakes
	$(PYTEST) -q -m "not integration and not browser and not chaos and not soak"

integration: $(EXTENSION) ## tests with real servers, kernels and processes
	scripts/ensure-machines
	scripts/ensure-torch
	$(PYTEST) -q -m "(integration or chaos) and not soak and not browser"

browser: $(EXTENSION) ## tests in a real Chromium
	scripts/ensure-chromium
	$(PYTEST) -q -m "browser and not soak"

jest: $(EXTENSION)
	cd extension && npm test --silent

# what the tests need besides
tools: | $(BIN)/python
	scripts/ensure-chromium
	scripts/ensure-machines
	scripts/ensure-torch

test: ## everything: lint, types, unit, integration and browser tests
	@# what is downloaded comes beside what computes
	$(MAKE) --jobs=2 tools check jest
	$(PYTEST) -m "not soak" --durations=10 -n $(WORKERS) --no-loadscope-reorder

soak: $(EXTENSION) ## long chaos runs
	$(PYTEST) -m "soak"

.venv-peers/.done: requirements/peers.txt | $(BIN)/python
	$(BIN)/uv venv --quiet --clear .venv-peers
	$(BIN)/uv pip install --quiet --compile-bytecode --python .venv-peers/bin/python --require-hashes -r requirements/peers.txt
	@touch $@

bench: $(EXTENSION) .venv-peers/.done ## the figures, peers beside them
	$(BIN)/python -m bench $(BENCH_ARGS)

build: $(VENV)/.dev ## the wheel and the source distribution, in dist/
	$(BIN)/python -m build

docs: $(VENV)/.dev ## the documentation, in docs/_build
	$(BIN)/python -m sphinx -W --keep-going -q -b dirhtml docs docs/_build
	@echo "docs/_build/index.html"

screenshots: $(EXTENSION) ## the pictures of the README and the documentation
	scripts/ensure-chromium
	PERIJOVE_SCREENSHOTS=1 $(PYTEST) -q tests/browser/test_screenshots.py

pins: | $(BIN)/python ## renew requirements/*.txt
	scripts/pin

clean: ## remove what was built; the workspace in ~/.perijove stays
	rm -rf $(VENV) .venv-peers .venv-torch docs/_build dist build server_ext/perijove/labextension extension/lib extension/node_modules .demo
