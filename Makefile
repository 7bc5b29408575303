# `make demo` and `make test` set up everything they need; `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TYPED := asteroid_xscheme demo_songs xscheme
SOURCES := $(TYPED) egs tests benchmarks tools docs hubconf.py

OLDEST := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 OPENBLAS_CORETYPE=Nehalem MKL_CBWR=COMPATIBLE
THREADED := tests/dsp tests/losses tests/models tests/recipes/baselines_test.py
NUMERIC := $(THREADED) tests/separation tests/weights tests/export_test.py tests/recipes/evaluation \
	tests/recipes/data/statistics_test.py

.DEFAULT_GOAL := help
.PHONY: help setup demo small-model test test-slow test-machines test-gpu fuzz lint format bench ablation docs upstream wheel-check clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 14

setup: $(READY)  ## make .venv with everything installed (3 minutes, 3 GB)

$(READY): setup.cfg pyproject.toml constraints.txt tools/setup.sh
	@bash tools/setup.sh "$(PYTHON)" "$(VENV)"
	@touch $@

demo: $(READY)  ## train, evaluate and publish X-UMX on built-in songs (15 minutes)
	@bash egs/musdb18/X-UMX/run.sh --dataset demo --tag demo --python_path "$(CURDIR)/$(BIN)/python"

small-model: $(READY)  ## train the package's small model again: SONGS=folder of CC0 songs [LEFT_OUT=song]
	bash tools/small_model.sh "$(CURDIR)/$(BIN)/python" "$(SONGS)" $(LEFT_OUT)

test: $(READY)  ## run the tests (4 minutes on two idle cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -m "not slow and not fuzz"

test-slow: $(READY)  ## run the end-to-end checks (17 minutes)
	$(BIN)/python -m pytest -q -m "slow and not fuzz"

test-machines: $(READY)  ## run the numeric tests with the oldest instructions, one thread, four (5 minutes)
	OMP_NUM_THREADS=1 $(OLDEST) $(BIN)/python -m pytest -q -n 2 -m "not slow and not fuzz" $(NUMERIC)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not slow and not fuzz" $(THREADED)
	OMP_NUM_THREADS=4 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -q -m "not slow and not fuzz" $(THREADED)

test-gpu: $(READY)  ## compare the GPU with the CPU (5 minutes)
	$(BIN)/python -m pytest -q -m gpu tests/gpu

fuzz: $(READY)  ## check laws on random inputs, the same at every run (10 minutes at most)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 -m fuzz --hypothesis-seed=0

lint: $(READY)  ## check format, style and types
	$(BIN)/black -q --check $(wildcard $(SOURCES))
	$(BIN)/flake8 $(wildcard $(SOURCES))
	$(BIN)/mypy $(TYPED)

format: $(READY)  ## format the code
	$(BIN)/black -q $(wildcard $(SOURCES))

bench: $(READY)  ## measure speed and memory into docs/benchmarks.md, 45 minutes [ASTEROID=path]
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[bench]"
	$(BIN)/python -m benchmarks --asteroid "$(ASTEROID)"

ablation: $(READY)  ## train and score the grid of docs/ablation.md, X-UMX, 3 seeds (an hour)
	$(BIN)/xscheme ablate --epochs 6 --lr_decay_epochs 4 5

docs: $(READY)  ## build the documentation into site/
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[docs]"
	$(BIN)/python -m mkdocs build --strict

upstream: $(READY)  ## lay the contribution over an asteroid checkout: make upstream ASTEROID=path
	$(BIN)/python tools/upstream.py "$(ASTEROID)"

wheel-check: $(READY)  ## build the wheel and import it in an empty environment
	bash tools/check_wheel.sh "$(BIN)/python"

clean:  ## remove what was built here; data and experiments stay
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .mypy_cache
