# Plain `make` prints this help. Everything is set up by the targets that need it, inside .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
WASMTIME ?= 48.*

.DEFAULT_GOAL := help
.PHONY: help setup run test lint format bench test-wasmtime clean

help:  ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: $(STAMP)  ## Make .venv with everything in it (the other targets do so by themselves)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Guesthouse needs Python 3.11 or newer; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,lint,bench]'
	@touch $@

run: setup  ## Start a host, send it events, see them delivered
	$(BIN)/python examples/run.py

test: setup lint  ## Check format, lint and types, then run every test
	$(BIN)/python -m pytest

lint: setup  ## Check format, lint and types
	$(BIN)/ruff format --check --quiet host tests examples
	$(BIN)/ruff check --quiet host tests examples
	$(BIN)/mypy --no-error-summary

format: setup  ## Format the tree
	$(BIN)/ruff format host tests examples
	$(BIN)/ruff check --fix host tests examples

bench: setup  ## Measure against peers in the same run; prints a table, writes bench-results.json
	$(BIN)/python -m tests.bench

test-wasmtime:  ## Run the suite against another wasmtime: make test-wasmtime WASMTIME=48.*
	$(PYTHON) -m venv .venv-wasmtime
	.venv-wasmtime/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	.venv-wasmtime/bin/pip install --quiet --disable-pip-version-check --no-deps 'wasmtime==$(WASMTIME)'
	.venv-wasmtime/bin/python -m pytest

clean:  ## Remove what was set up and built
	rm -rf .venv .venv-wasmtime build .mypy_cache .ruff_cache .pytest_cache
