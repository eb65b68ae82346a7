# Every target sets up what it needs. `make test` on a fresh Debian 12 takes python3, python3-venv and make.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
STAMP := $(VENV)/.stamp
RUN := $(VENV)/bin/python -m

.DEFAULT_GOAL := help
.PHONY: help demo hosts incident situations test lint soak bench proto pages lock debian clean

help:
	@echo "make demo     two agents on this machine: first sync, live edits, kills, failover and back, a comparison"
	@echo "make test     every test (ARGS='-k name' narrows)"
	@echo "make lint     formatting, types, layers, protos, generated code"
	@echo "make soak     storms of random operations and kills, SEEDS=$(SEEDS) of them"
	@echo "make hosts    the README's two servers on real hosts (systemd-nspawn): first sync, power failures, upgrade, a lost disk, removal"
	@echo "make incident Redis behind HAProxy: the primary dies under load, promote, rejoin, switchover back, as docs/incident.md shows"
	@echo "make bench    what it costs, measured beside what people use, into docs/performance.md and bench.json"
	@echo "              (QUICK=1: smaller sizes, under five minutes; ROWS='lag many-files': only these, printed)"
	@echo "make proto    generate agent/rpc/wire from protos/"
	@echo "make pages    generate the pages of docs/ that are made from the source"
	@echo "make lock     write requirements/*.lock anew (ARGS=--upgrade for newer versions)"
	@echo "make clean    remove what the other targets made"

# The environment holds what the lock file says, by hash, and nothing that was not pinned: the agent itself is built by the
# pinned setuptools. It is made anew when the lock or the project file is newer.
$(STAMP): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
		|| { echo "hikae needs Python 3.11 to 3.14: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.lock
	$(RUN) pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

demo: $(STAMP)
	$(VENV)/bin/hikae demo $(ARGS)

# A directory of its own: pytest itself cannot remove the very deep trees that a test which was killed leaves behind.
# Two at once (WORKERS=4 is quicker, as tests of agents wait more than they compute): WORKERS=0 runs one after another.
test: $(STAMP) debian
	@top=$$(mktemp -d) && code=0 && { $(RUN) pytest --basetemp="$$top/t" -n $(WORKERS) --dist worksteal $(ARGS) || code=$$?; } && rm -rf "$$top" && exit $$code

# Two bare Debian hosts and an administrator's machine, by the blocks of the README; needs root, systemd-nspawn and debootstrap.
hosts:
	@PYTHONPATH="$(CURDIR)/tests:$(CURDIR)" $(PYTHON) -m hosts

# Needs root. The page is written by ARGS='--to docs/incident.md'.
incident: $(STAMP) debian
	@PYTHONPATH="$(CURDIR)/tests:$(CURDIR)" $(RUN) incident $(ARGS)

# What status says in situations that an operator meets: make situations ARGS='held paused --to DIR'.
situations: $(STAMP)
	@PYTHONPATH="$(CURDIR)/tests:$(CURDIR)" $(RUN) situations $(ARGS)

lint: $(STAMP)
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(VENV)/bin/lint-imports
	@PYTHONPATH="$(CURDIR)/tests:$(CURDIR)" $(RUN) house check
	cd protos && ../$(VENV)/bin/buf lint
	$(VENV)/bin/python protos/generate.py --check

# Alone on the machine, at most an hour a part; docs/evidence.md gets its row.
soak: $(STAMP)
	@sh tests/debian-tools.sh $(PART)
	@PYTHONPATH="$(CURDIR)/tests:$(CURDIR)" $(RUN) soak $(PART) $(ARGS)

# Limits that are missed are reported, not failed.
bench: $(STAMP)
	@sh tests/bench-tools.sh
	@PYTHONPATH="$(CURDIR)/tests:$(CURDIR)" $(RUN) bench $(if $(filter-out 0,$(QUICK)),--quick) $(ROWS)

proto: $(STAMP)
	$(VENV)/bin/python protos/generate.py

pages: $(STAMP)
	@PYTHONPATH="$(CURDIR)/tests:$(CURDIR)" $(RUN) house pages

lock: $(STAMP)
	sh requirements/compile.sh $(ARGS)

debian:
	@sh tests/debian-tools.sh

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find agent protos tests -name __pycache__ -type d -prune -exec rm -rf {} +
