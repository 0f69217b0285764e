# The commands of this project. Each makes the environment that it needs, the first time and whenever a lock changed.
# PYTHON=path/to/python chooses the interpreter the environment is made with.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo sweep test fuzz lint format bench gpu fit-gpu lock clean distclean environment test-environment

# A user's settings for other Pythons must not reach this one. Without bytecode Snakemake takes 5 to 9 s to start.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONOPTIMIZE PYTHONWARNINGS PYTHONDONTWRITEBYTECODE SNAKEMAKE_PROFILE
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHON

PY := .venv/bin/python
SNAKEMAKE := $(PY) -m snakemake
UV_VERSION := 0.13.9

help:  ## Say what each command does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

# The demo and the tests run on the CPU, also beside a GPU: only there are two runs identical to the byte.
demo: export CUDA_VISIBLE_DEVICES :=
demo: environment  ## The whole workflow on synthetic deliveries, from raw files to results, on the CPU
	@bash profiles/demo/run.sh

test: export CUDA_VISIBLE_DEVICES :=
test: test-environment  ## All tests; ARGS="-k word" for some
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: test-environment  ## Style of Python and Snakemake code
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m snakefmt --check Snakefile rules
	@$(SNAKEMAKE) --lint

format: test-environment  ## Put Python and Snakemake code into shape
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .
	@$(PY) -m snakefmt Snakefile rules

# A reader that meets something it does not stand leaves the input in build/fuzz.
fuzz: test-environment  ## Spoilt inputs for every reader, FUZZ_SECONDS=60 each; READERS="display plist" for some
	@$(PY) tests/fuzz/run.py --seconds $(or $(FUZZ_SECONDS),60) $(READERS)

bench: test-environment  ## Every comparison of benchmarks/, into benchmarks/results.json; ARGS=films for some
	@$(PY) benchmarks/run.py $(ARGS)

sweep: environment  ## What each way to fuse is worth on validation, for ensembles with fusion: sweep; PROFILE=profiles/gpu
	@$(SNAKEMAKE) --profile $(or $(PROFILE),profiles/demo) -- sweeps

gpu:  ## An environment with TensorFlow's CUDA wheels in .venv-gpu (several GB)
	@bash envs/setup.sh .venv-gpu gpu.lock
	@TF_CPP_MIN_LOG_LEVEL=2 .venv-gpu/bin/python -c "import tensorflow as tf; n = len(tf.config.list_physical_devices('GPU')); print(f'TensorFlow {tf.__version__} sees {n} GPU(s).')"
	@echo "Next: source .venv-gpu/bin/activate && snakemake --profile profiles/gpu results/ensemble_abn.csv"

# Beside `make gpu` it probes the GPU; without, the processor and its memory.
fit-gpu: environment  ## The largest batch that fits this machine; EXPERIMENT=name, CONFIG=file
	@python=.venv-gpu/bin/python; [ -x $$python ] || python=$(PY); \
	    $$python scripts/fit_gpu.py --config $(or $(CONFIG),config.yaml) $(EXPERIMENT) $(ARGS)

lock:  ## Make the locks and conda files of envs/ anew; UPGRADE=1 moves to the newest releases
	@[ -x .venv-lock/bin/uv ] || { $${PYTHON:-python3} -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv==$(UV_VERSION); }
	@UV="$(CURDIR)/.venv-lock/bin/uv" bash envs/lock.sh $(if $(UPGRADE),--upgrade)

clean:  ## Remove what the demo, the tests and the benchmarks made
	rm -rf demo benchmarks/results.json build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean  ## The same, and the environments
	rm -rf .venv .venv-gpu .venv-lock

environment:
	@bash envs/setup.sh .venv requirements.lock

test-environment:
	@bash envs/setup.sh .venv requirements.lock develop.lock
