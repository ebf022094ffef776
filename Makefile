# make demo   see it work          make test   see it proven
#
# Needs git and Python 3.11 or newer. Everything else goes into .venv, once; afterwards nothing
# here uses the network until setup.py or pyproject.toml changes.

# The first Python that is new enough; `make PYTHON=/path/to/python test` chooses another.
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
endif
# Passed on to the command: make test ARGS='-k settings -x'
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
DEV := $(VENV)/.installed-dev
BENCH := $(VENV)/.installed-bench
NODE_MANIFEST := tests/end_to_end/clients/typescript/package.json
NODE := $(VENV)/node/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench fuzz clean needs-git needs-python

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(DEV) ## serve a sample data repository and print commands to try
	$(BIN)/livesheets demo $(ARGS)

test: $(DEV) $(NODE) ## run the tests
	$(BIN)/python -m pytest $(ARGS)

check: $(DEV) ## lint, formatting, types, and whether the documentation is true
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/docs

bench: $(BENCH) ## run the benchmarks
	$(BIN)/python -m tests.benchmarks $(ARGS)

fuzz: $(DEV) ## look for bytes that break a parser: ARGS='toml --seconds 600'
	$(BIN)/python -m tests.fuzz $(or $(ARGS),everything --seconds 60)

clean: ## remove the environment and everything built; keeps demo-data
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEV): setup.py pyproject.toml | needs-git
	@$(MAKE) --no-print-directory needs-python
	@echo "Setting up $(VENV) with $(PYTHON); this happens once ..."
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) --editable '.[dev]'
	@touch $@

$(BENCH): $(DEV)
	@$(PIP) --editable '.[dev,bench]'
	@touch $@

# Without npm or its registry the test of a TypeScript client skips.
$(NODE): $(NODE_MANIFEST) | $(DEV)
	@mkdir -p $(@D) && cp $(NODE_MANIFEST) $(@D)/
	@! command -v npm >/dev/null || (cd $(@D) && npm install --silent --ignore-scripts --no-audit --no-fund \
		--fetch-retries=1) || echo "npm could not install the tools for TypeScript; their test skips."
	@touch $@

needs-git:
	@command -v git >/dev/null || { echo "Livesheets needs git, which is not installed." \
		"On Debian or Ubuntu: apt-get install git" >&2; exit 1; }

needs-python:
	@test -n "$(PYTHON)" || { echo "Livesheets needs Python 3.11 or newer, which was not found." \
		"On Debian or Ubuntu: apt-get install python3 python3-venv" \
		"(or name one: make PYTHON=/path/to/python3.11)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is not Python 3.11 or newer." \
		"Name another: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments." \
		"On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
