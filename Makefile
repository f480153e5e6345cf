# Every target installs what it needs. A fresh machine needs Python 3.11 or newer, and make.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
INSTALLED := .venv/.installed
COMPILED := .venv/.compiled

.PHONY: setup demo test test-fast laws faults soak fuzz lint format bench dashboards schemas lock tools clean

setup: $(INSTALLED) $(COMPILED)  ## a virtual environment with the command line at .venv/bin/throughline

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	THROUGHLINE_INTERPRETED=1 $(INSTALL)
	touch $@

$(COMPILED): $(INSTALLED) setup.py pipeline/core $(wildcard pipeline/core/*.py pipeline/ports.py schemas/*.py schemas/*/*.py)
	rm -f *.so pipeline/core/*.so pipeline/core/.compiled
	$(INSTALL)
	@test -e pipeline/core/.compiled || echo "pipeline/core is not compiled and will be slower: a C compiler or Python's headers are not here"
	@$(BIN)/python -m compileall -q pipeline/core  # so that the folder changes only with its modules
	touch $@

demo: setup  ## the main job on the embedded services: simulate, stitch, detect, compare with the truth
	$(BIN)/throughline demo

test:  ## everything but the long runs, on the compiled core; its stories on the interpreted one too
	$(MAKE) -j 2 setup tools lint  # side by side: each keeps one core busy
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/engine
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/engine  # sessions and time-outs: nothing else may run beside them
	LAWS=0.05 THROUGHLINE_INTERPRETED=1 $(BIN)/python -m pytest -q -n 2 tests/stories tests/core/test_memory_run.py

test-fast: $(INSTALLED)  ## what needs no services, on the interpreted core: nothing is compiled
	THROUGHLINE_INTERPRETED=1 $(BIN)/python -m pytest -m "not services and not data and not slow"

LAWS ?= 3
laws: setup  ## the laws alone, over ten times as many random worlds as `make test`; LAWS=30 for a night
	LAWS=$(LAWS) $(BIN)/python -m pytest -q -n 2 -k "laws or oracle or without_what_its_rule_says" \
	  tests/core tests/warehouse tests/shadow tests/simulate

T ?=
faults: setup  ## every fault scenario, long and short, and what was injected and compared; T=name: those of that name
	$(BIN)/python -m pytest -q -m "faults or faults_short" -k "$(T)"

MINUTES ?= 60
soak: setup  ## random faults for MINUTES, then the comparison of everything; for a night: MINUTES=480
	SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest -q -m soak

SECONDS ?= 60
fuzz: $(INSTALLED)  ## every decoder under coverage-guided fuzzing, SECONDS each; T=map for one (docs/fuzzing.md)
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(SECONDS) $(T)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## the whole job through Kafka to ClickHouse, beside the bound of the same run
	$(BIN)/python -m benchmarks.pipeline

dashboards: setup  ## write grafana/dashboards from their builder
	$(BIN)/python -m grafana.build

schemas: setup  ## write schemas/exported from the contracts
	$(BIN)/throughline schemas export --to schemas/exported

lock: setup  ## resolve the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --universal --output-file requirements.lock

tools:  ## what tests use beside Python: docker-compose checks the compose file
	@command -v docker-compose >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && { apt-get -qq update; apt-get -qq install -y --no-install-recommends docker-compose >/dev/null; } } \
	  || echo "docker-compose is not here and can't be installed: the check of docker-compose.yml will not run"

clean:
	rm -rf .venv .throughline .fuzz build *.egg-info *.so pipeline/core/*.so pipeline/core/.compiled
