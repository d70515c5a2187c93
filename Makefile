# make demo: set up, run the tour on two real datasets, report on one. make test: set up, run every test but long ones.
# make quick: what takes no more than 90 seconds. make test-long: the long tests alone. make docs: the documentation site.
# make release: a wheel and an sdist, checked and tried. All can be repeated.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
# uv installs in a sixth of pip's time; pip does it where uv cannot, say for want of a setting that only pip has
INSTALL = { [ -x $(BIN)/uv ] && $(BIN)/uv pip install -q --python $(BIN)/python $(WANTED); } || $(PIP) $(WANTED)
WANTED = -c requirements.lock -e ".[$(EXTRAS)]"
BUILD := build/demo
REPORT := $(BUILD)/report
SAMPLES := glucose taxi
FRONTEND := js/dist/labextension/package.json
LAB := $(VENV)/share/jupyter/labextensions/@nbforecast/lab
NPM := npm --prefix js --silent
export NBFORECAST_CACHE_DIR ?= $(CURDIR)/build/cache
# uv installs no bytecode. What is imported is compiled once and kept in the clone, whatever the environment says of it:
# otherwise each of the hundred processes that the tests start compiles JAX anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo docs release test quick test-long check bench lock clean

demo: $(VENV)/.lab
	@mkdir -p $(BUILD)
	@for sample in $(SAMPLES); do \
	  echo "Running the tour on $$sample ..."; \
	  { $(BIN)/papermill --no-progress-bar notebooks/tour.ipynb $(BUILD)/$$sample.ipynb -p sample $$sample && \
	    $(BIN)/jupyter nbconvert --to html $(BUILD)/$$sample.ipynb; } >$(BUILD)/log.txt 2>&1 \
	    || { cat $(BUILD)/log.txt; exit 1; }; \
	done
	@echo "Reporting on glucose ..."
	@$(BIN)/nbforecast demo $(BUILD)/data >/dev/null
	@$(BIN)/nbforecast report $(BUILD)/data/glucose.parquet -o $(REPORT).html --notebook $(REPORT).ipynb \
	  -p title "Glucose, an hour ahead" >$(BUILD)/log.txt 2>&1 || { cat $(BUILD)/log.txt; exit 1; }
	@echo
	@echo "A report on the glucose of four people, which works by itself in any browser:"
	@echo "  $(REPORT).html"
	@echo "Executed notebooks and pages:"
	@for sample in $(SAMPLES); do echo "  $(BUILD)/$$sample.ipynb  $(BUILD)/$$sample.html"; done
	@echo "To go on from there in JupyterLab:"
	@echo "  $(BIN)/jupyter lab $(BUILD)/glucose.ipynb"

# What starts kernels, browsers and a cluster runs beside what computes in one process; its report comes last. The cluster's
# tests have a process of their own, which Ray ends where it despairs. The tests compile quickly; those that pin numbers
# are repeated in make test-long with functions compiled as users have them.
FRONT := tests/notebook tests/browser tests/benchmarks
CLUSTER := tests/unit/test_distributed_ray.py
PYTEST := $(BIN)/python -m pytest
test: check
	@mkdir -p build; \
	{ $(PYTEST) $(FRONT); front=$$?; $(PYTEST) $(CLUSTER) && exit $$front; } >build/front.txt 2>&1 & front=$$!; \
	$(PYTEST) $(addprefix --ignore=,$(FRONT) $(CLUSTER)); rest=$$?; \
	wait $$front; code=$$?; cat build/front.txt; exit $$((rest || code))

# Two halves at once; the report of the second, with the checks, comes last.
QUICK := $(PYTEST) -m "not slow and not long and not golden"
EARLY := $(wildcard tests/unit/test_[a-d]*.py)
quick: $(VENV)/.test
	@mkdir -p build; \
	{ $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports && \
	  $(QUICK) --ignore=$(CLUSTER) $(EARLY); } >build/quick.txt 2>&1 & early=$$!; \
	$(QUICK) $(filter-out $(EARLY),$(wildcard tests/unit/test_*.py)) tests/property; rest=$$?; \
	wait $$early; code=$$?; cat build/quick.txt; exit $$((rest || code))

test-long: $(VENV)/.test $(VENV)/.lab
	$(PYTEST) -m long
	NBFORECAST_TEST_COMPILATION=production $(PYTEST) -m golden tests/unit
	NBFORECAST_TEST_EXAMPLES=10 $(PYTEST) tests/property

check: $(VENV)/.test $(VENV)/.lab chromium
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema -q --builtin-schema vendor.citation-file-format CITATION.cff
	$(NPM) run lint
	$(NPM) run typecheck
	$(NPM) test

