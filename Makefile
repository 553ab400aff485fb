# Everything that a checkout needs: make, sh and apt are enough to begin with.

VENV ?= .venv
ENGINES ?= .cache/engines
PYTHON = $(VENV)/bin/python

export PATH := $(PATH):$(abspath $(ENGINES))/bin:/usr/sbin:/sbin
export REGISTRYD_ENGINES := $(abspath $(ENGINES))

# Engines need root. Their tests are then run by sudo, which leaves caches elsewhere.
ifneq ($(shell id -u),0)
AS_ROOT = sudo env PATH="$$PATH" REGISTRYD_ENGINES="$$REGISTRYD_ENGINES" \
	REGISTRYD_OWN_ENGINE="$$REGISTRYD_OWN_ENGINE" \
	REGISTRYD_OWN_REGISTRY="$$REGISTRYD_OWN_REGISTRY" \
	PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=/tmp/registryd-hypothesis
NO_CACHE = -p no:cacheprovider
endif

# pytest keeps what it has compiled; else each process compiles all tests again.
unexport PYTHONDONTWRITEBYTECODE

# The tests wait as long as they work, so a core is busy with two processes. Each has
# Engines of its own, which take half a gigabyte.
JOBS ?= $(shell echo $$((2 * $$(nproc))))
# See tests/support/second_look.py.
SECOND_LOOK = --reruns 1
SIDE_BY_SIDE = -n $(JOBS) --maxprocesses 4 --dist worksteal

SHELL_FILES = $(shell find install uninstall update docker hooks tests bench contrib .ci -type f ! -name '*.py*' 2>/dev/null | \
	xargs grep -lE '^(\#!.*[ /](ba)?sh|\# shellcheck shell=)' 2>/dev/null)

# As Dokku formats its own plugins (its tests.mk).
SHFMT = -bn -ci -i 2

.PHONY: help
help: ## Print what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | \
		awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

.PHONY: venv
venv: $(VENV)/.made ## Make .venv with the daemon and its tools

$(VENV)/.made: pyproject.toml tests/support/make_venv.sh
	@tests/support/make_venv.sh $(VENV)
	@touch $@

.PHONY: engines
engines: $(ENGINES)/.made ## Unpack the Docker Engines and the registry of the tests

$(ENGINES)/.made: tests/support/fetch_engines.sh tests/support/fetch_tools.sh
	@tests/support/fetch_engines.sh $(ENGINES) native bookworm trixie forky clock-shifter
	@tests/support/fetch_tools.sh $(ENGINES)
	@touch $@

# Texts that are checked for words (tests/support/word_list.py).
WORDED = .ci bench contrib daemon docker docs hooks install systemd tests uninstall update \
	*.md *.toml Makefile

.PHONY: lint-fast
lint-fast: venv engines ## Check format, style, words and shell
	@$(VENV)/bin/ruff format --check --quiet || { \
		echo "run $(VENV)/bin/ruff format"; exit 1; }
	@$(VENV)/bin/ruff check --quiet
	@$(PYTHON) tests/support/word_list.py $(WORDED)
	@shellcheck -x $(SHELL_FILES)
	@$(VENV)/bin/shfmt -l -d $(SHFMT) $(SHELL_FILES) || { \
		echo "run $(VENV)/bin/shfmt -w $(SHFMT) FILE"; exit 1; }

.PHONY: lint
lint: lint-fast ## Check types and imports too
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-cache >/dev/null || { $(VENV)/bin/lint-imports; exit 1; }
	@echo "format, style, types, imports, words and shell are fine"

.PHONY: unit
unit: venv engines ## Run the unit tests, and check the systemd unit
	@$(PYTHON) -m pytest -q $(SIDE_BY_SIDE) tests/unit tests/e2e/test_unit_file.py

.PHONY: check
check: lint unit ## Lint, and run the unit tests

.PHONY: pages
pages: venv ## Render what docs and contrib have from the code again
	@env PYTHONPATH=tests $(PYTHON) -m support.parser_pages
	@env PYTHONPATH=tests $(PYTHON) -m support.json_schemas
	@env PYTHONPATH=tests $(PYTHON) -m support.status_tables

FLOORS = .cache/floors
FLOORS_PYTHON ?= python3.11

$(FLOORS)/.made: pyproject.toml tests/support/make_venv.sh tests/support/floors.py
	@REGISTRYD_PYTHON=$(FLOORS_PYTHON) tests/support/make_venv.sh $(FLOORS) floors
	@touch $@

