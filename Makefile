# make demo: everything from nothing to a benchmarked model. make test: the tests. make check: what CI runs.
# make figures: the figures of the README, against their bounds; needs the public data sets.
# make image: the agent for a 64-bit Raspberry Pi as a Docker image; make images: every kind; both need Docker.
# make runner: edgeseq-run, -bench and LiteRT's library for both machines, into device/native/build; make runner-files: by Docker.
# make fuzz: edgeseq-run's readers of files against RUNS= damaged ones each; uses clang's libFuzzer where there is a clang.
# make images-check: builds them with a Docker of its own, looks into them, runs them under emulation; needs root.
# make soak: 50 benchmarks of the newest artifact on the virtual Pi (or ARTIFACT=, RUNS=): is anything left behind?
# make bench: edgeseq's int8 forms against ONNX Runtime's and torch's, in time and instructions; 5 to 15 minutes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

C = device/native/*/*.[ch] device/native/src/*/*.[ch] tests/device/native/*.c tests/device/native/unit/*.[ch]
MACHINES = aarch64 x86_64
THIS_MACHINE = $(filter $(MACHINES),$(shell uname -m))
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' device/edgeseq_device/__init__.py)
BAKE = VERSION=$(VERSION) docker buildx bake -f device/docker-bake.hcl --load

.PHONY: setup demo figures bench image images images-check runner runner-files fuzz soak test check lint types contracts clean

setup: $(READY)

# Compiled at its first import: most of PyTorch never is.
$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV): a minute or more, PyTorch is large"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(READY)
	$(BIN)/edgeseq train --data gestures --model gru --hidden 32
	$(BIN)/edgeseq export --int8
	$(BIN)/edgeseq bench --device local
	$(BIN)/edgeseq bench --device pi4

figures: $(READY)
	$(BIN)/python tests/bench/figures.py figures

bench: $(READY)
	$(BIN)/python tests/bench/bench.py bench

image:
	$(BAKE) agent

images:
	$(BAKE) images

runner-files:
	VERSION=$(VERSION) docker buildx bake -f device/docker-bake.hcl runner-files

# This machine first: for the other one there may be no compiler.
runner: $(READY)
	@for machine in $(THIS_MACHINE) $(filter-out $(THIS_MACHINE),$(MACHINES)); do \
	  $(BIN)/edgeseq device runner --machine $$machine --output device/native/build/$$machine || exit; \
	done

fuzz: $(READY)
	EDGESEQ_FUZZ_RUNS=$(or $(RUNS),1000000) $(BIN)/python -m pytest -q -s --timeout 0 tests/device/native/test_fuzz.py

images-check: $(READY)
	$(BIN)/python tests/device/container/check.py

soak: $(READY)
	$(BIN)/edgeseq device start virtual-pi --ram 256MB
	$(BIN)/python tests/bench/soak.py --runs $(or $(RUNS),50) $(ARTIFACT)

# Two processes take whole files in the order of tests/conftest.py. With a thread each: with two, small matrices
# take several times as long, as each thread waits for one that waits for a core.
# EDGESEQ_ALL_TESTS: without a compiler the tests of what is written in C fail; else they are skipped.
test: $(READY)
	EDGESEQ_ALL_TESTS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -rs -n 2 --dist loadfile --no-loadscope-reorder

check: lint types contracts test

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@$(BIN)/clang-format --style=file:device/native/.clang-format --dry-run --Werror $(wildcard $(C))
	$(BIN)/hadolint device/Dockerfile
	$(BIN)/hcl2tojson device/docker-bake.hcl > /dev/null

types: $(READY)
	$(BIN)/mypy

contracts: $(READY)
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
