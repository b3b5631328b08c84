# make demo   find, fix and prove, on the real wheels, from nothing
# make test   everything that must hold before a change is taken
# make unit   the fast part of it
# make lint   ruff and mypy
# make test-matrix  the same elsewhere: other compilers, versions and Pythons, Debian's VTK, PyVista; an hour
# make fuzz   random programs of 2 to 8 threads, activated, and plain if they fail: MINUTES=5 of each toolkit, or as many as you like
# make bench  the figures of bench/RESULTS.md
# make docs   the documentation as a site, in site/
#
# PYTHON picks the interpreter, for example `make test PYTHON=python3.12`.
SHELL := /bin/bash
PYTHON ?= python3
VTK ?= 9.6.2
ITK ?= 5.4.7
VENV ?= .venv
BIN := $(VENV)/bin
STARTED := $(shell date +%s)
PACKAGE := .[test,lint,docs]
MINUTES ?= 5

# Say what a step was and how long it took.
define timed
	@echo "== $(1)"; start=$$(date +%s); $(2) && echo "   $$(( $$(date +%s) - start )) s"
endef

# Tests, several at a time; those that fail are repeated one at a time, because another test's load is no fault of theirs.
PYTEST := $(BIN)/python -m pytest -q
define tested
	$(call timed,$(1),$(PYTEST) -n 4 --dist loadfile --no-loadscope-reorder $(2) || { echo "== repeated one at a time"; $(PYTEST) --last-failed --last-failed-no-failures none $(2); })
endef

# Random programs of each toolkit, for so many minutes each.
define fuzzed
	$(call timed,random programs,$(BIN)/python tests/fuzz/run.py --toolkit both --minutes $(1))
endef

UNIT := tests/unit tests/downstream
REAL := tests/real tests/fidelity

.PHONY: demo test test-matrix unit real shims fuzz lint bench docs clean

demo: $(VENV)/toolkits
	$(call timed,find and fix: gilgen fix vtk itk,$(BIN)/gilgen fix vtk itk)
	$(call timed,prove: gilgen diagnose vtk itk --quick,$(BIN)/gilgen diagnose vtk itk --quick)
	@echo "== done in $$(( $$(date +%s) - $(STARTED) )) s. Next: $(BIN)/python examples/steering.py"

test: lint shims
	$(call tested,all tests,-m 'not elsewhere' --durations=10 $(UNIT) $(REAL))
	$(call fuzzed,2.5)
	@echo "== all of make test took $$(( $$(date +%s) - $(STARTED) )) s"

unit: $(VENV)/toolkits
	$(call tested,unit tests,$(UNIT))

real: shims
	$(call tested,tests on the real wheels,--durations=10 $(REAL))

shims: $(VENV)/toolkits
	$(call timed,shims: gilgen fix vtk itk,$(BIN)/gilgen fix vtk itk)

fuzz: shims
	$(call fuzzed,$(MINUTES))

test-matrix: shims
	$(call tested,tests of what most machines do not use,-m elsewhere $(UNIT) $(REAL))
	$(call timed,the matrix,$(BIN)/python tests/matrix/run.py)

lint: $(VENV)/toolkits
	$(call timed,ruff,$(BIN)/ruff check --quiet .)
	$(call timed,mypy --strict,$(BIN)/python tests/types.py)

bench: shims
	$(call timed,bench,$(BIN)/python bench/run.py)

docs: $(VENV)/toolkits
	$(call timed,the documentation in site/,NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet)

clean:
	rm -rf $(VENV) build dist site

$(VENV)/python:
	@command -v $(PYTHON) > /dev/null || { echo "There is no $(PYTHON). Install it: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "gilgen needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version). Name another: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "$(PYTHON) cannot make virtual environments. Install: apt-get install python3-venv"; exit 1; }
	@command -v $${CXX:-g++} > /dev/null || command -v clang++ > /dev/null || echo "There is no C++ compiler; ziglang from PyPI will serve. A system one: apt-get install g++"
	$(call timed,virtual environment,$(PYTHON) -m venv $(VENV))
	@touch $@

$(VENV)/toolkits: $(VENV)/python pyproject.toml
	$(call timed,gilgen with vtk $(VTK) and itk $(ITK),$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -e '$(PACKAGE)' vtk==$(VTK) itk==$(ITK))
	@command -v $${CXX:-g++} > /dev/null || command -v clang++ > /dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check ziglang
	@touch $@
