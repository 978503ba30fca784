# Two commands do everything on a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo test test-long lint format dist test-versions fuzz fuzz-text benchmark benchmark-tests comparison drawings gallery export-table tutorials restoring tasks site clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## make .venv and install the package with its development tools

$(STAMP): pyproject.toml constraints.txt
	@echo "==> creating $(VENV) and installing pde2net (once, about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "pde2net needs Python 3.11 or newer; set PYTHON=python3.12, say" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## denoise a photograph; results in demo/
	@$(BIN)/pde2net demo --output demo

test: $(STAMP) ## run the tests
	@echo "==> running the tests"
	@$(BIN)/python -m pytest --numprocesses 2

test-long: $(STAMP) ## run the tests that take long
	@$(BIN)/python -m pytest --numprocesses 2 -m long

lint: $(STAMP) ## check style, format and types
	@echo "==> ruff, ruff format, mypy"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(STAMP) ## rewrite the sources in the project's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

dist: $(STAMP) ## build and check wheel, sdist and the extension for VS Code, in dist/
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dist]'
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist .
	@$(BIN)/python -m twine check --strict dist/*.whl dist/*.tar.gz
	@$(BIN)/check-wheel-contents dist/*.whl
	@$(BIN)/python editors/pack.py dist

test-versions: dist ## install the wheel for each Python that is found, in .versions/, and run a part of the tests
	@OMP_NUM_THREADS=1 $(BIN)/python tests/distribution/versions.py dist/*.whl .versions

fuzz: $(STAMP) ## attack certificates for ten minutes; rewrites the result in docs/verification.md
	@PYTHONPATH=tests $(BIN)/python tests/attack/fuzz.py

fuzz-text: $(STAMP) ## read 20 000 mutated texts: each is read or refused, soon, and touches nothing
	@PYTHONPATH=tests $(BIN)/python tests/attack/fuzz_text.py

benchmark: $(STAMP) ## measure speed; rewrites docs/performance.md
	@$(BIN)/python benchmarks/run.py

benchmark-tests: $(STAMP) ## compare the processor time of the tests with an earlier commit; for docs/performance.md
	@$(BIN)/python benchmarks/gate.py

comparison: $(STAMP) ## compare all schemes; rewrites docs/comparison.png and its table
	@$(BIN)/python benchmarks/comparison.py

drawings: $(STAMP) ## draw a network per scheme, list its claims; rewrites docs/correspondence.md
	@$(BIN)/python benchmarks/correspondence.py

gallery: $(STAMP) ## run the models of examples/gallery; rewrites docs/gallery.md and its picture
	@$(BIN)/python benchmarks/gallery.py

export-table: $(STAMP) ## try every network with torch.export, ONNX, vmap, ...; rewrites docs/export.md
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,onnx]'
	@OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python tests/emit/export_table.py

tutorials: $(STAMP) ## run the notebooks of docs/tutorials and keep what they show
	@$(BIN)/python benchmarks/tutorials.py

restoring: $(STAMP) ## measure p2n.denoise and p2n.inpaint; rewrites the tables of docs/restoring.md
	@$(BIN)/python benchmarks/restoring.py

tasks: dist ## run docs/tasks.md from the wheel, in an environment of its own
	@rm -rf build/tasks && $(PYTHON) -m venv build/tasks/venv
	@build/tasks/venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$$(ls dist/*.whl)[demo,plot,onnx]" pytest
	@cd build/tasks && venv/bin/python -m pytest -q -o addopts= --noconftest -p no:cacheprovider --rootdir . ../../tests/test_tasks.py

site: $(STAMP) ## build the documentation, build/site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict -q

clean: ## remove everything that make made
	rm -rf $(VENV) .versions dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache build
