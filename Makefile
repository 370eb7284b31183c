# Everything runs in the environment that uv makes from uv.lock; uv itself is fetched when it is missing.
UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .tools/uv/bin/uv)
RUN := $(UV) run --locked --all-extras
PYTHON ?= python3

.DEFAULT_GOAL := help
.PHONY: help demo up check lint fast test served bench soak chaos signal sync format

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: sync ## Play a simulated company through the real pipeline, in a minute
	$(RUN) bellbuoy demo

up: sync ## Start everything on this machine, until Ctrl-C
	$(RUN) bellbuoy up

check: lint fast ## What must hold before a commit: lint, types, import contracts, fast tests

test: fast served ## Every test, with a real Kafka and Redis

lint: sync ## Lint, types, import contracts
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(RUN) lint-imports

fast: sync ## The tests that need no network
	$(RUN) pytest tests/unit tests/property -n 2 --dist worksteal

served: sync ## The tests that need Kafka and Redis
	$(RUN) pytest tests/integration tests/e2e -n 3 --dist worksteal

bench: sync ## Measure contenders side by side; QUICK=1 is short, without Flink, and writes nothing
	$(RUN) --group bench python -m bench $(if $(QUICK),--quick)

soak: sync ## 50,000 events a second for ten minutes: is memory flat, is every event counted once?
	$(RUN) --group bench python -m bench.soak --picture docs/soak.svg

chaos: sync ## Break the real stack on a seeded schedule and compare; SEED="1 2 3", EVENTS=1000000
	$(RUN) python -m chaos --seed $(or $(SEED),1) $(if $(EVENTS),--events $(EVENTS)) $(if $(JOBS),--jobs $(JOBS)) $(if $(WRITE),--write)

signal: SEEDS ?= 21,22,23
signal: sync ## Hold the default model against worlds with known truth; MODEL=health.yaml WORLDS="saas levels" SEEDS=21,22
	$(RUN) bellbuoy backtest $(or $(WORLDS),company clear saas selfserve levels feeds unseen) --seeds $(SEEDS) \
		--accounts $(or $(ACCOUNTS),100) --model $(or $(MODEL),default) --markdown

format: sync ## Format and sort
	$(RUN) ruff format
	$(RUN) ruff check --fix

sync: $(UV) ## Make .venv what uv.lock says
	@$(UV) sync --locked --all-extras --compile-bytecode --quiet
	@$(RUN) python -m compileall -q bellbuoy gateway processors schemas sinks streams

.tools/uv/bin/uv:
	$(PYTHON) -m venv .tools/uv
	.tools/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
