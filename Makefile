# Everything that people and CI run. `make help` lists it. All set-up is done by the targets that need it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export LOCKSTEP_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lockstep
# One set of flags for everything, so that what images, tests and linters share is compiled once.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath -buildvcs=false
TOOLS := $(LOCKSTEP_CACHE)/tools-$(shell cat hack/tools/go.mod hack/tools/go.sum | sha256sum | cut -c1-12)
CLUSTER := $(LOCKSTEP_CACHE)/bin/cluster-$(shell cat hack/cluster/go.mod $$(find hack/cluster \( -name '*.go' -o -name '*.yaml' \) -not -name '*_test.go' | LC_ALL=C sort) | sha256sum | cut -c1-12)
export LOCKSTEP_HELM := $(LOCKSTEP_CACHE)/bin/helm-$(shell cat hack/helm/go.mod hack/helm/go.sum | sha256sum | cut -c1-12)
BUILD := build
# What the binaries say they are; a tree without Git leaves it to what Go has written into them.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
MODULES := . hack/cluster

.PHONY: help
help: ## Show what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}'

.PHONY: demo
demo: cluster images ## Release, preview, promote and roll back the shop on a real cluster, under a witness (KEEP=1 stays up)
	hack/with-cluster $(CLUSTER) go run ./hack/demo $(if $(KEEP),--keep)

.PHONY: test
test: verify lint unit e2e ## Do all set-up and run every test

.PHONY: unit
unit: assets ## Fast tests: planner stories, simulated world, API server (envtest)
	KUBEBUILDER_ASSETS="$$($(CLUSTER) assets)" LOCKSTEP_CRDS="$$($(CLUSTER) crds)" go test -timeout 15m $$(go list ./... | grep -v /test/)
	go -C hack/cluster test ./...

.PHONY: e2e
e2e: cluster images previous $(LOCKSTEP_HELM) ## Journeys on the real cluster, with real traffic, under the witness
	$(if $(KUBECONFIG),,$(CLUSTER) metrics)
	hack/with-cluster $(CLUSTER) go test -timeout 40m -count=1 -parallel 3 -v ./test/e2e/... $(if $(RUN),-run '$(RUN)')

.PHONY: soak
soak: cluster images previous $(LOCKSTEP_HELM) ## The same for long: many kills, aborts in every step, the models deeper
	go test -timeout 60m -count=1 ./internal/plan -skip TestExplore -rapid.checks=3000 -rapid.steps=150 -rapid.nofailfile
	go test -timeout 120m -count=1 -v ./internal/plan -run TestExplore -explore.full
	$(if $(KUBECONFIG),,$(CLUSTER) metrics)
	LOCKSTEP_SOAK=1 hack/with-cluster $(CLUSTER) go test -timeout 120m -count=1 -parallel 3 -v ./test/e2e/... $(if $(RUN),-run '$(RUN)')

.PHONY: bench
bench: cluster images ## Measure Lockstep beside a bare patch and bare Pods on a real cluster: table, build/bench.json, build/bench.svg (ARGS="-n 5 -only moves")
	hack/with-cluster $(CLUSTER) go run ./bench/run $(ARGS)

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## golangci-lint v2
	PATH="$(TOOLS):$$PATH" golangci-lint run ./...

.PHONY: generate
generate: $(TOOLS)/controller-gen ## Generate CRDs, deep copies, apply configurations and docs/api.md
	PATH="$(TOOLS):$$PATH" hack/generate

.PHONY: verify
verify: $(TOOLS)/controller-gen ## Fail where generated files or formatting differ from what is committed
	PATH="$(TOOLS):$$PATH" hack/verify

.PHONY: build
build: ## Build the controller and the kubectl plugin into build/bin
	@mkdir -p $(BUILD)/bin
	go build -ldflags "-s -w -X main.version=$(VERSION)" -o $(BUILD)/bin/ ./cmd/...

.PHONY: dist
dist: ## Build the plugin's archives for every platform of .krew.yaml into build/dist
	hack/dist "$(VERSION)"

.PHONY: images
images: $(CLUSTER) ## Build the images of controller and shop, without Docker, into build/images
	hack/images $(CLUSTER)

.PHONY: previous
previous: $(CLUSTER) images ## Build the image of the controller as it was before its last change
	hack/previous $(CLUSTER)

.PHONY: cluster
cluster: $(CLUSTER) ## Build what is missing and start the local cluster in the background
	hack/with-cluster --up $(CLUSTER)

.PHONY: cluster-down
cluster-down: $(CLUSTER) ## End the local cluster
	$(CLUSTER) down

.PHONY: assets
assets: $(CLUSTER) ## Build what tests of the API server need
	@$(CLUSTER) assets >/dev/null

.PHONY: picture
picture: ## Draw docs/pictures/release.svg from the last demo
	@mkdir -p docs/pictures
	go run ./hack/picture

.PHONY: clean
clean: ## Remove what was built in the checkout
	rm -rf $(BUILD)

$(TOOLS)/%:
	@echo "building $* (once; about three minutes on two cores)"
	@mkdir -p $(TOOLS)
	go -C hack/tools build -o $(TOOLS)/ $$(go -C hack/tools list tool | grep '/$*$$')

$(LOCKSTEP_HELM):
	@echo "building helm (once; about two minutes on two cores)"
	@mkdir -p $(dir $(LOCKSTEP_HELM))
	go -C hack/helm build -o $(LOCKSTEP_HELM) helm.sh/helm/v4/cmd/helm

$(CLUSTER):
	@echo "building the cluster command"
	@mkdir -p $(dir $(CLUSTER))
	go -C hack/cluster build -o $(CLUSTER) .
