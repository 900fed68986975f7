# All set-up on a fresh Debian needs git, make, python3 and python3-venv only.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo servers test check bench mutants lock clean

help:
	@echo "make demo     the whole loop on loopback, in under 20 seconds"
	@echo "make test     every test, with real servers where they can be installed"
	@echo "make check    ruff, mypy, import rules, coverage floors (after make test)"
	@echo "make bench    the program's own figures"
	@echo "make mutants  the tests against deliberate faults"

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: setup
	$(BIN)/ipwatch demo

servers:
	sh tests/servers.sh
	PYTHON=$(PYTHON) sh tests/apps.sh

test: setup servers
	$(BIN)/python -m pytest -n 4 --cov --cov-report= $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/floors.py

bench: setup
	$(BIN)/python tests/bench/run.py $(ARGS)

mutants: setup
	$(BIN)/python tests/mutants/run.py

# The lock is made with uv from pyproject.toml: exact versions and hashes for Python 3.11 to 3.14, every platform.
lock: setup
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --group service -c requirements.lock -o docker/requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* build dist
