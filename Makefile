# What people run. `make test` is what CI runs; it needs Go, and as root on
# Debian it installs what else it wants (apt-get, npm), elsewhere it names what
# it skips.
GO      ?= go
# One flavour for programs and tests: each is compiled once, in any checkout.
export CGO_ENABLED = 0
export GOFLAGS := $(filter-out -trimpath,$(GOFLAGS)) -trimpath
export GOGC ?= 400
N       ?= 02
CLUSTERED = $(shell grep -rl '"daypass.dev/e2e/kube/kubetest"' --include=*_test.go e2e | xargs -n1 dirname | sort -u | sed 's|^|./|')
# The doctor's pods, two dozen made and mended, take two minutes of both cores:
# make soak, or make subject/doctor.
# Those joined by + take turns on one cluster.
TOGETHER = sidecar+signer+webidentity privateca+secrets
SUBJECTS = injection agent $(TOGETHER) kube $(filter-out injection agent kube kube/% doctor $(subst +, ,$(TOGETHER)),$(CLUSTERED:./e2e/%=%))
# All that have commands, and those of them that need a cluster.
PAGES    = $(shell grep -lx '```console' README.md docs/*.md docs/walkthroughs/*.md)
HOSTED   = $(shell grep -l '^$$ kubectl ' $(PAGES))
ROOT     = $(filter 0,$(shell id -u))
LANES   ?= 3 # clusters at a time; the usual limits of inotify allow no more
STATIC   = $(GO) build -ldflags='-s -w'
RUN      = $(GO) run -buildvcs=false -ldflags='-s -w'
# make test links its programs once; DAYPASS_BUILT is the folder.
PROGRAMS = ./cmd/daypass ./cmd/daypassctl ./cmd/daypass-kube ./e2e/workloads/gosdk ./e2e/walkthrough ./e2e/walkthrough/gcloud \
           ./e2e/kube/cmd/cluster ./e2e/kube/cmd/addon ./e2e/images/cmd/images
ours     = $(if $(DAYPASS_BUILT),$(DAYPASS_BUILT)/$(notdir $(1)),$(RUN) $(1))
CLUSTER  = $(call ours,./e2e/kube/cmd/cluster)

.PHONY: build demo test clustered clusterless unit soak bench check images push update walkthrough cluster cluster-down

build: ## the programs, static, in bin/
	$(STATIC) -o bin/daypass ./cmd/daypass
	$(STATIC) -o bin/daypassctl ./cmd/daypassctl
	$(STATIC) -o bin/daypass-kube ./cmd/daypass-kube

demo: ## the whole story in seconds, on a local AWS
	$(STATIC) -o bin/daypassctl ./cmd/daypassctl
	./bin/daypassctl demo

test: ## everything that needs no long clock, side by side; as root on real clusters too
	$(GO) run ./e2e/prepare
	$(if $(ROOT),$(CLUSTER) build)
	$(if $(ROOT),$(call ours,./e2e/kube/cmd/addon) build,@echo "skipped without root: what needs a cluster")
	built=$$($(GO) run ./e2e/build/cmd/programs $(PROGRAMS)) && \
		$(MAKE) -k -j2 DAYPASS_BUILT=$$built $(if $(ROOT),clustered) clusterless

clustered: # the longest first
	$(MAKE) -k -j$(LANES) --output-sync=target $(SUBJECTS:%=subject/%) $(HOSTED:%=page/%)

clusterless:
	$(MAKE) -k -j1 --output-sync=target unit $(patsubst %,page/%,$(filter-out $(HOSTED),$(PAGES)))

unit: # less what the subjects run; without debug information, which is a third of the linking
	all=$$($(GO) list ./... | grep -vxE 'daypass.dev/e2e/($(if $(ROOT),$(subst $() ,|,$(subst +, ,$(SUBJECTS)))|kube/.*))') && $(GO) test -ldflags='-s -w' $$all

subject/%: taken = test-$(firstword $(subst +, ,$*))
subject/%: # on a cluster that nobody else uses
	$(CLUSTER) down --name $(taken)
	DAYPASS_CLUSTER=$(taken) $(GO) test -ldflags='-s -w' -count=1 -p 1 -timeout 30m \
		$(patsubst %,./e2e/%,$(patsubst kube,kube/...,$(subst +, ,$*))); \
		code=$$?; $(CLUSTER) down --name $(taken); exit $$code

page/%:
	$(call ours,./e2e/walkthrough) $*

cluster: ## a real Kubernetes of two nodes, built from source the first time
	$(CLUSTER) up

cluster-down:
	$(CLUSTER) down

images: ## OCI archives in dist/, without a container engine
	$(GO) run ./e2e/images/cmd/images build --out dist

push: ## make push REGISTRY=registry.example.org/team
	$(GO) run ./e2e/images/cmd/images push $(REGISTRY)

walkthrough: ## one story to its end: make walkthrough N=02
	$(GO) run ./e2e/walkthrough $(N)

soak: ## long clocks, loads, kill loops, a minute of every fuzz target
	$(GO) test -count=1 -timeout 60m -tags soak ./...
	DAYPASS_CLUSTER=1 $(GO) test -count=1 -p 1 -timeout 90m -tags soak $(CLUSTERED)
	$(GO) run ./e2e/fuzz -time 60s

bench: export GOGC = 100
bench: ## the budgets
	$(GO) test -run '^$$' -bench . -benchmem ./...

check: ## what a reviewer would say first
	test -z "$$(gofmt -l .)"
	$(GO) vet ./...
	cd tools && $(GO) build -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	./bin/staticcheck ./...
	for p in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do \
		GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -o /dev/null ./cmd/daypass || exit 1; done
	CGO_ENABLED=1 $(GO) test -race -short ./...
	$(GO) mod tidy -diff

update: ## rewrite what is generated: docs/cli.md, docs/metrics.md, docs/setup.schema.json and the custom resource
	$(GO) test ./cmd/... ./kube/agent ./kube/signer ./kube/privateca ./setup -update
	$(GO) test ./e2e/docs -run Diagram -update
	$(GO) generate ./kube/api/...
