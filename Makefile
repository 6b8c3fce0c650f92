# Two commands for a newcomer: `make demo` and `make test`. Everything happens in ./.venv and ./build.

PYTHON ?= python3
JOBS   ?= 2
PARALLEL := -n $(JOBS) --dist worksteal # neighbours stay on one core, and with them what they both need
VENV   := .venv
BIN    := $(VENV)/bin
BUILD  := build
PLOT   := $(BUILD)/level-convergence.png

SOURCES := $(wildcard theory numerics verify widegap tests benchmarks docs)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# pyright ships inside its wheel; do not ask the network for a newer one at every check
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo lab test test-long test-full test-generic check format bench docs clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---- set-up: one stamp per set of dependencies, remade only when pyproject.toml changes ----------
# While pip works there is no stamp, so an interrupted set-up is noticed and begun again from nothing.

BASE := $(VENV)/.stamp-base

$(BASE): pyproject.toml
	@if [ ! -e $@ ] || ! $(BIN)/python -c '' 2>/dev/null; then \
	    $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	        "widegap needs Python 3.11 or newer, found " + sys.version.split()[0] + " (set PYTHON=...)")' \
	    && echo "setting up $(VENV) (once; a minute or two)" \
	    && rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); \
	 else rm -f $(VENV)/.stamp-*; fi
	@$(BIN)/python -m pip install -qq -e .
	@touch $@

$(VENV)/.stamp-%: $(BASE)
	@echo "installing the [$*] tools into $(VENV)"
	@mv $(BASE) $(BASE).busy
	@$(BIN)/python -m pip install -qq -e '.[$*]'
	@mv $(BASE).busy $(BASE) && touch $@

# ---- what it is for ------------------------------------------------------------------------------

demo: $(VENV)/.stamp-base ## derive, solve and plot the symmetric binary perceptron, levels 2 to 7
	@mkdir -p $(BUILD)
	$(BIN)/widegap solve sbp --kappa 1 --level 7 --plot $(PLOT)

lab: $(VENV)/.stamp-lab ## the pages in the browser, until Ctrl-C
	$(BIN)/widegap lab

test: $(VENV)/.stamp-dev ## the tests, without those marked long or slow
	$(BIN)/python -m pytest $(PARALLEL)

test-long: $(VENV)/.stamp-dev ## those marked long
	$(BIN)/python -m pytest $(PARALLEL) -m "long and not slow"

test-full: $(VENV)/.stamp-dev ## all tests
	$(BIN)/python -m pytest $(PARALLEL) -m ""

# vector instructions and BLAS kernels change the last digits: error bars have to hold with the oldest, too
OLDEST := $(if $(filter x86_64,$(shell uname -m)),Prescott,ARMV8)

test-generic: $(VENV)/.stamp-dev ## the numeric tests, computed as the oldest processor would
	NUMBA_CPU_NAME=generic OPENBLAS_CORETYPE=$(OLDEST) $(BIN)/python -m pytest $(PARALLEL) -m "not slow" tests/numerics

check: $(VENV)/.stamp-dev ## formatting, lint and types
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/pyright --warnings

format: $(VENV)/.stamp-dev ## rewrite the sources in the project's format
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: $(VENV)/.stamp-dev ## the benchmarks, as ratios within one run
	$(BIN)/python -m benchmarks

docs: $(VENV)/.stamp-docs ## the documentation site, in build/docs
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d $(BUILD)/doctrees docs $(BUILD)/docs
	@echo "open $(BUILD)/docs/index.html"

clean: ## remove what the targets built, keep the environment
	rm -rf $(BUILD) dist docs/gallery docs/sg_execution_times.rst .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## remove the environment too
	rm -rf $(VENV)
