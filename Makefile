# Two commands do everything on a machine with Python 3.11 or newer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# Tests that have a long form.
CHAOS := tests/faults $(addprefix tests/edge/,bus/test_sinks.py pipeline/test_hostile_frames.py test_overload.py \
	test_model_faults.py test_model_exchange.py test_model_memory.py)

# What is in the image: from whatever index, held to by hashes.
LOCKS := deploy/requirements
LOCK := $(BIN)/uv pip compile --quiet --upgrade --no-header --no-annotate --generate-hashes \
	--python-version 3.11 --python-platform x86_64-manylinux_2_28

# Behind a company's proxy the system's certificates are the right ones; uv otherwise brings its own.
export UV_SYSTEM_CERTS := 1

.DEFAULT_GOAL := help
.PHONY: help demo test chaos soak lint format bench schemas dashboards pictures lock clean

help: ## List the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[36mmake %-11s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Stripsight needs Python 3.11 or newer; name one with: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv

$(VENV)/installed: pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev]'
	@touch $@ $(VENV)/installed

demo: $(VENV)/installed ## Watch a synthetic strip being inspected; ARGS="--help" lists the options
	$(BIN)/stripsight demo $(ARGS)

test: $(VENV)/installed-dev ## Run all tests; ARGS="-k batcher" picks some
	$(BIN)/pytest $(ARGS)

chaos: $(VENV)/installed-dev ## Run the long form of all fault tests: broker, network, daemons, models, hostile frames
	STRIPSIGHT_TEST_LONG=1 STRIPSIGHT_TEST_NO_SKIP=docker $(BIN)/pytest --timeout=3600 $(CHAOS) $(ARGS)

soak: $(VENV)/installed-dev ## See that memory stays flat over 100,000 frames, also when cameras come and go
	STRIPSIGHT_TEST_LONG=1 STRIPSIGHT_TEST_NO_SKIP=docker $(BIN)/pytest --timeout=7200 -s tests/edge/test_memory.py $(ARGS)

lint: $(VENV)/installed-dev ## Check style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/installed-bench: pyproject.toml | $(VENV)/installed-dev
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[bench]'
	@touch $@

bench: $(VENV)/installed-bench ## Measure, side by side; ARGS="--only pipeline,decode --repetitions 5", ARGS=--check
	$(BIN)/python -m tests.bench $(ARGS)

schemas: $(VENV)/installed ## Write JSON Schema files and the table of settings anew from the code
	$(BIN)/python -m edge.contracts.schema
	$(BIN)/python -m edge.configuration.document docs/settings.md

pictures: $(VENV)/installed ## Take the pictures in the documentation anew, of a run of the demo
	$(BIN)/python -m edge.demo.pictures docs/images

dashboards: $(VENV)/installed-dev ## Write Grafana's dashboards anew from their code
	$(BIN)/python -m deploy.grafana

lock: $(BIN)/uv ## Choose the versions of libraries that the image has anew, from pyproject.toml
	$(LOCK) --extra gpu --extra otel --constraint $(LOCKS)/torch.in pyproject.toml --output-file $(LOCKS)/runtime.txt
	$(LOCK) --constraint $(LOCKS)/runtime.txt $(LOCKS)/torch.in --output-file $(LOCKS)/torch.txt
	$(LOCK) $(LOCKS)/build.in --output-file $(LOCKS)/build.txt
	$(LOCK) --constraint $(LOCKS)/runtime.txt $(LOCKS)/torchserve.in --output-file $(LOCKS)/torchserve.txt

clean: ## Remove what was installed and built
	rm -rf $(VENV) build dist *.egg-info
