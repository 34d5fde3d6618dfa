# Công Văn: `make demo` to see it, `make test` to trust it. Every target sets up what it needs.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long verify-corpora fuzz lint format bench docs lock
SHELL := /bin/sh
PYTHON := .venv/bin/python

# Further words for a target's own program: make test ARGS="tests/keys -x", make demo ARGS="--offices 100"
ARGS ?=

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv from the lock (uv is fetched where the machine has none)
	@.ci/setup

demo: setup ## A pilot district on this machine: walks the road once, then serves and says who can log in
	@.venv/bin/congvan demo $(ARGS)

test: setup ## All tests with the real parts (PostgreSQL, browser, poppler, qpdf, softhsm), under 15 minutes
	@.ci/machine-parts
	@$(PYTHON) -m pytest -n 2 --dist loadfile -m "not long" $(ARGS)

test-long: setup ## The tests that take minutes each
	@.ci/machine-parts
	@$(PYTHON) -m pytest -m long $(ARGS)

verify-corpora: setup ## Every file of the corpora (CONGVAN_CORPORA) against its expected verdict; fails when a target is missed
	@$(PYTHON) -m bench.corpora $(ARGS)

fuzz: setup ## Ten minutes of changed files against the verifier, in limited processes; fails at a crash or a false "valid"
	@$(PYTHON) -m bench.fuzz --minutes 10 $(ARGS)

lint: setup ## Style, types and the contracts between the rooms
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(PYTHON) docs/make.py --check

format: setup ## Put the sources into the house's style
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

bench: setup ## Measure: documents and requests per second, written to a table under bench/results
	@$(PYTHON) -m bench $(ARGS)

docs: setup ## Write the tables of docs/*.md anew from the code
	@$(PYTHON) docs/make.py

lock: ## Resolve the dependencies anew into requirements.lock; newer versions: make lock ARGS=--upgrade
	@.ci/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --quiet --output-file requirements.lock $(ARGS)
	@echo "uv==$$(.ci/uv --version | cut -d ' ' -f 2)" | .ci/uv pip compile - --generate-hashes --no-header --no-annotate --quiet --output-file .ci/uv.txt