.PHONY: test-floors
test-floors: engines $(FLOORS)/.made ## Run the unit tests with the lowest versions declared
	@$(FLOORS)/bin/python -m pytest -q $(SIDE_BY_SIDE) tests/unit

.PHONY: test
test: lint ## Lint, and run all tests, those with Docker Engines too
ifdef AS_ROOT
	@echo "the tests start Docker Engines, which need root: using sudo"
endif
	@$(AS_ROOT) $(PYTHON) -m pytest -q $(SIDE_BY_SIDE) $(SECOND_LOOK) $(NO_CACHE)

.PHONY: test-engines
test-engines: venv engines ## Run the tests with Engines: TESTS="20.10-classic"
	@$(AS_ROOT) $(PYTHON) -m pytest -q $(SIDE_BY_SIDE) $(NO_CACHE) \
		$(if $(TESTS),-k "$(TESTS)") tests/contract tests/e2e

# A demo needs the Engine of this host's own release only.
$(ENGINES)/.native: tests/support/fetch_engines.sh
	@tests/support/fetch_engines.sh $(ENGINES) native
	@touch $@

.PHONY: test-full
test-full: lint ## Like test, with all repetitions, and no program as a fork
	@$(AS_ROOT) env HYPOTHESIS_PROFILE=full REGISTRYD_FORK=no $(PYTHON) -m pytest -q \
		$(SIDE_BY_SIDE) $(NO_CACHE)

.PHONY: demo
demo: venv $(ENGINES)/.native ## Show releases, heals and an outage; KEEP=1 leaves it running
	@$(AS_ROOT) env PYTHONPATH=tests $(PYTHON) -m demo $(if $(KEEP),--keep)

SEED ?= 1
MINUTES ?= 10

.PHONY: torture
torture: venv engines ## Let whole hosts live and die: SEED=1 MINUTES=10 FAULT=clock
	@$(AS_ROOT) env PYTHONPATH=tests $(PYTHON) -m torture \
		--seed $(SEED) --minutes $(MINUTES) $(if $(FAULT),--fault "$(FAULT)")

.PHONY: bench
bench: venv $(if $(ENGINE),engines,$(ENGINES)/.native) ## Measure beside the alternatives: ROWS=release ENGINE=28.5-containerd
	@$(AS_ROOT) env PYTHONPATH=tests:. $(PYTHON) -m bench \
		$(if $(ROWS),--rows $(ROWS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(ENGINE),--engine $(ENGINE))

.PHONY: test-boot
test-boot: venv engines ## Boot the unit for real, in a fresh Debian
	@tests/support/fetch_tools.sh $(ENGINES) boot
	@$(AS_ROOT) env PYTHONPATH=tests $(PYTHON) -m boot

FUZZERS = .cache/fuzzers
FUZZ_SECONDS ?= 60

$(FUZZERS)/.made: | venv
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check \
		--target $(FUZZERS) 'atheris>=2.3'
	@touch $@

.PHONY: fuzz
fuzz: venv $(FUZZERS)/.made ## Feed foreign bytes to all that reads them: FUZZ_SECONDS=60
	@env PYTHONPATH=$(FUZZERS):tests $(PYTHON) -m fuzz --seconds $(FUZZ_SECONDS)

UV = .cache/uv
# Universal: one file for each Python that we support; [tool.uv] leaves Windows out.
COMPILE = $(UV)/bin/uv pip compile --quiet --upgrade --universal --generate-hashes \
	--python-version 3.11 --custom-compile-command "make pins"

$(UV)/.made: | venv
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check \
		--target $(UV) 'uv>=0.9'
	@touch $@

.PHONY: pins
pins: venv $(UV)/.made ## Renew the pinned versions in requirements.txt
	@$(COMPILE) --extra socks -o requirements.txt pyproject.toml
	@$(COMPILE) --extra socks --extra notify --constraint requirements.txt \
		-o requirements-notify.txt pyproject.toml
	@$(PYTHON) tests/support/floors.py build | $(COMPILE) -o requirements-build.txt -

.PHONY: dist
dist: venv ## Make the files of a release in dist: wheel, sdist, plugin, checksums
	@PYTHON="$(abspath $(PYTHON))" .ci/dist dist && ls dist

.PHONY: clean
clean: ## Remove everything that was made here, and what killed runs have left
	@[ ! -x $(PYTHON) ] || $(AS_ROOT) env PYTHONPATH=tests $(PYTHON) -m support.leftovers
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	rm -rf .hypothesis build dist
	find daemon tests bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || :
