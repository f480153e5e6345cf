# Every target installs what it needs. A fresh machine needs Python 3.11 or newer, and make.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: setup demo test test-fast lint format bench dashboards schemas lock tools clean

setup: $(STAMP)  ## a virtual environment with the command line at .venv/bin/throughline

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $@

demo: setup  ## the main job on the embedded services: simulate, stitch, detect, compare with the truth
	$(BIN)/throughline demo

test: setup tools lint  ## everything but the long runs
	$(BIN)/python -m pytest

test-fast: setup  ## the pure core: seconds, no services
	$(BIN)/python -m pytest -m "not services and not data and not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## the whole job through Kafka to ClickHouse, beside the bound of the same run
	$(BIN)/python -m benchmarks.pipeline

dashboards: setup  ## write grafana/dashboards from their builder
	$(BIN)/python -m grafana.build

schemas: setup  ## write docs/schemas from the contracts
	$(BIN)/throughline schemas export --to docs/schemas

lock: setup  ## resolve the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --universal --output-file requirements.lock

tools:  ## what tests use beside Python: docker-compose checks the compose file
	@command -v docker-compose >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && { apt-get -qq update; apt-get -qq install -y --no-install-recommends docker-compose >/dev/null; } } \
	  || echo "docker-compose is not here and can't be installed: the check of docker-compose.yml will not run"

clean:
	rm -rf .venv .throughline build *.egg-info
