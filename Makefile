# Two commands matter: `make demo` and `make test`. Both install what they need into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Extra words for pytest: make test ARGS="-k barge_in"
ARGS ?=

INSTALLED := $(VENV)/.installed
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test test-fast test-all coverage dist soak fuzz mutants bench bench-quick bench-otp check lint floors types format docs lock clean

help: ## Show this
	@echo "make ...   (PYTHON=$(PYTHON), VENV=$(VENV))"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make the virtual environment with all that demo and test need

demo: $(INSTALLED) ## Hold a spoken conversation and write it to demo-output/
	$(BIN)/realtime-actors demo --output demo-output

test: $(INSTALLED) ## Run all tests (ARGS="-k ..." goes to pytest)
	$(BIN)/python -m pytest $(ARGS)

test-fast: $(INSTALLED) ## Run the tests that need no speech engine and no patience
	$(BIN)/python -m pytest -m "not slow and not local" $(ARGS)

test-all: SHELL := bash
test-all: ## Run all tests on every supported Python found here
	@failed=""; \
	while read -r version python; do \
		echo "== Python $$version ($$python)"; \
		$(MAKE) --no-print-directory test VENV=.venv-$$version PYTHON=$$python </dev/null \
			|| failed="$$failed $$version"; \
	done <<< "$$(.ci/pythons)"; \
	if [ -n "$$failed" ]; then echo "failed on Python$$failed"; exit 1; fi

coverage: $(INSTALLED) ## Run all tests, and write to build/coverage which branches they never take
	$(BIN)/python -m pytest --cov --cov-report=term --cov-report=html:build/coverage $(ARGS)

dist: $(INSTALLED) ## Build the wheel and the source package into dist/, and try the wheel alone
	rm -rf dist build/dist-venv
	$(BIN)/python -m hatchling build
	$(PYTHON) -m venv build/dist-venv
	build/dist-venv/bin/python -m pip install -qq --disable-pip-version-check dist/*.whl
	build/dist-venv/bin/python .ci/core_alone.py

soak: $(INSTALLED) ## Try the rules of a conversation for a million steps (ARGS="--seed 7 --steps 5000")
	$(BIN)/python -m tests.soak $(ARGS)

fuzz: $(INSTALLED) ## Try hostile input for ten minutes (ARGS="--seconds 60 --target core")
	$(BIN)/python -m tests.fuzz $(ARGS)

bench: $(INSTALLED) ## Measure everything, against openai-agents and a floor (twenty minutes)
	$(BIN)/python -m benchmarks $(ARGS)

bench-quick: $(INSTALLED) ## Measure the same with few rounds (three minutes)
	$(BIN)/python -m benchmarks --quick $(ARGS)

bench-otp: $(INSTALLED) ## Measure the actors against pykka's
	$(BIN)/python -m benchmarks.otp $(ARGS)

mutants: $(INSTALLED) ## Break the package in every way we know; the tests must notice each
	$(BIN)/python -m tests.mutants $(ARGS)

check: lint floors types ## Run every check that is no test

lint: $(INSTALLED) ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

floors: $(INSTALLED) ## Check that every import points downwards (docs/concepts.md: Floors)
	$(BIN)/lint-imports

types: $(INSTALLED) ## Check types
	$(BIN)/mypy

format: $(INSTALLED) ## Bring the source into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED) ## Build the documentation into docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

clean: ## Remove what was built, and the environments made here
	rm -rf .venv .venv-* build dist demo-output docs/_build *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find realtime_actors tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

lock: ## Choose anew what install installs (ARGS=--upgrade: take the newest of everything)
	@test -x .venv-lock/bin/python || $(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip install -qq --disable-pip-version-check uv
	@.venv-lock/bin/python lock/make.py $(ARGS)

$(VENV)/bin/python:
	@.ci/suitable $(PYTHON)
	@echo "Installing into $(VENV): a minute or two, once"
	@$(PYTHON) -m venv $(VENV)

# Exactly what is in the lock, and then the package itself, built with what is in the lock.
$(INSTALLED): pyproject.toml lock/requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes --only-binary :all: -r lock/requirements.txt
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
