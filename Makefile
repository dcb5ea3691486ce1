# Each target makes .venv by itself, with nothing but python3, pip and make; from the second run on it starts at once.

PYTHON ?= python3
SAMPLE ?= ui/samples/knee_replacement.txt
PYTHONS ?= 3.11 3.12 3.13

BIN := .venv/bin
CORE := .venv/.core
ALL := .venv/.all
EXTRAS := test,dev,distributed,baselines
PIP := -m pip install -qq --disable-pip-version-check --no-input

.PHONY: help demo app test coverage fuzz metamorphic load lint format bench train lock licences sbom vulnerabilities release clean
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 17

# $(call install,REQUIREMENT): make .venv and install with the versions of constraints.txt
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "theracode needs Python 3.11 or later; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up .venv, once; it takes a minute or two."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python $(PIP) --constraint constraints.txt --editable '$(1)'
	@touch $@
endef

$(CORE): pyproject.toml constraints.txt
	$(call install,.)

$(ALL): pyproject.toml constraints.txt
	$(call install,.[$(EXTRAS)])
	@touch $(CORE)

demo: $(CORE)  ## codes for a sample note, with their evidence
	@sed 's/^/  | /' $(SAMPLE)
	@echo
	@$(BIN)/theracode suggest $(SAMPLE) --top 10

app: $(CORE)  ## open the page, on this machine only
	@$(BIN)/theracode app

test: $(ALL)  ## the whole test suite
	@$(BIN)/python -m pytest

coverage: $(ALL)  ## the test suite with branch coverage of lexicon, nlp and models
	@$(BIN)/python -m pytest --cov

fuzz: $(ALL)  ## thousands of inputs for each fuzz test instead of the seventy of `make test`; takes half an hour
	@$(BIN)/python -m pytest -q -k any tests/test_fuzz.py tests/models/test_properties.py tests/nlp/test_robustness.py \
		--hypothesis-profile=long --hypothesis-show-statistics

metamorphic: $(ALL)  ## changes of a note that must not change its codes, over every note of every corpus
	@$(BIN)/python -m pytest -q tests/models/test_metamorphic.py --every-note

load: $(ALL)  ## 20 sessions on the page and 20 writers in the review store at once
	@$(BIN)/python -m tests.load

lint: $(ALL)  ## style, format, types and the import contract
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo

format: $(ALL)  ## mend what can be mended without thinking
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

bench: $(ALL)  ## measure theracode and the baselines; the report goes to reports/
	@$(BIN)/theracode bench --report reports

train: $(CORE)  ## refit the ranker from the corpora of this repository
	@$(BIN)/theracode train

lock: $(ALL)  ## renew requirements.lock from constraints.txt
	@CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --extra distributed --extra server \
		--no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --allow-unsafe \
		--constraint constraints.txt --output-file requirements.lock pyproject.toml

licences: $(ALL)  ## renew docs/licences.md from requirements.lock
	@$(BIN)/python docs/dependencies.py licences > docs/licences.md

sbom: $(ALL)  ## bill of materials of requirements.lock (CycloneDX) in dist/sbom.json
	@mkdir -p dist && $(BIN)/python docs/dependencies.py sbom > dist/sbom.json

vulnerabilities: requirements.lock  ## known weaknesses of the locked versions; asks a public service, fails if it does not know one
	@$(PYTHON) -m venv .venv/tools && .venv/tools/bin/python $(PIP) pip-audit==2.10.1
	@.venv/tools/bin/pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict

release: $(ALL)  ## wheel and sdist in dist/, tried in a clean environment of each Python at hand
	@rm -rf dist build && mkdir dist
	@$(BIN)/python -m build --outdir dist . > dist/build.log 2>&1 || { cat dist/build.log; exit 1; }
	@rm dist/build.log
	@set -eu; for version in $(PYTHONS); do \
		python=$$(ls -d "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$$version.*/bin/python 2> /dev/null | tail -n 1); \
		python=$${python:-$$(command -v python$$version || true)}; \
		if [ -z "$$python" ]; then echo "Python $$version: not on this machine, not tried"; continue; fi; \
		clean=$$(mktemp -d); trap 'rm -rf "$$clean"' EXIT; \
		"$$python" -m venv "$$clean/env"; \
		"$$clean/env/bin/python" $(PIP) --constraint constraints.txt dist/*.whl; \
		(cd "$$clean" && env/bin/theracode suggest "$(CURDIR)/$(SAMPLE)" > demo.txt && grep -q Recommended demo.txt); \
		rm -rf "$$clean"; echo "Python $$version: the wheel is installed and the demo runs"; \
	done

clean:  ## remove .venv and everything that a target made in this folder
	rm -rf .venv build dist reports htmlcov .coverage *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
