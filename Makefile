# Two commands: `make run` (set up, run the main job on the bundled images) and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --retries 5 --timeout 60

.PHONY: run test setup lint types contracts docs check benchmark-models clean

run: setup
	$(BIN)/vitiq run examples/images -o out

test: setup
	$(BIN)/python -m pytest -n 2

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "vitiq needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up $(VENV): about a minute, torch is large"
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	$(PIP) --no-deps brisque==0.2.0
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports

docs: setup
	$(BIN)/python docs/make_cli_reference.py

check: lint types contracts test

benchmark-models: setup
	$(BIN)/python benchmarks/models.py

clean:
	rm -rf $(VENV) out build
