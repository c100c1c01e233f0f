# Device Gateway: everything starts here. Settings: PYTHON, PORT, DATA_DIR.
PYTHON ?= python3
PORT ?= 8000
DATA_DIR ?= .demo
FUZZ_SECONDS ?= 20
VENV := .venv
BIN := $(VENV)/bin
# Each test of a process starts Python: what it imports is compiled once, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --quiet
# Many tests wait more than they work, so three at a time on two cores. In acceptance two, for each runs a product of
# its own.
PARALLEL := -n 3 --dist loadfile
ACCEPTANCE := -n 2 --dist loadfile tests/acceptance
SOURCES := src adapters simulators tests benchmarks

# What has to do with the store, on a real TimescaleDB (Apache): Debian's package in a private root, which is kept. Needs root.
TIMESCALEDB := .timescaledb
STORE_TESTS := tests/integration/store tests/integration/readings tests/integration/ingest/test_batch.py

.PHONY: help demo setup test test-all test-timescaledb screens lint lint-types lint-style lint-security format bench fuzz lock clean
help:
	@echo "make demo      install what is locked, start everything, print URLs and accounts (PORT=$(PORT) DATA_DIR=$(DATA_DIR))"
	@echo "make test      install what the tests need and run them; make test-all adds those that take long"
	@echo "make test-timescaledb  the store's tests on a real TimescaleDB, from Debian's packages (needs root)"
	@echo "make screens   make the pictures of docs/screens anew, in Chromium"
	@echo "make lint      formatting, lint, types, import contracts, security lint"
	@echo "make bench     measure, each figure beside its limit"
	@echo "make fuzz      throw octets at each adapter for FUZZ_SECONDS ($(FUZZ_SECONDS)) seconds, guided by coverage (Linux, x86-64)"
	@echo "make setup     only install;  make lock  renew the lock files"

# The venv is made anew when a lock changes; the package itself is installed from this tree, editable.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed; set PYTHON=…" >&2; exit 69; }
	@echo "[1/3] Making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "error: python3-venv is missing (Debian: apt install python3-venv)" >&2; rm -rf $(VENV); exit 69; }

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "[2/3] Installing $$(grep -c '^[a-z]' requirements.lock) locked packages"
	@sed -n '/^pip==/,/[^\\]$$/p' requirements.lock > $(VENV)/pip.lock
	@$(INSTALL) --require-hashes -r $(VENV)/pip.lock
	@$(INSTALL) --require-hashes -r requirements.lock
	@echo "[3/3] Installing device-gateway"
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "Installing what the tests need"
	@$(INSTALL) --no-compile --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(VENV)/.dev

demo: $(VENV)/.runtime
	@exec $(BIN)/device-gateway demo --port $(PORT) --data-dir $(DATA_DIR)

test: $(VENV)/.dev
	@sh tests/install-programs.sh
	$(BIN)/python -m pytest -m "not slow" $(PARALLEL) tests/unit tests/integration
	$(BIN)/python -m pytest -m "not slow" $(ACCEPTANCE)

test-all: $(VENV)/.dev
	@sh tests/install-programs.sh
	$(BIN)/python -m pytest $(PARALLEL) tests/unit tests/integration
	$(BIN)/python -m pytest $(ACCEPTANCE)

# The pictures of docs/screens, made by the test that walks an app through its life.
screens: $(VENV)/.dev
	@sh tests/install-programs.sh
	@mkdir -p docs/screens
	SCREENS=docs/screens $(BIN)/python -m pytest tests/acceptance/test_life_of_an_app.py -k born

test-timescaledb: $(VENV)/.dev
	@sh tests/timescaledb-root.sh $(TIMESCALEDB)
	$(BIN)/python -m pytest --timescaledb $(TIMESCALEDB) $(PARALLEL) $(STORE_TESTS) \
	  --deselect tests/integration/store/test_columnstore.py

lint: lint-types lint-style lint-security

lint-types: $(VENV)/.dev
	$(BIN)/mypy

lint-style: $(VENV)/.dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/lint-imports

lint-security: $(VENV)/.dev
	$(BIN)/bandit --quiet --recursive src adapters --configfile pyproject.toml

format: $(VENV)/.dev
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

fuzz: $(VENV)/.dev
	@for family in $$($(BIN)/python tests/fuzz/adapters.py families 2>/dev/null); do \
		echo "fuzz $$family"; $(BIN)/python tests/fuzz/adapters.py $$family $(FUZZ_SECONDS) -print_final_stats=1 || exit 1; \
	done

# No index address and no comment goes into a lock: any mirror that has these hashes will do.
lock: $(VENV)/.dev
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --extra build --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --quiet --extra build --extra dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) $(DATA_DIR) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
