# make quickstart   install, start the mesh, run recipes/quickstart.yaml, stop the mesh
# make listener     teach the listener of models/listener anew (recipes/listener.yaml), three quarters of an hour on two cores
# make paper        the paper's claims at toy scale, over three seeds: an hour and a half on two cores, goes on where it was stopped
# make install      the CPU set of packages into .venv
# make test         unit and integration tests; TESTS=tests/unit for those alone
# make test-long    what is long by nature: the bare machine, the listener's reproduction, an hour of kills and faults (EW_SOAK_SECONDS, 3600)
# make bare-test    the README's commands on a minimal Debian made for it
# make lock         the hashes of the lock files, after a version in them was changed
# make lint         ruff, mypy, unused code, buf, generated code
# make protos       generate earwitness/wire from protos/
# make docs         generate docs/recipe.md from the recipe's models
# make chart        generate the chart's schema and README from its values
# make scan         policy scan of the rendered chart
# make sbom         what is in the images, IMAGE_TARGETS="cpu gpu", as CycloneDX: .venv/sbom-cpu.json
# make audit        the images' packages against the database of known vulnerabilities of PyPI
# make images       build the container images, IMAGE_TARGETS="cpu gpu", with docker, podman or buildah
# make kind-test    tests on a cluster that kind makes for it; pytest tests/cluster takes that of $KUBECONFIG instead

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

VENV := .venv
PYTHON := $(VENV)/bin/python
EARWITNESS := $(VENV)/bin/earwitness
RECIPE := recipes/quickstart.yaml
TESTS := tests/integration tests/unit
PYTEST_OPTIONS :=
SOURCES := .ci earwitness listener models trainer rollout reward services serving tests benchmarks protos docs charts

# The first of these that is there builds the images; IMAGE_OPTIONS go to it as they are (--build-arg BASE=... for another base).
CONTAINER_BUILDER := $(firstword $(foreach tool,docker podman buildah,$(if $(shell command -v $(tool) 2>/dev/null),$(tool))))
CYCLONEDX := cyclonedx-bom==7.5.0
AUDIT := pip-audit==2.10.1
CHECKOV := checkov==3.3.30
IMAGE := earwitness
IMAGE_TAG := 0.1.0
IMAGE_TARGETS := cpu
IMAGE_OPTIONS :=
# The image has no repository, so it is told; + as in reports: files were changed since.
COMMIT = $(shell git rev-parse HEAD 2>/dev/null)$(shell git diff --quiet HEAD 2>/dev/null || echo +)

# kind runs its nodes on one of these two.
KIND_ENGINE := $(firstword $(foreach tool,docker podman,$(if $(shell command -v $(tool) 2>/dev/null),$(tool))))
KIND_CLUSTER := earwitness-test
REDIS_IMAGE := docker.io/valkey/valkey:8.1

.PHONY: quickstart listener paper install test bare-test test-long lock lint protos docs chart scan sbom audit images kind-test
.DEFAULT_GOAL := quickstart

install: $(VENV)/.stamp

$(VENV)/.stamp: requirements-cpu.lock requirements-torch-cuda.lock pyproject.toml .ci/install.py
	@command -v python3 >/dev/null || { echo "install: python3 is needed and was not found on PATH" >&2; exit 1; }
	@python3 .ci/install.py $(VENV)
	@touch $@
	@$(EARWITNESS) doctor

# The job's report tells the seconds of the install too, so the mesh is told where they are written.
# The mesh is stopped, silently, whatever becomes of the job: the last line is the folder of the report.
quickstart: install
	@export EW_INSTALL_SECONDS_FILE=$(CURDIR)/$(VENV)/.install-seconds; \
	$(EARWITNESS) up --rollout 1 --detach --fresh; \
	trap '$(EARWITNESS) down >/dev/null' EXIT; \
	$(EARWITNESS) submit $(RECIPE) --follow

# Without rollout workers: lessons need none.
listener: install
	@$(EARWITNESS) up --rollout 0 --detach --fresh; \
	trap '$(EARWITNESS) down >/dev/null' EXIT; \
	$(EARWITNESS) submit recipes/listener.yaml --follow
	$(PYTHON) models/ship.py runs/listener
	$(PYTHON) benchmarks/listener.py

paper: install
	$(PYTHON) benchmarks/paper.py --page docs/results.md

