# The commands of the project. Each works from a fresh clone; the virtual environment is made on demand.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: help install dev demo test test-full lint format lock opboard docs bench conformance asan fuzz clean

help:
	@echo "make demo         build, install, and train a network that reads handwriting"
	@echo "make test         run the tests          make test-full  all of them, the slow ones too"
	@echo "make lint         formatters, types, layers"
	@echo "make bench        speed, side by side with PyTorch where it is installed"
	@echo "make conformance  agreement with PyTorch (needs PyTorch and the conformance tool)"
	@echo "make dev          an editable install that rebuilds what changed"
	@echo "make lock         write ops.lock, the operations in one line each, from their definitions"
	@echo "make opboard      what each operation can do, as a page: build/opboard.html"
	@echo "make asan         the core's tests under AddressSanitizer and UndefinedBehaviorSanitizer"
	@echo "make fuzz         random programs of operations for ten minutes, under the sanitizers"
	@echo "make docs         the reference of operations, with the capability matrix: build/docs"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# The installed package is newer than all that it is made of.
SOURCES := $(shell find csrc src tools cmake -type f \( -name '*.py' -o -name '*.cpp' -o -name '*.h' -o -name '*.c' -o -name '*.cmake' \) 2>/dev/null) CMakeLists.txt pyproject.toml

$(VENV)/.installed: $(BIN)/python $(SOURCES)
	CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) $(BIN)/python -m pip install --quiet '.[examples,test]'
	@touch $@

install: $(VENV)/.installed

demo: install
	$(BIN)/python examples/digits/train.py

test: install
	$(BIN)/python -m pytest tests -m "not slow"

test-full: install
	$(BIN)/python -m pytest tests

dev: $(BIN)/python
	$(BIN)/python -m pip install --quiet "scikit-build-core>=0.10" "nanobind>=2.4" "scipy-openblas32>=0.3.29" cmake ninja
	$(BIN)/python -m pip install --quiet --no-build-isolation -Ceditable.rebuild=true -Cbuild-dir=build/dev-editable -e '.[examples,test,lint]'

lint: $(BIN)/python
	$(BIN)/python -m pip install --quiet ruff==0.17.5 mypy==2.4.1 clang-format==23.1.5 import-linter==2.16 numpy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/check_format.py $(BIN)/clang-format
	$(BIN)/python tools/check_includes.py
	PYTHONPATH=src $(BIN)/lint-imports --no-cache
	$(BIN)/mypy

format: $(BIN)/python
	$(BIN)/python -m pip install --quiet ruff==0.17.5 clang-format==23.1.5
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python tools/check_format.py $(BIN)/clang-format --fix

lock:
	$(PYTHON) tools/ops_lock.py

opboard:
	$(PYTHON) tools/opboard.py build/opboard.html

bench: install
	$(BIN)/python benchmarks/run.py

CONFORMANCE ?= ../shared/conformance
conformance: install
	$(BIN)/python $(CONFORMANCE)/conformance.py ops --package taeda

asan: $(BIN)/python
	tools/asan.sh $(BIN)

fuzz: $(BIN)/python
	tools/asan.sh $(BIN) fuzz --seconds 600

docs: install
	$(BIN)/python tools/docs.py build/docs/reference

clean:
	rm -rf build $(VENV)/.installed
