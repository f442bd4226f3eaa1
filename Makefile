# The commands people type. Each sets up what it needs: a machine with Python >= 3.11 (with venv) and make is enough.

PYTHON ?= python3
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := host $(sort $(wildcard backends/*))
READY := $(VENV)/.ready

# For `make image`.
BACKENDS ?= $(sort $(notdir $(wildcard backends/*)))
IMAGE ?= devbay:0.1.0
BASE ?= python:3.11-slim-bookworm
BUILDER ?= podman
BUILD_ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test bench check format proto docs constraints clean wheels image
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

demo: $(READY) ## the main job on your terminal: a simulated kubelet, the host, mock accelerators; under 20 s
	@$(BIN)/devbay demo

test: $(READY) ## the tests; PYTEST_ARGS="tests/host -k session" chooses
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

bench: $(READY) ## each budget as a figure, in some three minutes; BENCH_ARGS="--quick start memory" chooses
	@$(BIN)/python -m bench $(BENCH_ARGS)

check: $(READY) ## style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(READY) ## rewrite the sources in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

proto: $(READY) ## generate code from the .proto files
	@cd host/src && $(CURDIR)/$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. devbay/_proto/*.proto

docs: $(READY) ## rewrite what of docs/ is made from the types
	@$(BIN)/devbay config reference --write docs/configuration.md

constraints: ## pin every dependency anew, with hashes (needs uv)
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make constraints" \
	    --group dev $(addsuffix /pyproject.toml,$(MEMBERS)) \
	    $(patsubst %,--no-emit-package %,devbay $(patsubst backends/%,devbay-%,$(filter backends/%,$(MEMBERS)))) \
	    --output-file constraints.txt
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make constraints" \
	    --constraint constraints.txt $(addsuffix /pyproject.toml,$(MEMBERS)) \
	    $(patsubst %,--no-emit-package %,devbay $(patsubst backends/%,devbay-%,$(filter backends/%,$(MEMBERS)))) \
	    --output-file deploy/image/requirements.txt

wheels: $(READY) ## dist/: our wheels, and those of everything they need
	@rm -rf dist
	@set -e; for member in $(MEMBERS); do \
	    $(BIN)/python -m build --wheel --no-isolation --outdir dist $$member >/dev/null; done
	@$(BIN)/python -m pip download --quiet --require-hashes --only-binary :all: --dest dist \
	    --requirement deploy/image/requirements.txt

image: wheels ## the container image; BACKENDS="nvidia sriov" IMAGE=... BASE=... choose
	@$(BUILDER) build $(BUILD_ARGS) --build-arg BASE=$(BASE) --build-arg BACKENDS="$(BACKENDS)" --tag $(IMAGE) \
	    --file deploy/image/Containerfile .

clean: ## remove what these commands made
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# Pinned third parties first, then our packages without their dependencies: what is installed is what is pinned.
# The stamp goes first and comes back last: a set-up that was interrupted, or never ended, starts afresh.
$(READY): constraints.txt Makefile $(addsuffix /pyproject.toml,$(MEMBERS))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "devbay needs Python 3.11 or newer; try: make PYTHON=python3.11"; exit 1; }
	@echo "setting up $(VENV) ..."
	@test -e $@ || rm -rf $(VENV)
	@rm -f $@
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement constraints.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation $(addprefix --editable ./,$(MEMBERS))
	@touch $@
