# The two commands: `make demo` opens the page, `make test` checks everything.

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
export HF_HUB_OFFLINE ?= 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format audit environment clean distclean

help:  ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

demo: $(VENV)/.installed  ## install what is needed and open the page on 127.0.0.1:7860
	$(PY) app.py

test: $(VENV)/.installed-dev  ## lint, types and all tests, with a real Chromium
	$(MAKE) --no-print-directory lint
	CHROMIUM="$$(sh tests/ensure_chromium.sh $(PY))" && export CHROMIUM && $(PY) -m pytest --durations=10 $(ARGS)

lint: $(VENV)/.installed-dev  ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(VENV)/.installed-dev  ## let ruff format and repair the code
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

audit: $(VENV)/.installed  ## list the packages, and ask pip-audit about them
	$(PIP) install --quiet pip-audit
	$(PY) -m tests.benchmarks.dependencies --json assets/results/dependencies.json

environment: $(VENV)/.installed-dev  ## create .venv with everything, run nothing

clean:  ## remove caches; .venv, runs and weights stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .gradio build
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean  ## also remove .venv
	rm -rf $(VENV)

# The stamps are made after a complete installation, and again when the requirements change.
$(VENV)/.installed: requirements.txt | $(PY)
	@echo "Installing into $(VENV): about 7 GB the first time, some minutes."
	$(PIP) install -r requirements.txt
	@# Two requirements of pyiqa bring the same module cv2; the one that wins may need a display's libraries.
	@$(PY) -c 'import cv2' 2>/dev/null || $(PIP) install --force-reinstall --no-deps opencv-python-headless
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(PIP) install -r requirements-dev.txt
	@touch $@

$(PY):
	sh make_venv.sh $(VENV)