# Notebooks are executed, where they or the package have changed; a warning is an error, a link that leads nowhere is one.
SITE := build/site
docs: $(VENV)/.docs $(VENV)/.lab
	$(BIN)/python -m sphinx -b html -W --keep-going -q -d build/doctrees docs $(SITE)
	@echo "The site, which works offline: $(SITE)/index.html"

# The wheel is built from the sdist, and tried in a bare environment of every Python that is there (those of pyenv are where
# PYENV_VERSION=3.11.7:3.12.1 names them); in the last one with extras, too.
TRY := build/try
release: $(VENV)/.release $(FRONTEND)
	@rm -rf dist && mkdir -p build
	$(BIN)/python -m build -o dist . >build/release.txt 2>&1 || { cat build/release.txt; exit 1; }
	$(BIN)/twine check --strict dist/*
	@for python in python3.11 python3.12 python3.13 python3.14; do \
	  command -v $$python >/dev/null && $$python --version >/dev/null 2>&1 || continue; \
	  echo "Trying the wheel with $$python ..."; \
	  rm -rf $(TRY) && $$python -m venv $(TRY) && \
	  $(TRY)/bin/python -m pip install -qq --disable-pip-version-check dist/*.whl && \
	  export NBFORECAST_CACHE_DIR=$(CURDIR)/$(TRY)/cache && \
	  $(TRY)/bin/nbforecast --version && $(TRY)/bin/nbforecast doctor && \
	  $(TRY)/bin/nbforecast demo $(TRY)/demo >/dev/null && \
	  $(TRY)/bin/nbforecast forecast $(TRY)/demo/sales.csv --id shop --target sold -H 28d --latest -o $(TRY)/next.csv \
	  || exit 1; \
	done; \
	echo "Trying its extras notebook and excel ..."; \
	$(TRY)/bin/python -m pip install -qq --disable-pip-version-check "$$(ls dist/*.whl)[notebook,excel]" && \
	$(TRY)/bin/nbforecast forecast $(TRY)/demo/sales.csv --id shop --target sold -H 28d --latest -o $(TRY)/next.xlsx && \
	$(TRY)/bin/nbforecast report $(TRY)/demo/taxi.parquet -H 24 --max-duration 30d -o $(TRY)/report.html

bench: $(VENV)/.bench
	$(BIN)/python -m tests.benchmarks

lock: $(VENV)/.test
	$(PIP) uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 pyproject.toml --extra dev --no-header --no-annotate --no-emit-index-url -o requirements.lock

clean:
	rm -rf $(VENV) build docs/reference/generated docs/tutorials/notebooks docs/_static/explorers dist js/node_modules js/dist js/lab/build nbforecast/jupyter/static

$(FRONTEND): js/node_modules/.installed nbforecast/charts/palette.json $(shell find js \( -name node_modules -o -name dist -o -name build -o -name test \) -prune -o -type f -print)
	$(NPM) run build
	@touch $@

js/node_modules/.installed: js/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or later to build the front end"; exit 1; }
	npm --prefix js ci --no-audit --no-fund --loglevel=error
	@touch $@

# An editable install copies what JupyterLab loads; what is built later is copied here.
$(VENV)/.lab: $(VENV)/.demo $(FRONTEND)
	@mkdir -p $(LAB) && rm -rf $(LAB)/static && cp -R js/dist/labextension/. js/lab/install.json $(LAB)
	@touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	@$(PIP) uv || echo "uv cannot be installed here: pip installs the rest, which takes longer"

$(VENV)/.demo: EXTRAS := notebook,cgm
$(VENV)/.demo: pyproject.toml requirements.lock | $(VENV)/bin/python $(FRONTEND)
	$(INSTALL)
	@touch $@

$(VENV)/.docs: EXTRAS := docs
$(VENV)/.docs: pyproject.toml requirements.lock | $(VENV)/bin/python $(FRONTEND)
	$(INSTALL)
	@touch $@ $(VENV)/.demo

$(VENV)/.test: EXTRAS := dev
$(VENV)/.test: pyproject.toml requirements.lock | $(VENV)/bin/python $(FRONTEND)
	$(INSTALL)
	@touch $@ $(VENV)/.demo $(VENV)/.docs

$(VENV)/.bench: $(VENV)/.test
	$(PIP) --upgrade pip
	$(PIP) --group bench
	@touch $@

$(VENV)/.release: $(VENV)/.test
	$(PIP) --upgrade pip
	$(PIP) --group release
	@touch $@

.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-dejavu-core >/dev/null; \
	  else echo "chromium is missing: the browser tests will be skipped"; fi; }
