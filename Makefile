# Everything runs in a virtual environment of its own; nothing but Python 3.11+ with pip and venv is assumed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
RUNS   := $(VENV)/.runs

# An environment that was installed and does not run any more (its Python is gone, the folder was moved) is made anew.
ifneq ($(wildcard $(STAMP) $(RUNS)),)
  ifneq ($(shell $(BIN)/doorbuster --version >/dev/null 2>&1 && $(BIN)/python -c 'import pip' 2>/dev/null && echo runs),runs)
    $(shell rm -rf $(VENV))
    $(info $(VENV) does not run any more: it is made anew)
  endif
endif

# Everything here begins processes by the dozen: what one has compiled, the next need not.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: services help install demo test test-unit alerts dashboard image fix test-versions test-oldest test-newest constraints check bench endurance growth simulate soak loadtest spike loadtest-reads room-report opensearch relevance clean

help:  ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

# $(call installed,EXTRAS): make the environment if it is not whole, then install, telling each package as it comes.
define installed
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Doorbuster needs Python 3.11 or newer")'
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $(VENV)/.failed
	@echo "installing into $(VENV); at first this takes a minute or two"
	@{ $(BIN)/python -u -m pip install --disable-pip-version-check --progress-bar off --constraint constraints.txt \
		--editable '.[$(1)]' || touch $(VENV)/.failed; } \
		| sed -un -e 's/^Collecting \([^ ]*\).*/  \1/p' -e 's/^Installing collected.*/  unpacking .../p'
	@! test -e $(VENV)/.failed || { rm $(VENV)/.failed; echo "not everything could be installed; run make again" >&2; exit 1; }
	@touch $@
endef

$(STAMP): pyproject.toml constraints.txt
	$(call installed,embedded$(comma)loadtests$(comma)dev)
	@touch $(RUNS)

$(RUNS): pyproject.toml constraints.txt
	$(call installed,embedded$(comma)loadtests)

comma := ,

install: $(RUNS)  ## set up what it takes to run it, without the developers' tools

demo: $(RUNS)  ## set everything up, run a 50x flash sale, print the report and the invariants (TOPOLOGY=cluster)
	@$(BIN)/python -m loadtests.demo --topology $(or $(TOPOLOGY),single)

services:  ## what the tests use from Debian: installs what is missing, if that may be done, and says what is left out
	@.ci/services

test: $(STAMP) services  ## run the tests, all or those of a folder (FOLDER=tests/edge, PROCESSES=3)
	@$(BIN)/python -m pytest -m "not soak" --numprocesses $(or $(PROCESSES),4) --dist loadfile --no-loadscope-reorder --durations=15 $(FOLDER)

test-unit: $(STAMP)  ## the tests of pure code: seconds, no server, nothing from Debian
	@$(BIN)/python -m pytest tests/unit --durations=5

RULE := deploy/kubernetes/components/monitoring/rules
alerts: $(STAMP)  ## make deploy/prometheus/alerts.yml from the table of alerts, and the same as an operator's PrometheusRule
	@mkdir -p deploy/prometheus
	@$(BIN)/python -m intake.monitoring.alerts.rules > deploy/prometheus/alerts.yml
	@{ printf '%s\n' '# The ten alerts, made by `make alerts`.' 'apiVersion: monitoring.coreos.com/v1' 'kind: PrometheusRule' \
		'metadata:' '  name: doorbuster' 'spec:'; sed -n '/^groups:/,$$s/^/  /p' deploy/prometheus/alerts.yml; } > $(RULE).yaml

image:  ## build the image by buildah, on a base of Debian's packages (NAME=doorbuster, EXTRAS=kubernetes,stripe)
	@deploy/image

dashboard: $(STAMP)  ## make deploy/grafana/doorbuster.json
	@$(BIN)/python deploy/grafana/dashboard.py > deploy/grafana/doorbuster.json

fix: $(STAMP)  ## mend what ruff can mend, and format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

test-versions: test-oldest test-newest  ## the tests that lean on the insides of libraries, on the oldest and the newest allowed

# The versions stand in build/versions/oldest.txt and newest.txt; all other packages are those of constraints.txt.
test-oldest test-newest: test-%:
	@mkdir -p build/versions
	@$(PYTHON) .ci/constraints.py --$* > build/versions/$*.txt
	@test -x build/versions/$*/bin/python || $(PYTHON) -m venv build/versions/$*
	@echo "installing the $* allowed versions into build/versions/$*"
	@build/versions/$*/bin/python -m pip install --quiet --disable-pip-version-check --upgrade --constraint build/versions/$*.txt \
		--editable '.[embedded,loadtests,dev]'
	@build/versions/$*/bin/python .ci/constraints.py --installed
	@build/versions/$*/bin/python -m pytest -m "versions and not soak" --numprocesses 2 --dist loadfile

PYTHONS ?= python3.11 python3.12 python3.13
constraints:  ## renew constraints.txt: what pip would install today, by each of PYTHONS that is at hand
	@$(PYTHON) .ci/constraints.py $(PYTHONS) > constraints.new && mv constraints.new constraints.txt || { rm -f constraints.new; exit 1; }

check: $(STAMP)  ## types, lint, import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP)  ## measure against floors and rivals in the same run (ARGS="--only orders")
	@$(BIN)/doorbuster bench $(ARGS)

loadtest: $(STAMP)  ## Locust, headless, ended by the audit (SHAPE=spike|real|herd|refresh|bots|retry, PROCESSES=1)
	@$(BIN)/python -m loadtests.locust_run --shape $(or $(SHAPE),spike) --processes $(or $(PROCESSES),1)

spike: $(STAMP)  ## fifty times the orders within five seconds, without a waiting room and with one, side by side
	@$(BIN)/python -m loadtests.spike

loadtest-reads: $(STAMP)  ## a 50x spike of product pages, searches and category pages with orders beside it
	@$(BIN)/python -m loadtests.read_mix

endurance: $(STAMP)  ## two million orders at full load, a look every 20 s (ORDERS=5000000, ARGS=--mixed, or --existing 5000000)
	@$(BIN)/python -m loadtests.endurance $(if $(ORDERS),--orders $(ORDERS)) $(ARGS)

growth: $(STAMP)  ## how the cost of an order grows: figures and a chart in reports/ (ARGS=--ten-million)
	@$(BIN)/python -m loadtests.growth $(ARGS)

simulate: $(STAMP)  ## simulate a fleet from 1 to 64 partitions (ARGS=calibrate|compare|cluster|measure|sizing|adopt, see docs/scaling.md)
	@$(BIN)/python -m loadtests.fleet $(ARGS)

soak: $(STAMP)  ## long fault and load runs
	@$(BIN)/python -m pytest -m soak --timeout 3600 -o faulthandler_timeout=0

room-report: $(STAMP)  ## simulate the waiting room over its real scripts, write docs/waiting-room-report.md
	@$(BIN)/python -m waitingroom.simulator --out docs/waiting-room-report.md

opensearch:  ## start an OpenSearch node on loopback to try search out (PORT=9200); Ctrl-C ends it
	@mkdir -p build/opensearch
	@sleep infinity | deploy/opensearch/start build/opensearch/node $(or $(PORT),9200)

relevance: $(STAMP)  ## nDCG@10 of search over rated queries, both backends
	@$(BIN)/python -m loadtests.relevance

clean:  ## remove what the targets made
	rm -rf $(VENV) .doorbuster reports build dist *.egg-info
