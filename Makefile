# `make help` lists the targets. PYTHON=/path/to/python3.11 picks the interpreter.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
STAMP := $(VENV)/.installed
DOCS_VENV := .venv-docs
DOCS_STAMP := $(DOCS_VENV)/.installed
# The first interpreter that really runs: pyenv leaves names on the PATH that do not.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.10 python3 python; do \
	if $$name -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then echo $$name; break; fi; done)
# Options for pip, for example PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu" for a smaller torch.
PIP_FLAGS ?=
# Processes that run the tests; JOBS=0 runs them in one process.
JOBS ?= 2

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Telemetry off, as in jmlr/telemetry.py, for `dvc` and `mlflow` started from here. A value you have set stays.
export DO_NOT_TRACK ?= true
export DVC_NO_ANALYTICS ?= 1
export MLFLOW_DISABLE_TELEMETRY ?= true
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1
# Python keeps bytecode, whatever the caller's environment says: without it every process compiles torch, transformers and
# MLflow again, which takes longer than most stages and tests.
unexport PYTHONDONTWRITEBYTECODE
# So that `make up JMLR_PREFECT_PORT=4300` works.
export JMLR_PREFECT_PORT JMLR_MLFLOW_PORT JMLR_POSTGRES

.PHONY: help repro up down deploy worker venv prerequisites starter-data test slow-test numerical-test lint format docs drawings lock params deps clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1|/' | column -t -s '|'

repro: venv starter-data  ## run the pipeline, register the model, print the result table
	@dvc repro
	jmlr register
	jmlr results

up: venv  ## start Prefect and MLflow servers in the background (JMLR_PREFECT_PORT, JMLR_MLFLOW_PORT, JMLR_POSTGRES)
	@python -m flows.servers up

down: venv  ## stop the servers
	@python -m flows.servers down

deploy: venv  ## deploy the flows to the Prefect server, with the schedule of params.yaml and the trigger on new data
	@python -m flows.deploy

worker: venv  ## run deployed flows when they are due, until Ctrl-C
	@python -m flows.deploy --work

starter-data: venv
	@if [ ! -e data ]; then jmlr starter data; fi

venv: $(STAMP)

prerequisites:
	@stop() { printf 'error: %s\n' "$$1" >&2; exit 2; }
	[ -n "$(PYTHON)" ] || stop "no Python 3.10, 3.11 or 3.12 on the PATH; install one, or name it: make repro PYTHON=/path/to/python3.11"
	$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))' || stop "$(PYTHON) is not Python 3.10, 3.11 or 3.12; name another: make repro PYTHON=/path/to/python3.11"
	$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || stop "$(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv"
	command -v git >/dev/null || stop "no git, which DVC needs; on Debian and Ubuntu: apt-get install git"

# Rebuilt only when requirements.lock or pyproject.toml changes.
$(STAMP): requirements.lock pyproject.toml
	@$(MAKE) --no-print-directory prerequisites
	[ -x $(VENV)/bin/python ] || $(PYTHON) -m venv $(VENV)
	echo "installing requirements.lock into $(VENV) (2 to 4 minutes)"
	$(VENV)/bin/python -m pip install --quiet --no-compile $(PIP_FLAGS) -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	touch $@

lint: venv  ## check style, imports and types
	@ruff check .
	ruff format --check .
	lint-imports
	mypy

test: lint  ## lint, then run doctests and tests
	@pytest -n $(JOBS) -m "not slow"

slow-test: venv  ## run the tests that need minutes
	@pytest -m slow

# Makes ATen, MKL and oneDNN compute as on other processors, as far as this one can.
numerical-test: venv  ## run the numerical tests with the rounding of other processors, on one thread and on two
	@levels=default
	for level in avx2 avx512; do if grep -qsE "^flags.* $${level/512/512f} " /proc/cpuinfo; then levels+=" $$level"; fi; done
	for level in $$levels; do for threads in 1 2; do
		echo "numerical tests: $$level, $$threads thread(s)"
		export ATEN_CPU_CAPABILITY=$$level OMP_NUM_THREADS=$$threads MKL_NUM_THREADS=$$threads JMLR_TEST_THREADS=$$threads
		unset MKL_ENABLE_INSTRUCTIONS ONEDNN_MAX_CPU_ISA
		if [ $$level = avx2 ]; then export MKL_ENABLE_INSTRUCTIONS=AVX2 ONEDNN_MAX_CPU_ISA=AVX2; fi
		pytest -q -n $(JOBS) -m "numerical and not slow" tests
	done; done

format: venv  ## fix style where ruff can
	@ruff check --fix .
	ruff format .

docs: $(DOCS_STAMP)  ## build the documentation as a site in build/site
	@$(DOCS_VENV)/bin/mkdocs build --strict

drawings: $(DOCS_STAMP)  ## draw docs/images/*.svg from the .dot files beside them
	@$(DOCS_VENV)/bin/python docs/images/draw.py $(DOCS_VENV)/bin/graphviz-pure

$(DOCS_STAMP): requirements-docs.lock
	@$(MAKE) --no-print-directory prerequisites
	[ -x $(DOCS_VENV)/bin/python ] || $(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet -r requirements-docs.lock
	touch $@

deps: venv  ## write into dvc.yaml which code each stage runs, from the import graph
	@python tests/unit/stage_code.py

params: venv  ## write conf/config.yaml and docs/settings.md from the classes, params.yaml for a recipe (RECIPE=starter)
	@python -m jmlr.settings.description
	jmlr recipes --use $(or $(RECIPE),starter)

lock: venv  ## update requirements.lock, keeping versions that still fit; UPGRADE=--upgrade takes the newest
	@tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT
	$(PYTHON) -m venv "$$tools" && "$$tools/bin/pip" install --quiet uv
	cp requirements.lock "$$tools/requirements.lock"
	"$$tools/bin/uv" pip compile --quiet --universal --python-version 3.10 --extra dev --no-annotate --no-header $(UPGRADE) \
		pyproject.toml --output-file "$$tools/requirements.lock"
	head -1 requirements.lock > "$$tools/lock"
	grep -v -E '^(#|nvidia|cuda|triton)' "$$tools/requirements.lock" >> "$$tools/lock"
	mv "$$tools/lock" requirements.lock
	cp requirements-docs.lock "$$tools/docs.lock"
	"$$tools/bin/uv" pip compile --quiet --universal --python-version 3.10 --group docs --no-annotate --no-header $(UPGRADE) \
		--output-file "$$tools/docs.lock"
	head -1 requirements-docs.lock > "$$tools/lock"
	grep -v '^#' "$$tools/docs.lock" >> "$$tools/lock"
	mv "$$tools/lock" requirements-docs.lock

clean:  ## delete build/ and caches; data/, .venv, the DVC cache and mlflow.db stay
	@rm -rf build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dvc_plots *.egg-info
	find jmlr flows tests -name __pycache__ -type d -prune -exec rm -rf {} +
