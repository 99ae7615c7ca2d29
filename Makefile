# `make run` and `make test` are all that a fresh clone needs: each sets up .venv first, and again when the
# requirements have changed.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
READY_DEV := .venv/ready-dev
export PATH := $(CURDIR)/$(BIN):$(PATH)

help:           ## list the commands
	@awk -F ':|## ' '/^[a-z]+:.*## / { printf "make %-14s %s\n", $$1, $$3 }' Makefile

run: $(READY)   ## set up, run the pipeline on the chosen data set, and print the comparison
	$(BIN)/dvc repro
	@$(BIN)/python -m stages.report --show

test: $(READY_DEV)  ## set up and run the tests
	$(BIN)/pytest

lint: $(READY_DEV)  ## check style, types and workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --no-progress --quiet .github

# Each value of SWEEP is an experiment. What a value does not change is taken from DVC's cache.
SWEEP ?= models.resnet.learning_rate=3e-4,3e-3
BY ?= metrics/rendered/resnet.json:val_loss
JOBS ?= 2

experiments: $(READY)  ## queue a small sweep, run it, and show its table
	$(BIN)/dvc exp run --queue --set-param $(SWEEP)
	$(BIN)/dvc queue start --jobs $(JOBS)
	@echo 'Running. Meanwhile: dvc queue status; dvc queue logs NAME'
	@while $(BIN)/dvc queue status | grep -qE 'Queued|Running'; do \
	  $(BIN)/dvc queue start --quiet --jobs $(JOBS); sleep 5; done  # replaces a worker that has ended too early
	$(BIN)/dvc exp show --md --only-changed --hide-workspace --drop artifacts --drop plots --sort-by $(BY)
	@echo 'Next: dvc exp branch NAME BRANCH; bloodcells review main BRANCH'

speed: $(READY) ## measure the speed of training on this machine
	$(BIN)/python -m studies.speed

requirements: $(READY_DEV)  ## pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 pyproject.toml \
	  --no-emit-index-url --custom-compile-command "make requirements" --output-file requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --group dev --constraints requirements.txt \
	  --no-emit-index-url --custom-compile-command "make requirements" --output-file requirements-dev.txt

clean:          ## remove the environment and everything a run can make again (DVC's cache stays)
	rm -rf .venv bloodcells.egg-info artifacts dvc_plots review .pytest_cache .mypy_cache .ruff_cache

# uv installs in seconds what takes pip minutes. The package index comes from the machine's configuration.
$(READY): requirements.txt pyproject.toml .dvc/plots/page.html
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	@echo "Setting up .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --requirement requirements.txt \
	  || $(BIN)/python -m pip install --quiet --requirement requirements.txt  # an index that only pip is configured for
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/bloodcells plots offline
	@touch $@

$(READY_DEV): $(READY) requirements-dev.txt
	@echo "Adding the development tools to .venv"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements-dev.txt \
	  || $(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

.PHONY: help run test lint experiments speed requirements clean
