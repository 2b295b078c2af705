# make quickstart   install, start the mesh, run recipes/quickstart.yaml, stop the mesh
# make install      the CPU set of packages into .venv
# make test         unit and integration tests
# make lint         ruff, mypy, buf, generated code
# make protos       generate earwitness/wire from protos/
# make docs         generate docs/recipe.md from the recipe's models
# make chart        generate the chart's schema and README from its values
# make scan         policy scan of the rendered chart
# make images       build the container images, IMAGE_TARGETS="cpu gpu", with docker, podman or buildah

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

VENV := .venv
PYTHON := $(VENV)/bin/python
EARWITNESS := $(VENV)/bin/earwitness
BUF := @bufbuild/buf@1.75.0
RECIPE := recipes/quickstart.yaml
PYTEST_OPTIONS :=
SOURCES := earwitness trainer rollout reward services tests benchmarks protos docs charts

# The first of these that is there builds the images; IMAGE_OPTIONS go to it as they are (--build-arg BASE=... for another base).
CONTAINER_BUILDER := $(firstword $(foreach tool,docker podman buildah,$(if $(shell command -v $(tool) 2>/dev/null),$(tool))))
CHECKOV := checkov==3.3.30
IMAGE := earwitness
IMAGE_TAG := 0.1.0
IMAGE_TARGETS := cpu
IMAGE_OPTIONS :=

.PHONY: quickstart install test lint protos docs chart scan images
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
	$(PYTHON) charts/generate.py --check

protos: install
	$(PYTHON) protos/generate.py

docs: install
	$(PYTHON) docs/generate.py

chart: install
	$(PYTHON) charts/generate.py

# checkov and what it needs do not go with our packages, so it has an environment of its own.
scan: install
	$(PYTHON) charts/render.py charts/earwitness/ci/cpu-values.yaml >$(VENV)/chart.yaml
	$(VENV)/bin/uv tool run --from $(CHECKOV) checkov --config-file charts/checkov.yaml --file $(VENV)/chart.yaml

# The cpu image is $(IMAGE), the gpu one $(IMAGE)-gpu.
images:
	@test -n "$(CONTAINER_BUILDER)" || { echo "images: docker, podman or buildah is needed and none was found on PATH" >&2; exit 1; }
	for target in $(IMAGE_TARGETS); do \
		$(CONTAINER_BUILDER) build $(IMAGE_OPTIONS) -f images/Containerfile --target $$target \
			-t $(IMAGE)$$([ $$target = cpu ] || echo -$$target):$(IMAGE_TAG) . ; \
	done