# A file's tests share meshes and engines, so a file goes to one process; one more at a time than there are cores, for
# a third of a test is waiting, as far as each has the 4 GB that a mesh may take. What starts engines comes first, in
# its order: the end is left to what is short. Hundreds of processes import our code, so it is compiled once whatever the
# environment says of bytecode.
test: install
	PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest $(TESTS) --dist loadfile --no-loadscope-reorder --maxprocesses 4 \
		-n $$(awk -v n=$$(nproc) '/^MemTotal/ {gb = int($$2 / 4e6); print gb < 1 ? 1 : gb < n + 1 ? gb : n + 1}' /proc/meminfo) \
		$(PYTEST_OPTIONS)

bare-test:
	tests/bare/run

test-long: install bare-test
	$(PYTHON) -m pytest tests/unit tests/integration -m long $(PYTEST_OPTIONS)

# Versions stay as they stand in the locks; each is given the hash of the file that an install takes.
lock: install
	$(PYTHON) .ci/lock.py

lint: install
	$(VENV)/bin/ruff check $(SOURCES)
	$(VENV)/bin/ruff format --check $(SOURCES)
	$(VENV)/bin/mypy
	$(VENV)/bin/vulture
	cd protos && $(CURDIR)/$(VENV)/bin/buf lint
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

# Both read the lock that the image is made of, without what it leaves out.
define runtime_lock
sed -e ':a' -e '/\\$$/{N;s/ *\\\n */ /;ba' -e '}' requirements-$$target.lock | grep -vE "^($$(paste -sd'|' images/development.txt))==" >$(VENV)/runtime-$$target.lock
endef

sbom: install
	for target in $(IMAGE_TARGETS); do \
		$(runtime_lock); \
		$(VENV)/bin/uv tool run --from $(CYCLONEDX) cyclonedx-py requirements $(VENV)/runtime-$$target.lock \
			--pyproject pyproject.toml --output-reproducible --of JSON -o $(VENV)/sbom-$$target.json ; \
	done

audit: install
	for target in $(IMAGE_TARGETS); do \
		$(runtime_lock); \
		$(VENV)/bin/uv tool run --from $(AUDIT) pip-audit --requirement $(VENV)/runtime-$$target.lock --no-deps --disable-pip ; \
	done

# The cpu image is $(IMAGE), the gpu one $(IMAGE)-gpu.
images:
	@test -n "$(CONTAINER_BUILDER)" || { echo "images: docker, podman or buildah is needed and none was found on PATH" >&2; exit 1; }
	for target in $(IMAGE_TARGETS); do \
		$(CONTAINER_BUILDER) build --build-arg COMMIT=$(COMMIT) $(IMAGE_OPTIONS) -f images/Containerfile --target $$target \
			-t $(IMAGE)$$([ $$target = cpu ] || echo -$$target):$(IMAGE_TAG) . ; \
	done

# Nothing is installed: what is missing is named. Images are pulled by the engine, which says so.
kind-test: install
	@command -v kind >/dev/null || { echo "kind-test: kind is needed and was not found on PATH" >&2; exit 1; }
	@test -n "$(KIND_ENGINE)" || { echo "kind-test: docker or podman is needed and none was found on PATH" >&2; exit 1; }
	@$(KIND_ENGINE) info >/dev/null 2>&1 || { echo "kind-test: $(KIND_ENGINE) is there but its engine does not answer" >&2; exit 1; }
	$(MAKE) images CONTAINER_BUILDER=$(KIND_ENGINE) IMAGE=docker.io/library/$(IMAGE)
	$(KIND_ENGINE) image inspect $(REDIS_IMAGE) >/dev/null 2>&1 || $(KIND_ENGINE) pull $(REDIS_IMAGE)
	$(KIND_ENGINE) save -o $(VENV)/images.tar docker.io/library/$(IMAGE):$(IMAGE_TAG) $(REDIS_IMAGE)
	export KIND_EXPERIMENTAL_PROVIDER=$(KIND_ENGINE) KUBECONFIG=$(CURDIR)/$(VENV)/kind.kubeconfig; \
	trap 'kind delete cluster --name $(KIND_CLUSTER); rm -f $(VENV)/images.tar' EXIT; \
	kind create cluster --name $(KIND_CLUSTER) --wait 120s; \
	kind load image-archive $(VENV)/images.tar --name $(KIND_CLUSTER); \
	EW_CLUSTER_RECIPE=recipes/quickstart.yaml $(PYTHON) -m pytest tests/cluster -s $(PYTEST_OPTIONS)
