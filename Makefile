# What people run. `make test` is what CI runs; it needs Go, and as root on
# Debian it installs what else it wants (apt-get, npm), elsewhere it names what
# it skips.
GO      ?= go
N       ?= 02
STATIC   = CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w'

.PHONY: build demo test soak bench check update walkthrough

build: ## bin/daypass and bin/daypassctl, static
	$(STATIC) -o bin/daypass ./cmd/daypass
	$(STATIC) -o bin/daypassctl ./cmd/daypassctl

demo: build ## the whole story in seconds, on a local AWS
	./bin/daypassctl demo

test: ## everything that needs no long clock
	$(GO) run ./e2e/prepare
	$(GO) test ./...
	$(GO) run ./e2e/walkthrough all

walkthrough: ## one story to its end: make walkthrough N=02
	$(GO) run ./e2e/walkthrough $(N)

soak: ## long clocks, loads, kill loops, a minute of every fuzz target
	$(GO) test -count=1 -timeout 60m -tags soak ./...
	$(GO) run ./e2e/fuzz -time 60s

bench: ## the budgets
	$(GO) test -run '^$$' -bench . -benchmem ./...

check: ## what a reviewer would say first
	test -z "$$(gofmt -l .)"
	$(GO) vet ./...
	cd tools && $(GO) build -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	./bin/staticcheck ./...
	$(GO) test -race -short ./...
	$(GO) mod tidy -diff

update: ## rewrite what is generated: docs/cli.md
	$(GO) test ./cmd/... -update
