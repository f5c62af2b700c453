# `make` lists the targets. Nothing here is clever: each target is a script or one command.

SHELL := /bin/bash
.DEFAULT_GOAL := help

DATA ?= ./data
LISTEN ?= 127.0.0.1:8000
# What `make test` runs, e.g. `make test FILTER=WireTests`.
FILTER ?=
# Which fuzzer `make fuzz` runs, and for how long.
FUZZER ?= http
SECONDS_TO_FUZZ ?= 60

# Found by the shell, line by line: make expands all lines of a recipe before it runs the first, and a compiler that
# misses its libraries is not found before scripts/install ran. Without one, `false` ends the line after the message.
SWIFT = $$(scripts/find-swift || echo false)
RELEASE := --configuration release --static-swift-stdlib
SWIFT_SOURCES := Sources Tests Package.swift

.PHONY: help run build test lint format fuzz fuzz-all bench-http bench-store bench-media bench-calls bench-chat bench-crypto bench-files bench-relay bench-backup bench-export bench-recorder constant-time kill-test e2e docs clean

help: ## List the targets.
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16

run: build ## Install what is missing, build, and start the server on http://127.0.0.1:8000 with data in ./data.
	@echo "Starting PlexiChat on http://$(LISTEN) with its data in $(DATA); Ctrl-C stops it."
	@exec .build/release/plexichat serve --data $(DATA) --listen $(LISTEN) --set docs.assets=.tools/docs-assets --set web.folder=web

build: ## Install what is missing and build the server: .build/release/plexichat.
	@scripts/install build
	@echo "Building PlexiChat (the first time takes some minutes)."
	@$(SWIFT) build $(RELEASE) --product plexichat
	@scripts/split-symbols .build/release/plexichat

# One test at a time: some talk to a server in the same process by blocking, and would starve each other on two cores.
test: ## Install what is missing and run all tests, also on PostgreSQL. FILTER=… runs some.
	@scripts/install test
	@scripts/test-postgres run $(SWIFT) test --disable-xctest --no-parallel $(if $(FILTER),--filter $(FILTER))

lint: ## Check the format of the sources and the shell scripts.
	@$(SWIFT) format lint --strict --recursive --parallel $(SWIFT_SOURCES)
	@grep -rlE '^#!.*(bash|sh)$$' scripts .ci | xargs shellcheck --external-sources

format: ## Format the sources.
	@$(SWIFT) format --in-place --recursive --parallel $(SWIFT_SOURCES)

fuzz: ## Run one fuzzer for a minute: make fuzz FUZZER=json SECONDS_TO_FUZZ=600
	@scripts/install build
	@scripts/fuzz $(FUZZER) $(SECONDS_TO_FUZZ)

fuzz-all: ## Run every fuzzer, two at a time: make fuzz-all SECONDS_TO_FUZZ=1800
	@scripts/install build
	@scripts/fuzz --all $(SECONDS_TO_FUZZ)

bench-http: ## Measure HTTP and WebSocket against nginx on this machine.
	@scripts/install bench
	@scripts/bench-http

bench-store: ## Measure the database's group commit.
	@scripts/install bench
	@scripts/bench-store

bench-media: ## Measure media forwarding against a loop of C that does the least.
	@scripts/install bench
	@scripts/bench-media

bench-calls: ## Measure signaling: offers, idle sockets, a change that reaches everybody, and joins beside Janus.
	@scripts/install bench
	@scripts/bench-calls

bench-chat: ## Measure chat: messages, history, deliveries, a storm, a soak of minutes.
	@scripts/install bench
	@scripts/bench-chat

bench-crypto: ## Measure keys and age files against a loop of C, and look for secrets that decide about time.
	@scripts/install bench
	@scripts/bench-crypto

bench-recorder: ## Measure the writing of ten recordings of four people.
	@scripts/install bench
	@scripts/bench-recorder

constant-time: ## Look for branches and addresses that depend on secrets (needs valgrind).
	@scripts/install bench
	@scripts/check-constant-time

bench-files: ## Measure uploads, downloads, their memory and client settings beside nginx, and thumbnails.
	@scripts/install bench
	@scripts/bench-files

bench-backup: ## Measure backup, verification and restore of 2 GiB beside restic; SIZE=512 for so many MiB.
	@scripts/install bench
	@scripts/bench-backup $(SIZE)

bench-export: ## Measure how fast a recording becomes files.
	@scripts/install bench
	@scripts/bench-export

bench-relay: ## Measure the relay beside coturn.
	@scripts/install bench
	@scripts/bench-relay

kill-test: ## Kill the server and a recorder at random points under load and look for what is lost.
	@scripts/install test
	@$(SWIFT) build $(RELEASE) --product plexibench
	@scripts/kill-test 200
	@scripts/kill-recorder 200
	@$(SWIFT) build $(RELEASE) --product plexichat
	@scripts/e2e --only killing --long

e2e: build ## Try the built server from outside, end to end, and against its own OpenAPI document.
	@scripts/install test
	@scripts/e2e
	@scripts/e2e-schemathesis

docs: build ## Write the generated pages: configuration reference and OpenAPI.
	@.build/release/plexichat config doc >docs/operate/configuration.md
	@mkdir -p docs/_generated
	@.build/release/plexichat openapi --output docs/_generated/openapi.json

clean: ## Remove what was built (not the data).
	rm -rf .build
