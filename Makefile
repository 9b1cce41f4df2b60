# make run: a line is sorting in front of you. make test: everything is proven. Both set up what they need.
# Everything made at set-up lies in .venv and calibration/artefacts; `make clean` takes it away.

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for it in python3.11 python3; do $$it -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$it && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
UV_LOCK := UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --extra build

# The station spreads its work over processes itself; a matrix library with threads of its own only gets in the way.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

SUGAR := calibration/artefacts/sugar_sim.npz
SUGAR_MADE_FROM := $(wildcard calibration/*.py grader/spectra/*.py) hardware/sim/spectrometer.py

NO_PYTHON := Python 3.11 or later is needed. On Debian or Ubuntu: sudo apt install python3 python3-venv. \
	Or name one: make PYTHON=/path/to/python3.11

# $(call with_dots,what is going on,command): a dot every two seconds, so that nobody takes a slow line for a dead one.
define with_dots
	@printf '%s ' '$(1)'; (while sleep 2; do printf .; done) & dots=$$!; \
	$(2); result=$$?; kill $$dots; test $$result = 0 && echo ' done' || echo ' failed'; exit $$result
endef

.PHONY: run setup test check accept bench lock clean

run: $(VENV)/.ready $(SUGAR)
	$(BIN)/python -m grader run

setup: $(VENV)/.ready-dev $(SUGAR)

test: setup
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope

check: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The long figures, about four hours: an hour of fuzzing, an hour of faults, half an hour at the full rate, 300 kills.
# One of them: make accept ACCEPT="-k killed". Shorter: make accept ACCEPT="--accept-fault-minutes 5 --accept-kills 10"
accept: setup
	$(BIN)/python -m pytest tests/accept -s --run-accept $(ACCEPT)

bench: setup
	$(BIN)/python -m grader bench

# After a change of the dependencies in pyproject.toml.
lock: $(VENV)/.ready-dev
	$(UV_LOCK) pyproject.toml -o requirements.lock
	$(UV_LOCK) --extra dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) build *.egg-info calibration/artefacts

$(BIN)/python:
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(NEW_ENOUGH)' || { echo "$(NO_PYTHON)"; exit 1; }
	@echo "Setting up, once: some 600 MB in $(VENV), nothing outside this folder."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(NO_PYTHON)"; exit 1; }

$(VENV)/.ready: requirements.lock pyproject.toml | $(BIN)/python
	$(call with_dots,Libraries (a minute; more on a slow line),$(PIP) install --require-hashes -r requirements.lock)
	$(call with_dots,The program,$(PIP) install --no-deps --no-build-isolation -e .)
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	$(call with_dots,Tools for developers,$(PIP) install --require-hashes -r requirements-dev.lock)
	@touch $@

$(SUGAR): $(SUGAR_MADE_FROM) | $(VENV)/.ready
	@rm -f $@
	$(call with_dots,Sugar model of the simulated line,$(BIN)/python -m grader calibrate sugar >/dev/null)
