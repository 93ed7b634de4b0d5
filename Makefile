# Two commands: `make run` (set up, run the main job on the bundled images) and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --retries 5 --timeout 60

.PHONY: run test hardening setup lint types contracts docs check release wheel-test benchmark-models clean

run: setup
	$(BIN)/vitiq run examples/images -o out --preset thesis

test: setup
	$(BIN)/python -m pytest -n 2

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "vitiq needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up $(VENV): about a minute, torch is large"
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	@touch $@

FILES ?= 1000000
SEED ?= 1
hardening: setup
	mkdir -p build
	$(BIN)/python tests/hardening/campaign.py --files $(FILES) --seed $(SEED) --out build/hardening.json
	$(BIN)/python tests/hardening/guided.py --runs $$(( $(FILES) / 50 )) --seed $(SEED) --out build/guided.json
	$(BIN)/python tests/hardening/memory.py build/memory 2000
	VITIQ_HARDENING_LONG=1 $(BIN)/python -m pytest -q -n 2 tests/hardening
	VITIQ_KILLS=20 $(BIN)/python -m pytest -q tests/integration/test_bench.py -k killed

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports

docs: setup
	$(BIN)/python docs/make_cli_reference.py
	$(BIN)/python docs/make_package_diagram.py

check: lint types contracts test

# What is uploaded, in dist/: after the checks that an upload needs (addresses, versions, dates).
release: setup
	$(BIN)/python docs/check_release.py
	rm -rf dist
	$(PIP) build
	$(BIN)/python -m build
	$(MAKE) wheel-test

benchmark-models: setup
	$(BIN)/python benchmarks/models.py

clean:
	rm -rf $(VENV) out build

# A wheel in an empty environment, on one image: what a user's `pip install` gives.
WHEEL := build/wheel
WHEEL_PIP := $(WHEEL)/venv/bin/python -m pip --disable-pip-version-check
wheel-test:
	rm -rf $(WHEEL) && mkdir -p $(WHEEL)
	$(PYTHON) -m venv $(WHEEL)/venv
	$(WHEEL_PIP) wheel --quiet --no-deps --wheel-dir $(WHEEL) .
	$(WHEEL_PIP) install --quiet --retries 5 --timeout 60 --constraint constraints.txt $(WHEEL)/*.whl
	cd $(WHEEL) && venv/bin/vitiq encode ../../examples/images/portrait.png -o portrait.viq && \
	  venv/bin/vitiq decode portrait.viq -o portrait.png && \
	  venv/bin/vitiq run ../../examples/images/portrait.png -o out --quiet && test -s out/report.html
	@du -sm $(WHEEL)/venv/lib/python3*/site-packages | sed 's/\t.*/ MB installed/'
