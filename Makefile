# The verbs. Each installs what it needs first; a fresh checkout needs Python and nothing else.
#
#   make demo        the main job, on a local ECR: wait, put under prod, deploy by digest
#   make test        the tests
#   make check       format, lint, types, import contracts
#   make test-floor  the tests on the lowest supported Airflow and amazon provider
#   make docs        the documentation, to docs/_build/html
#   make bench       the benchmarks
#   make ui          a release before your eyes: a full Airflow with a local ECR and ECS, on loopback
#   make screenshots the pictures of the UI in the documentation, made by the tests of it

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FLOOR := .venv-floor
# What the tests drive: Debian's packages, each with a program of it.
CLIENTS := skopeo=skopeo awscli=aws docker-registry=docker-registry \
           postgresql=pg_ctlcluster redis-server=redis-server chromium=chromium
# Files in their order: sorted by their number of tests, the few that take minutes would come last, and run alone.
PYTEST := python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install demo test check test-floor docs bench ui screenshots clean

help:
	@sed -n 's/^#   //p' Makefile

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt tools/install.sh
	@PYTHON=$(PYTHON) sh tools/install.sh $(VENV) constraints.txt test check docs

$(FLOOR)/.installed: pyproject.toml constraints-floor.txt tools/install.sh
	@PYTHON=$(PYTHON) sh tools/install.sh $(FLOOR) constraints-floor.txt test

demo: $(VENV)/.installed
	@$(BIN)/python -m demo

test: $(VENV)/.installed
	@sh tools/clients.sh $(CLIENTS)
	$(BIN)/$(PYTEST) tests/oci --cov=ecr_provider.oci --cov-report= --cov-fail-under=100
	@# Without coverage, which takes half as long again, and of which no more is asked.
	$(BIN)/$(PYTEST) --ignore=tests/oci

check: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-floor: $(FLOOR)/.installed
	@sh tools/clients.sh $(CLIENTS)
	@# The Airflow of that day warns of itself.
	$(FLOOR)/bin/$(PYTEST) -o filterwarnings=default --disable-warnings

docs: $(VENV)/.installed
	$(BIN)/sphinx-build -W -n --keep-going -q docs docs/_build/html
	@echo "The documentation is in docs/_build/html/index.html"

bench: $(VENV)/.installed
	@sh tools/clients.sh skopeo=skopeo docker-registry=docker-registry openssl=openssl
	@$(BIN)/python -m benchmarks

ui: $(VENV)/.installed
	@$(BIN)/python -m demo.ui

screenshots: $(VENV)/.installed
	@sh tools/clients.sh chromium=chromium
	@mkdir -p docs/_static/ui
	SCREENSHOTS=docs/_static/ui $(BIN)/python -m pytest tests/e2e/test_ui.py

clean:
	rm -rf $(VENV) $(FLOOR) docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
