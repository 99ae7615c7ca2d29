# `make run` and `make test` are all that a fresh clone needs: each makes .venv first, and again when
# requirements.txt has changed.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:           ## say what there is
	@awk -F ':|## ' '/^[a-z]+:.*## / { printf "make %-14s %s\n", $$1, $$3 }' Makefile

run: $(READY)   ## set up, run the pipeline on the chosen data set, and print the comparison
	$(BIN)/dvc repro
	@$(BIN)/python -m stages.compare --show

test: $(READY)  ## set up and pass all tests
	$(BIN)/pytest

lint: $(READY)  ## check style, types and workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --no-progress --quiet .github

# A learning rate of one model: what the others have learned is taken from DVC's cache. Each value is an experiment.
SWEEP ?= models.resnet.learning_rate=3e-4,3e-3
BY ?= metrics/rendered/resnet.json:validation_loss
JOBS ?= 2

experiments: $(READY)  ## queue a small sweep, run it, and show the table that picks among its experiments
	$(BIN)/dvc exp run --queue --set-param $(SWEEP)
	$(BIN)/dvc queue start --jobs $(JOBS)
	@echo 'They run. Meanwhile: dvc queue status; dvc queue logs NAME'
	@while $(BIN)/dvc queue status | grep -qE 'Queued|Running'; do \
	  $(BIN)/dvc queue start --quiet --jobs $(JOBS); sleep 5; done  # a worker that has gone too early is replaced
	$(BIN)/dvc exp show --md --only-changed --sort-by $(BY) \
	  --drop 'Created|Executor|^(artifacts|bloodcells|plots|stages)/|.*(accuracy|sensitivity|specificity|pointed)'
	@echo 'Then: dvc exp branch NAME BRANCH; .venv/bin/python -m bloodcells review main BRANCH'

speed: $(READY) ## measure the two speed ratios on this machine
	$(BIN)/python -m benchmarks.speed

requirements: $(READY)  ## compile requirements.txt anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 pyproject.toml --group dev \
	  --no-emit-index-url --custom-compile-command "make requirements" --output-file requirements.txt

clean:          ## take away the environment and all that a run can make again (DVC's cache stays)
	rm -rf .venv bloodcells.egg-info artifacts dvc_plots review .pytest_cache .mypy_cache .ruff_cache

# uv installs in seconds what takes pip minutes. It is told the versions, and by whom it is served is the machine's affair.
$(READY): requirements.txt pyproject.toml .dvc/plots/page.html
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	$(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --requirement requirements.txt \
	  || $(BIN)/python -m pip install --requirement requirements.txt  # a registry that only pip is told of
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/bloodcells plots offline
	@touch $@

.PHONY: help run test lint experiments speed requirements clean
