# The few commands. On Windows, see the README for what stands behind them.
PYTHON := .venv/bin/python

.PHONY: help install run test check format reference assets clean

help:  ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install:  ## a virtual environment with all that developing needs
	python3 -m venv .venv
	.venv/bin/pip install -r requirements-dev.txt

run:  ## open the app at http://127.0.0.1:7860
	$(PYTHON) app.py

test:  ## all tests, in a real browser too
	$(PYTHON) -m pytest

check:  ## the gate: linters, formatters and types of both halves
	$(PYTHON) -m tests.gate

format:  ## put Python and the browser half into form
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	npm run format

reference:  ## docs/REFERENCE.md and the pictures of figures, from docstrings and examples
	$(PYTHON) -m tests.reference

assets:  ## what is made with the shipped models: examples, first screen, lessons, pictures
	$(PYTHON) -m explorer.assets

clean:  ## remove caches
	rm -rf .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
