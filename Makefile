# `make run` and `make test` need Python 3.11 or later with pip, and make. Everything else they install.

PYTHON ?= python3
VENV ?= .venv
SCENARIO ?= xor

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: help setup run test test-fast soak lint gallery studies bench rooms wheel clean

help:
	@echo "make run        simulate the default scenario ($(SCENARIO)) and draw its figures"
	@echo "make test       lint, types, and all tests"
	@echo "make test-fast  the tests, without the slow ones"
	@echo "make soak       what pcode has to bear, at length: files changed at random, faults, many sizes (an hour at most)"
	@echo "make lint       style, layering and types"
	@echo "make gallery    every figure for the scenarios it suits, with a page of them, in plots/gallery/"
	@echo "make studies    the studies' figures, numbers and tables, in docs/studies/ (about six minutes)"
	@echo "make bench      the benchmarks, as a table of ratios (ARGS=--quick for a short one)"
	@echo "make rooms      the drawing of the package's rooms in docs/, from its imports, with counts"
	@echo "make wheel      build the distribution into dist/"
	@echo "make setup      only make the environment, in $(VENV)/"
	@echo "make clean      remove everything that was made"

# The environment, in two steps: what a run needs, and what development needs besides.
$(VENV)/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "pcode needs Python 3.11 or later; say which with: make PYTHON=python3.11" >&2; exit 2; }
	@echo "making the environment in $(VENV)/ (once; this takes a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q pcode plots  # as pip does for what is not editable
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@$(PIP) --no-build-isolation --editable ".[dev]"
	@touch $@

setup: $(VENV)/.dev

run: $(VENV)/.run
	$(BIN)/pcode run $(SCENARIO) --force
	@echo "the command is $(BIN)/pcode; for pcode alone: source $(BIN)/activate"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# One file after another in each of two processes, in the order of tests/conftest.py: most of the time one core
# alone would be at work.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: lint
	$(PYTEST)

test-fast: $(VENV)/.dev
	$(PYTEST) -m "not slow"

soak: $(VENV)/.dev
	$(BIN)/python -m soak $(ARGS)

gallery: $(VENV)/.run
	$(BIN)/pcode gallery plots/gallery --also benchmarks/work_precision.py

studies: $(VENV)/.run
	for study in docs/studies/[a-z]*.py; do $(BIN)/python $$study -o docs/studies || exit 1; done

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)

rooms:
	$(PYTHON) docs/rooms.py

wheel: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m hatchling build

clean:
	rm -rf $(VENV) build dist results .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
