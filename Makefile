# One door to every task. Bare `make` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= 3
ARGS ?=
# Compiled modules are kept, whatever the shell says: else each process that a test starts compiles the house anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-web web screenshots lint types laws docs schemas bench isolation check clean lock services services-install services-stop scan audit

help:  ## List the verbs
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "knowlog needs Python 3.11 or newer; name one with PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

WEB := src/knowlog/web/index.html
$(WEB): $(READY) web/package-lock.json web/vite.config.js web/index.html $(shell find web/src -type f ! -name schema.d.ts)
	@$(BIN)/python web/build.py

web: $(WEB)  ## Build the web application into the package

run: $(READY) $(WEB)  ## Start everything, ingest the examples, ask four questions, keep serving (ARGS=--once to stop then)
	@KNOWLOG_DATA_DIR=$${KNOWLOG_DATA_DIR:-$(CURDIR)/.knowlog} $(BIN)/knowlog demo $(ARGS)

test: $(READY) $(WEB)  ## Run the whole suite (ARGS="-k name" for a part, JOBS=0 for one process)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-web: $(READY) $(WEB)  ## Drive the web application in Chromium, which make services-install brings
	@$(BIN)/python -m pytest -q tests/acceptance/test_web_*.py tests/integration/api/test_api_web.py $(ARGS)

screenshots: $(READY) $(WEB)  ## Take pictures of the web application (ARGS=FOLDER)
	@$(BIN)/python deploy/screenshots.py $(ARGS)

lint: $(READY)  ## Style and simple mistakes
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(READY)  ## Put the code into its form
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

types: $(READY)  ## Strict type check, also of the web application
	@$(BIN)/mypy
	@$(BIN)/python web/build.py check

laws: $(READY)  ## The import law of the house
	@$(BIN)/lint-imports

scan: $(READY)  ## Look for insecure code (bandit), and for licences of the page's parts that are not permissive
	@$(BIN)/bandit --quiet --recursive src --configfile pyproject.toml
	@$(BIN)/python web/licences.py

audit: $(READY)  ## Ask the advisories for every pinned version; says so when they cannot be reached
	@$(BIN)/python deploy/audit.py $(ARGS)

docs: $(READY)  ## Check that docs are current and their examples run
	@$(BIN)/python -m pytest -q tests/house

schemas: $(READY)  ## Publish the schemas of events that were added
	@$(BIN)/python -m knowlog.bus

bench: $(READY)  ## Run a benchmark: make bench ARGS="retrieval --data DIR"
	@$(BIN)/knowlog bench $(ARGS)

chaos: $(READY)  ## Kill -9 everything while documents come in, with each broker (ARGS="--kills 50 --events 25000")
	@for broker in postgres redis rabbitmq kafka; do $(BIN)/knowlog bench chaos --broker $$broker $(ARGS) || exit 1; done

isolation: $(READY)  ## Play owner, colleagues and strangers against everything (ARGS="--calls 1000000 --revocations 10000")
	@$(BIN)/python -m pytest -q tests/isolation --every-bug $(ARGS)

check: lint types laws scan test  ## Everything that CI asks for

services: $(READY)  ## Install and start real Redis, RabbitMQ and Kafka on loopback, without Docker
	@$(BIN)/python deploy/services.py start

services-install: $(READY)  ## Install them, an OpenID provider and Chromium and start nothing; the tests start their own
	@$(BIN)/python deploy/services.py install

services-stop: $(READY)  ## Stop what `make services` has started
	@$(BIN)/python deploy/services.py stop

lock: $(READY)  ## Renew requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --universal --all-extras --group dev --no-emit-index-url --no-header --no-annotate --upgrade pyproject.toml -o requirements/dev.txt
	@rm -f $(READY)

clean:  ## Remove what the verbs have made
	@test ! -e .services/pid || $(BIN)/python deploy/services.py stop
	@rm -rf $(VENV) .knowlog .services .mypy_cache .ruff_cache .pytest_cache .hypothesis
