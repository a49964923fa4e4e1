# Everything that is done to this repository, by name. Needs git, make and Python 3.11 or newer with venv.
#
# .venv is made from requirements/dev.txt, every package checked against its hash, when that file changes; a second
# time it costs nothing. Plain pip does it, because it obeys the machine's own pip configuration.

PYTHON ?= python3
WORKERS ?= 4
ROUNDS ?= 20

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready
INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check
UV := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --universal --python-version 3.11
TIMED := @scripts/timed

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check audit fix bench docs lock clean

help:
	@echo "make demo      play one model's whole story, then serve until Ctrl-C (DEMO_ONCE=1: end by itself)"
	@echo "make test      everything that must pass: check, then the tests"
	@echo "make test-all  the same, with the long runs and more rounds"
	@echo "make check     lint, format, types and architecture; no tests of behaviour"
	@echo "make audit     ask for known vulnerabilities of every locked package; needs the network"
	@echo "make fix       mend what can be mended by itself"
	@echo "make bench     measure; one JSON line each"
	@echo "make docs      write the generated pages again and check every link"
	@echo "make lock      choose newer versions of what is depended on"
	@echo "make clean     remove what was made, .venv included"

$(LOCKED): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "signoff needs Python 3.11 or newer: make PYTHON=/path/to/python" >&2; exit 2; }
	$(TIMED) "make $(VENV)" $(PYTHON) -m venv $(VENV)
	$(TIMED) "install what requirements/dev.txt locks (about a minute)" $(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

VENDOR := src/signoff/web/static/vendor/made-from.txt

$(VENDOR): $(LOCKED) frontend/build.py frontend/icons.txt frontend/package.json frontend/package-lock.json
	$(TIMED) "the pages' files of npm (half a minute, when they changed)" $(PY) frontend/build.py
	@touch $@

$(READY): $(LOCKED) pyproject.toml $(VENDOR)
	$(TIMED) "install signoff itself, editable" $(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# Apart: botocore wants an older library than signoff runs with.
AWS := $(VENV)/aws/.ready
$(AWS): $(LOCKED) requirements/aws.txt
	$(TIMED) "make $(VENV)/aws" $(PYTHON) -m venv $(VENV)/aws
	$(TIMED) "install what examples/sagemaker runs with" $(VENV)/aws/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/aws.txt
	@touch $@

# Apart for the same reason; what it lacks it finds in $(VENV).
MLFLOW := $(VENV)/mlflow/.ready
$(MLFLOW): $(LOCKED) requirements/mlflow.txt
	$(TIMED) "make $(VENV)/mlflow" $(PYTHON) -m venv $(VENV)/mlflow
	$(TIMED) "install what an mlflow server needs" $(VENV)/mlflow/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mlflow.txt
	@$(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$($(VENV)/mlflow/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/beside.pth"
	@touch $@

demo: $(READY)
	$(TIMED) "demo" $(PY) examples/demo.py

test: check $(AWS) $(MLFLOW)
	$(TIMED) "tests" $(PY) -m pytest -q -n $(WORKERS) --dist worksteal --ignore=tests/architecture

test-all: export SIGNOFF_TEST_ROUNDS = $(ROUNDS)
test-all: check $(AWS) $(MLFLOW)
	$(TIMED) "tests, the long ones too, $(ROUNDS) rounds" $(PY) -m pytest -q -n $(WORKERS) --dist worksteal --ignore=tests/architecture -m ''

check: $(READY)
	$(TIMED) "lint" $(BIN)/ruff check --quiet
	$(TIMED) "format" $(BIN)/ruff format --check --quiet
	$(TIMED) "types" $(BIN)/mypy --no-error-summary
	$(TIMED) "imports" $(BIN)/lint-imports --no-logo
	$(TIMED) "security lint" $(BIN)/bandit --quiet --recursive --configfile pyproject.toml src
	$(TIMED) "action and workflow" $(BIN)/zizmor --offline --quiet --no-progress --persona auditor integrations/github/action.yml examples/github-actions/.github/workflows/train.yml
	$(TIMED) "architecture" $(PY) -m pytest -q -n $(WORKERS) --dist worksteal tests/architecture

# Apart from check: it asks a vulnerability service of the network, and a build must not fail because that is away.
# --strict: a package that the service does not know fails, for it was not audited.
audit: $(READY)
	$(TIMED) "known vulnerabilities of what is locked" $(BIN)/pip-audit --strict --disable-pip --progress-spinner off -r requirements/dev.txt -r requirements/aws.txt -r requirements/mlflow.txt

fix: $(READY)
	$(TIMED) "lint, mending" $(BIN)/ruff check --fix --quiet
	$(TIMED) "format" $(BIN)/ruff format --quiet

bench: $(READY)
	@for file in benchmarks/*.py; do scripts/timed "$$file" $(PY) "$$file" || exit 1; done

docs: $(READY)
	$(TIMED) "generated pages" $(PY) scripts/generate_docs.py
	$(TIMED) "links" $(PY) scripts/check_links.py

lock: $(READY)
	$(TIMED) "uv" $(INSTALL) --require-hashes -r requirements/uv.txt
	$(TIMED) "requirements/dev.txt" $(UV) --upgrade pyproject.toml --extra evaluate --extra pictures --group dev -o requirements/dev.txt
	$(TIMED) "requirements/run.txt" $(UV) pyproject.toml --extra evaluate --extra pictures -c requirements/dev.txt -o requirements/run.txt
	$(TIMED) "requirements/aws.txt" $(UV) --upgrade requirements/aws.in -o requirements/aws.txt
	$(TIMED) "requirements/mlflow.txt" $(UV) --upgrade requirements/mlflow.in -o requirements/mlflow.txt

clean:
	$(TIMED) "remove what was made" rm -rf $(VENV) build dist frontend/node_modules src/signoff/web/static/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
