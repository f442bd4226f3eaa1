# The commands people type. Each sets up what it needs: a machine with Python >= 3.11 (with venv) and make is enough.

PYTHON ?= python3
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := host $(sort $(wildcard backends/*))
READY := $(VENV)/.ready

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test check format proto constraints clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

demo: $(READY) ## the main job on your terminal: a simulated kubelet, the host, mock accelerators; under 20 s
	@$(BIN)/devbay demo

test: $(READY) ## the tests; PYTEST_ARGS="tests/host -k session" chooses
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

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

constraints: ## pin every dependency anew, with hashes (needs uv)
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make constraints" \
	    --group dev $(addsuffix /pyproject.toml,$(MEMBERS)) \
	    $(patsubst %,--no-emit-package %,devbay $(patsubst backends/%,devbay-%,$(filter backends/%,$(MEMBERS)))) \
	    --output-file constraints.txt

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
