# hongbao: everything a newcomer or CI types. `make` alone lists the targets.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# nomsgpack halves the size of what gin links; nothing here speaks msgpack.
TAGS    := nomsgpack
SOURCES := $(wildcard cmd envelope orderset queue reconcile schema loadtest internal)

# The tools live in a module of their own, so that what checks the product is never linked into it.
TOOL := go tool -modfile=tools/go.mod

# What was built is stamped into the programs (--version), where git can say what it is.
VCS = $(if $(shell git rev-parse -q --verify HEAD 2>/dev/null),true,false)

# Arguments for `make run` (make run ARGS="--sets 4 --no-tour") and `make test` (make test ARGS="-run Expiry").
ARGS ?=
PKGS ?= ./...

# The race detector needs a C compiler; without one the suite runs without it and says so.
RACE = $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: toolchain ## build bin/hongbaod (serves) and bin/hongbaoctl (operates)
	@CGO_ENABLED=0 go build -tags $(TAGS) -trimpath -buildvcs=$(VCS) -o bin/ ./cmd/hongbaod ./cmd/hongbaoctl

# Make dies of a SIGINT it shares with its recipe, and then a clean stop looks like a failure. In the
# foreground of a terminal the playground therefore gets a job of its own: Ctrl-C reaches it alone,
# its exit code is make's, and it is stopped if make is killed. Everywhere else it takes the
# shell's place, so that a signal sent to make or to its process group reaches it.
.PHONY: run
run: deps build ## start the playground: databases, memcached, payment simulator, receiver of events, hongbaod (ARGS="--sets 4")
	@read -r _ _ _ _ group _ _ foreground _ < /proc/$$$$/stat; \
	if [ "$$group" != "$$foreground" ] || [ ! -t 2 ]; then exec bin/hongbaoctl playground up $(ARGS); fi; \
	trap 'kill $$(jobs -p) 2>/dev/null || true' EXIT; \
	set -m; bin/hongbaoctl playground up $(ARGS)

.PHONY: test
test: deps ## run the whole suite on real mariadbd and memcached under the race detector (PKGS=./orderset ARGS="-run Expiry")
	@echo "database under test: $$(PATH=$$PATH:/usr/sbin "$${HONGBAO_MYSQLD:-$${HONGBAO_MARIADBD:-mariadbd}}" --version)"
	@$(if $(RACE),,echo "no C compiler found: the suite runs without the race detector (apt-get install gcc)" >&2;) \
	$(TOOL) gotestsum --format pkgname-and-test-fails -- \
		-tags $(TAGS) $(RACE) -p 2 -count=1 -timeout 20m -shuffle=on $(ARGS) $(PKGS)

.PHONY: lint
lint: toolchain ## check formatting, go.mod, go vet and staticcheck
	@unformatted=$$(gofmt -l $(SOURCES)); \
	if [ -n "$$unformatted" ]; then printf 'gofmt would change these, run make fmt:\n%s\n' "$$unformatted" >&2; exit 1; fi
	@go mod tidy -diff && go -C tools mod tidy -diff
	@go vet -tags $(TAGS) $(PKGS)
	@$(TOOL) staticcheck -tags $(TAGS) $(PKGS)

.PHONY: fmt
fmt: toolchain ## rewrite the Go files as gofmt wants them
	@gofmt -l -w $(SOURCES)

# The playground keeps its data in .hongbao so that a second start resumes; that is not ours to throw away here.
.PHONY: clean
clean: ## remove what build made (the playground's data in .hongbao stays)
	@rm -rf bin

.PHONY: deps
deps: toolchain ## make sure mariadbd and memcached are there: installs the two Debian packages or says the one command
	@tools/deps

.PHONY: toolchain
toolchain: ## make sure Go is new enough for go.mod
	@want=go$$(sed -n 's/^go //p' go.mod); have=$$(go env GOVERSION 2>&1 | tail -n 1) || true; \
	if [[ $$have != go[1-9]* ]] || [ "$$(printf '%s\n' "$$want" "$$have" | sort -V | head -n 1)" != "$$want" ]; then \
		echo "hongbao needs $$want or newer in PATH (found: $$have); see https://go.dev/dl/" >&2; exit 1; \
	fi
