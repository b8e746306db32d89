# Everything a newcomer needs: `make demo`, `make test`. Python 3.11 or newer and make are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: docs demo test test-long city lint bench schemas install uninstall clean

demo: $(VENV)/.test
	$(BIN)/bwc demo

test: $(VENV)/.test
	$(BIN)/pytest -n 2 --dist loadgroup

# as root: power cuts, exhaustive faults, kills; up to an hour
test-long: $(VENV)/.test
	$(BIN)/python -m tests.long

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports

# as root: a citywide day, 12 docks on hosts of their own, in under five minutes; OFFICERS=60 plays a small one
city: $(VENV)/.test
	$(BIN)/python -m tests.city $(if $(OFFICERS),--officers $(OFFICERS))

# ONLY=clip runs one benchmark
bench: $(VENV)/.bench
	$(BIN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY))

docs: $(VENV)/.test
	PYTHONPATH=. $(BIN)/python docs/draw_lifecycle.py

schemas: $(VENV)/.test
	$(BIN)/python -m daemon.model.schemas config/schemas

# as root: into /opt/bwc, with users and services; keeps every file of an administrator's
install uninstall:
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' PYTHON='$(PYTHON)' systemd/install.sh $@

$(VENV)/.test: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "python 3.11 or newer is needed; try make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

$(VENV)/.bench: $(VENV)/.test
	$(BIN)/pip install --quiet --editable '.[test,bench]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist bench
