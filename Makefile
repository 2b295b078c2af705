# make quickstart   install, start the mesh, run recipes/quickstart.yaml, stop the mesh
# make install      the CPU set of packages into .venv
# make test         unit and integration tests
# make lint         ruff, mypy, buf, generated code
# make protos       generate earwitness/wire from protos/
# make docs         generate docs/recipe.md from the recipe's models

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

VENV := .venv
PYTHON := $(VENV)/bin/python
EARWITNESS := $(VENV)/bin/earwitness
BUF := @bufbuild/buf@1.75.0
RECIPE := recipes/quickstart.yaml
PYTEST_OPTIONS :=
SOURCES := earwitness trainer rollout reward services tests benchmarks protos docs

.PHONY: quickstart install test lint protos docs
.DEFAULT_GOAL := quickstart

install: $(VENV)/.stamp

$(VENV)/.stamp: requirements-cpu.lock pyproject.toml .ci/install
	@echo "installing into $(VENV) (a few minutes the first time)"
	.ci/install $(VENV)
	touch $@

# The job's report tells the seconds of the install too, so the mesh is told where they are written.
# The mesh is stopped, silently, whatever becomes of the job: the last line is the folder of the report.
quickstart: install
	@export EW_INSTALL_SECONDS_FILE=$(CURDIR)/$(VENV)/.install-seconds; \
	$(EARWITNESS) up --rollout 1 --detach --fresh; \
	trap '$(EARWITNESS) down >/dev/null' EXIT; \
	$(EARWITNESS) submit $(RECIPE) --follow

test: install
	$(PYTHON) -m pytest tests/unit tests/integration $(PYTEST_OPTIONS)

lint: install
	$(VENV)/bin/ruff check $(SOURCES)
	$(VENV)/bin/ruff format --check $(SOURCES)
	$(VENV)/bin/mypy
	@command -v npx >/dev/null || { echo "lint: npx (Node.js) is needed for buf and was not found on PATH" >&2; exit 1; }
	cd protos && npx --yes $(BUF) lint
	$(PYTHON) protos/generate.py --check
	$(PYTHON) docs/generate.py --check

protos: install
	$(PYTHON) protos/generate.py

docs: install
	$(PYTHON) docs/generate.py
