# make repro | up | deploy | worker | down | test | numerical-test | slow-test | lint | lock | params | deps | clean | help.   PYTHON=/path/to/python3.11 picks the interpreter.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
STAMP := $(VENV)/.installed
# An interpreter that runs: pyenv leaves names on the PATH which do not.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.10 python3 python; do \
	if $$name -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then echo $$name; break; fi; done)
# Where else pip may look, for example PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu" for a smaller torch.
PIP_FLAGS ?=
# Two workers on two cores; JOBS=0 runs tests in one process.
JOBS ?= 2

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# The same switches as jmlr/telemetry.py, for `dvc` and `mlflow` called from here; a value of yours stays.
export DO_NOT_TRACK ?= true
export DVC_NO_ANALYTICS ?= 1
export MLFLOW_DISABLE_TELEMETRY ?= true
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1
# Given as make up JMLR_PREFECT_PORT=4300, too.
export JMLR_PREFECT_PORT JMLR_MLFLOW_PORT JMLR_POSTGRES

.PHONY: help repro up down deploy worker venv prerequisites starter-data test slow-test lint format lock params deps clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1|/' | column -t -s '|'

repro: venv starter-data  ## data -> trained pair -> MLflow registry -> result table
	@dvc repro
	jmlr register
	jmlr results

up: venv  ## Prefect and MLflow servers on this machine, in the background; JMLR_PREFECT_PORT, JMLR_MLFLOW_PORT, JMLR_POSTGRES
	@python -m flows.servers up

down: venv  ## stop them
	@python -m flows.servers down

deploy: venv  ## the flows as deployments of the Prefect server, on the schedule of params.yaml and on new data
	@python -m flows.deploy

worker: venv  ## run what is due, until Ctrl-C
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

# Made again only when the lock or the project's own definition changes.
$(STAMP): requirements.lock pyproject.toml
	@$(MAKE) --no-print-directory prerequisites
	[ -x $(VENV)/bin/python ] || $(PYTHON) -m venv $(VENV)
	echo "installing requirements.lock into $(VENV) (2 to 4 minutes)"
	$(VENV)/bin/python -m pip install --quiet --no-compile $(PIP_FLAGS) -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	touch $@

lint: venv  ## style, import contract, types
	@ruff check .
	ruff format --check .
	lint-imports
	mypy

test: lint  ## lint, then doctests and tests
	@pytest -n $(JOBS) -m "not slow"

slow-test: venv  ## the tests that need minutes
	@pytest -m slow

# As ATen, MKL and oneDNN compute on other processors, as far as this one can; each on one thread and on two.
numerical-test: venv  ## the tests of sums of floats as other processors round them: default, avx2, avx512; one thread and two
	@levels=default
	for level in avx2 avx512; do if grep -qsE "^flags.* $${level/512/512f} " /proc/cpuinfo; then levels+=" $$level"; fi; done
	for level in $$levels; do for threads in 1 2; do
		echo "numerical tests: $$level, $$threads thread(s)"
		export ATEN_CPU_CAPABILITY=$$level OMP_NUM_THREADS=$$threads MKL_NUM_THREADS=$$threads JMLR_TEST_THREADS=$$threads
		unset MKL_ENABLE_INSTRUCTIONS ONEDNN_MAX_CPU_ISA
		if [ $$level = avx2 ]; then export MKL_ENABLE_INSTRUCTIONS=AVX2 ONEDNN_MAX_CPU_ISA=AVX2; fi
		pytest -q -n $(JOBS) -m "numerical and not slow" tests
	done; done

format: venv  ## mend style where ruff can
	@ruff check --fix .
	ruff format .

deps: venv  ## the code that each stage runs, by the import graph, into dvc.yaml
	@python tests/unit/stage_code.py

params: venv  ## params.yaml from conf/, recipe RECIPE=starter
	@jmlr recipes --use $(or $(RECIPE),starter)

lock: venv  ## every version again, keeping what still fits; UPGRADE=--upgrade takes the newest
	@tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT
	$(PYTHON) -m venv "$$tools" && "$$tools/bin/pip" install --quiet uv
	cp requirements.lock "$$tools/requirements.lock"
	"$$tools/bin/uv" pip compile --quiet --universal --python-version 3.10 --extra dev --no-annotate --no-header $(UPGRADE) \
		pyproject.toml --output-file "$$tools/requirements.lock"
	head -1 requirements.lock > "$$tools/lock"
	grep -v -E '^(#|nvidia|cuda|triton)' "$$tools/requirements.lock" >> "$$tools/lock"
	mv "$$tools/lock" requirements.lock

clean:  ## remove what the pipeline and the tools made; data/, .venv, the DVC cache and mlflow.db stay
	@rm -rf build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dvc_plots *.egg-info
	find jmlr flows tests -name __pycache__ -type d -prune -exec rm -rf {} +
