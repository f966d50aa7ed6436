# Everything a developer does. Each target sets up what it needs first; `make help` lists them.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PY := .venv/bin/python
WORKERS ?= 2
MINUTES ?= 10
SEEDS ?= 20
FIRST_SEED ?= 1

# Each program here starts many times: compiled once, its modules are there at once.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test money lint format css verify soak simulate bench bench-verify reset

help: ## What there is
	@echo "Purser. In a new clone, 'make run' is all it takes."
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo "Ports and servers of your own: PORT=, DATABASE_URL=, REDIS_URL=, STRIPE_SECRET_KEY= (all names: .env.example)"

setup: ## Make .venv with all libraries (quick when it is there)
	@test -n "$(PYTHON)" || { echo "Purser needs Python 3.11 or newer: install it, or make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) sandbox/setup.py

run: setup ## The whole portal on this machine, with a demo customer; Ctrl-C stops it
	@exec $(PY) -m sandbox.run

test: setup ## All tests (T='-k words' or T=tests/billing/ledger for some)
	@$(PY) -m sandbox.chromium
	@$(PY) -m pytest -n $(WORKERS) --dist loadgroup $(T)

money: setup ## The suites about money at their full figures, which are the last line (A='-k races')
	@$(PY) -m tests.money $(A)

lint: setup ## Style, types, import order, templates, migrations, built CSS
	@echo "ruff: style" && $(PY) -m ruff check --quiet . && $(PY) -m ruff format --quiet --check .
	@echo "mypy: types" && $(PY) -m mypy
	@echo "import-linter: who may import whom" && $(PY) .venv/bin/lint-imports --no-logo
	@echo "djade: templates" && find templates -name '*.html' -exec .venv/bin/djade --check --target-version 5.2 {} +
	@echo "migrations: none missing" && $(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@$(PY) -m sandbox.css --check

format: setup ## Put code and templates in shape
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format .
	@find templates -name '*.html' -exec .venv/bin/djade --target-version 5.2 {} +

css: setup ## Build static/css/purser.css (needs node)
	@$(PY) -m sandbox.css

verify: setup ## Are the books right? One JSON object per difference, the sum last (A='--org SLUG --since DATE')
	@$(PY) manage.py verify_ledger $(A)

soak: setup ## Everything used and killed again and again (MINUTES=10 SEED=1), then: are the books right? The last line says
	@$(PY) -m tests.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(A)

simulate: setup ## Many organizations for thirteen months, one life for each seed (SEEDS=20 FIRST_SEED=1); the last line says
	@$(PY) -m tests.simulation --seeds $(SEEDS) --first-seed $(FIRST_SEED) $(A)

bench: setup ## Measure speed against the targets of docs/performance.md
	@$(PY) -m tests.bench

bench-verify: setup ## The time verify_ledger takes for a million transfers
	@$(PY) -m tests.bench.verifying

reset: ## Forget everything 'make run' and 'make test' keep here (.local), and stop what they left
	@if [ -x $(PY) ]; then PURSER_LOCAL=$(CURDIR)/.local/soak $(PY) -m sandbox.reset >/dev/null && $(PY) -m sandbox.reset; else rm -rf .local; fi
