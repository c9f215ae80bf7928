# `make help` lists every target that people call.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export GOFLAGS ?= -buildvcs=false -trimpath
# go.work is for editors. A workspace selects one version of a dependency for all modules, so an image would hold what a test asks for.
export GOWORK := off
# There are two kinds of builds: as deployed (without cgo), and for the race detector. So each package is compiled at most twice.
GO := CGO_ENABLED=0 go

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
GENOME ?=
OUT ?= demo
WORKFLOW ?=

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-16s %s\n", $$1, $$2 }'

# What the web page checks files with, in the browser: the server's own rules as WebAssembly. Programs that serve the page embed it, so it is
# built before them, by the same Go. It is not committed, because each change of a rule would change megabytes. A program that was built
# without it serves a page that leaves the checks to the start of a job.
INSPECT := web/inspect/built
.PHONY: inspect
inspect:
	@mkdir -p bin
	@GOOS=js GOARCH=wasm $(GO) build -trimpath -buildvcs=false -ldflags '-s -w' -o bin/inspect.wasm ./web/inspect/wasm
	@gzip -9nc bin/inspect.wasm >bin/inspect.wasm.gz
	@cmp -s bin/inspect.wasm.gz $(INSPECT)/inspect.wasm.gz || cp bin/inspect.wasm.gz $(INSPECT)/inspect.wasm.gz
	@{ printf 'The rules are a program of Bakta-Web, in Go. It contains parts of the following.\n\nGo (BSD-3-Clause)\n\n'; \
	  cat "$$(go env GOROOT)/LICENSE"; \
	  GOOS=js GOARCH=wasm $(GO) list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./web/inspect/wasm | \
	  sort -u | while read -r module version folder; do printf '\n\n%s %s\n\n' "$$module" "$$version"; cat "$$folder"/LICENSE*; done; } >$(INSPECT)/licences.txt
	@cmp -s "$$(go env GOROOT)/lib/wasm/wasm_exec.js" $(INSPECT)/wasm_exec.js || cp "$$(go env GOROOT)/lib/wasm/wasm_exec.js" $(INSPECT)/

.PHONY: build
build: inspect ## build the command bin/bakta-web and the functions
	@mkdir -p bin
	$(GO) build -tags grpcnotrace -trimpath -ldflags '$(LDFLAGS)' -o bin/ $(addprefix ./cmd/,$(PROGRAMS))
	cd local && $(GO) build -tags grpcnotrace -trimpath -ldflags '$(LDFLAGS)' -o ../bin/ ./cmd/...

bin/bakta-web: FORCE inspect
	@mkdir -p bin
	@cd local && $(GO) build -tags grpcnotrace -trimpath -ldflags '$(LDFLAGS)' -o ../bin/ ./cmd/bakta-web

.PHONY: demo
demo: bin/bakta-web ## annotate a genome on this machine (GENOME=FILE for your own, OUT=DIR for the results, WORKFLOW=bakta+baktfold)
	@local/demo/run.sh "$(GENOME)" "$(OUT)" "$(WORKFLOW)"

.PHONY: bakta
bakta: ## install the real Bakta with a tiny reference database in .cache/bakta (Debian 12, amd64)
	bakta/setup.sh .cache/bakta

.PHONY: multiqc
multiqc: ## install MultiQC in .cache/multiqc, so that the tests have it read the results of many samples (Python 3.11)
	local/multiqc/setup.sh

JUDGE ?=

.PHONY: judge
judge: ## compare what a start says of 2,000 inputs with the real programs; after make bakta (JUDGE="-run PATTERN")
	go run ./internal/judge $(JUDGE)

bin/cluster: FORCE
	@mkdir -p bin
	@cd e2e && $(GO) build -trimpath -o ../bin/ ./cmd/cluster

.PHONY: cluster
cluster: bin/cluster ## start a real Kubernetes with Knative on this Debian 12 machine, in its own namespaces (as root)
	@bin/cluster up

.PHONY: cluster-down
cluster-down: bin/cluster ## stop that cluster
	@bin/cluster down

.PHONY: cluster-test
cluster-test: bin/cluster ## test the runner of Kubernetes Jobs, on that cluster or a temporary one
	e2e/kube.sh

.PHONY: e2e
e2e: bin/cluster ## test the whole backend on a temporary real cluster, and measure its speed (as root on Debian 12)
	e2e/knative.sh

PREVIOUS ?=

.PHONY: e2e-upgrade
e2e-upgrade: bin/cluster ## deploy an earlier commit, upgrade to this source and go back, with jobs in flight (PREVIOUS=revision)
	PREVIOUS='$(PREVIOUS)' e2e/upgrade.sh

.PHONY: e2e-chaos
e2e-chaos: bin/cluster ## kill and cut off each part, and move clocks, under 200 jobs (E2E_CHAOS_JOBS, E2E_CHAOS_SEED; an hour)
	e2e/chaos.sh

RUN ?=

.PHONY: e2e-here
e2e-here: ## test the whole backend on the cluster that KUBECONFIG names, with the environment of e2e/README.md (RUN=pattern)
	cd e2e && $(GO) test -tags e2e -count=1 -timeout $${E2E_TIMEOUT:-90m} -v -run '$(RUN)' ./backend

.PHONY: e2e-full
e2e-full: bin/cluster ## all of it at full size, with all neighbours, upgrades, chaos and measurements (hours; E2E_PARTS="kueue policies")
	e2e/full.sh

# The images of a deployment: static programs on a base without a shell, run as an unprivileged user.
PROGRAMS := submit status expire jobupdate notify page setup stager
REGISTRY ?=
TAG ?= $(VERSION)
PLATFORM ?= linux/amd64
KO ?= bin/ko
KOFLAGS ?= --sbom=none

bin/ko: e2e/ko/go.mod
	@mkdir -p bin
	cd e2e/ko && $(GO) build -trimpath -o ../../bin/ github.com/google/ko

.PHONY: images
images: $(KO) inspect ## build and push the images (REGISTRY=host/path TAG=version)
	@[ -n "$(REGISTRY)" ] || { echo "REGISTRY is not set; for example: make images REGISTRY=registry.example.org/bakta-web TAG=v1.0.0"; exit 1; }
	VERSION=$(VERSION) KO_DOCKER_REPO=$(REGISTRY) $(KO) build --base-import-paths --tags $(TAG) --platform $(PLATFORM) $(KOFLAGS) $(addprefix ./cmd/,$(PROGRAMS))

.PHONY: release
release: $(KO) inspect ## make the release VERSION=vX.Y.Z of the tagged commit below dist/ (REGISTRY=host/path pushes its images)
	@cd tools && $(GO) run ./release -version "$(VERSION)" -registry "$(REGISTRY)" -ko "$(abspath $(KO))" -images "$(PROGRAMS)"

.PHONY: release-try
release-try: $(KO) ## try a release of a copy of the last commit, and go install of it, without publishing anything (minutes)
	cd e2e && KO=$(abspath $(KO)) $(GO) test -tags release -count=1 -timeout 30m -v ./release

OVERLAY ?=
KUBECTL ?= kubectl

.PHONY: deploy
deploy: ## deploy kservices/overlays/OVERLAY on kubectl's cluster, and wait until it is ready (OVERLAY=NAME)
	@[ -n "$(OVERLAY)" ] || { echo "OVERLAY is not set; for example: make deploy OVERLAY=mine, a folder below kservices/overlays"; exit 1; }
	@manifests=$$($(KUBECTL) kustomize kservices/overlays/$(OVERLAY)); grep -q '^  name: jobs-storage$$' <<<"$$manifests" || { \
	  echo "the overlay has no NetworkPolicy jobs-storage, so jobs could not reach the object storage; see kservices/overlays/production/storage.yaml"; exit 1; }
	$(KUBECTL) apply -f kservices/base/100-namespace.yaml
	@$(KUBECTL) --namespace bakta delete job setup --ignore-not-found 2>/dev/null || true
	$(KUBECTL) apply -k kservices/overlays/$(OVERLAY)
	$(KUBECTL) --namespace bakta wait --for=condition=Ready --timeout=5m ksvc --all
	$(KUBECTL) --namespace bakta wait --for=condition=Ready --timeout=5m ingresses.networking.internal.knative.dev --all
	$(KUBECTL) --namespace bakta wait --for=condition=Ready --timeout=5m apiserversource,pingsource --all
	@echo "waiting for job/setup"; for (( i = 0; i < 300; i++ )); do \
	  state=$$($(KUBECTL) --namespace bakta get job setup -o jsonpath='{.status.conditions[?(@.status=="True")].type}'); \
	  case " $$state " in *" Complete "*) exit 0;; *" Failed "*) break;; esac; sleep 2; \
	done; echo "the Job setup failed, or did not finish within ten minutes:"; \
	$(KUBECTL) --namespace bakta logs --selector=batch.kubernetes.io/job-name=setup --prefix --tail=20; exit 1

.PHONY: cluster-bench
cluster-bench: bin/cluster ## measure the cost of starting and ending jobs on that cluster, as ratios to Kubernetes alone
	e2e/kube.sh -test.run '^$$' -test.bench Cluster -test.timeout 1h

.PHONY: test
test: check ## run all tests, with a real MongoDB and S3 store that it downloads and starts
	$(GO) run ./internal/teststores/cmd/with-stores $(MAKE) --no-print-directory test-modules
	$(MAKE) --no-print-directory web-test-if-possible

# The published client's module is not in the checksum database, so go.sum alone protects it. The race detector checks what is shipped,
# with its tests; not the tools. Many tests wait, so more of them than two cores have run at once. `make check` has vetted all of it.
.PHONY: test-modules
test-modules:
	@[ -e .cache/bakta/stamps/smoke ] && echo "The real Bakta is installed: the tests run it." || \
	  echo "ATTENTION: the real Bakta is not installed (make bakta), so the tests run with the stand-in only."
	@[ -e .cache/bakta/stamps/smoke-baktfold ] || \
	  echo "ATTENTION: the real Baktfold is not installed (make bakta), so the tests run with the stand-in only."
	@[ -x .cache/multiqc/venv/bin/multiqc ] || \
	  echo "ATTENTION: MultiQC is not installed (make multiqc), so no test has it read the results of many samples."
	@export GONOSUMDB=github.com/ag-computational-bio/bakta-web-api-go; status=0; \
	for module in . local local/published; do \
	  echo "== module $$module"; (cd $$module && CGO_ENABLED=1 go test -race -vet=off -shuffle=on -parallel 4 -timeout 30m ./...) || status=1; \
	done; \
	echo "== the models of lives, at full length, and what uploads may take"; \
	$(GO) test -vet=off -timeout 30m -run '^(TestLife|TestTurnsOfCallers|TestMemory|TestInspectGenomeReadsNoMore)$$' ./functions ./lib/upload || status=1; \
	for module in tools e2e kservices/observability; do \
	  echo "== module $$module"; (cd $$module && $(GO) test -vet=off -shuffle=on -timeout 30m ./...) || status=1; \
	done; exit $$status

# What uses the object storage, on a product that deployments have. Not part of `make test`: minutes, and downloads.
STORE ?= versitygw
.PHONY: test-stores
test-stores: ## test all that uses the object storage on a real one (STORE=versitygw, ceph16 or ceph18 on Debian, or seaweedfs)
	$(GO) run ./internal/teststores/cmd/with-stores -s3 $(STORE) $(MAKE) --no-print-directory test-stores-packages

.PHONY: test-stores-packages
test-stores-packages:
	$(GO) test -count=1 -p 1 -timeout 30m ./lib/store/s3 ./cmd/setup ./cmd/stager ./lib/database ./lib/stage/... ./lib/runner/process
	cd local && $(GO) test -count=1 -timeout 30m -run 'TestContract(V2)?/s3|TestS3' .

MONGODB ?= 6.0.5
.PHONY: test-mongodb
test-mongodb: export TEST_MONGODB_VERSION = $(MONGODB)
test-mongodb: ## test a MongoDB of three members with authentication and TLS, whose primary is killed and cut off (as root on Linux; MONGODB=6.0.27)
	$(GO) run ./internal/teststores/cmd/with-stores env $(GO) test -count=1 ./lib/store/mongo # and fetch the server while there is a network
	$(GO) test -c -o bin/mongodb.test ./lib/store/mongo
	cd lib/store/mongo && TEST_MONGODB_SET=yes unshare --net sh -c 'ip link set lo up && \
	  exec ../../../bin/mongodb.test -test.v -test.timeout 10m -test.run TestReplicaSet'

.PHONY: clients
clients: bin/bakta-web ## generate Python and TypeScript clients from the OpenAPI documents, call everything with them, and fuzz the API
	local/clients/run.sh

.PHONY: check
check: ## check format, vet, lint, dead code, known vulnerabilities, and that generated code matches proto/
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	CGO_ENABLED=1 go vet -race -tags e2e ./...
	cd local && CGO_ENABLED=1 go vet -race ./... && cd published && CGO_ENABLED=1 go vet -race ./...
	cd tools && $(GO) vet ./...
	cd e2e/issuer && $(GO) vet ./...
	cd e2e && $(GO) vet -tags e2e ./...
	cd kservices/observability && $(GO) vet ./...
	@$(MAKE) --no-print-directory generate-check
	@$(MAKE) --no-print-directory lint

bin/lint/built: tools/lint/go.mod tools/lint/go.sum
	@mkdir -p bin/lint
	cd tools/lint && $(GO) build -o ../../bin/lint/ tool
	@touch $@

PARTS ?=

.PHONY: lint
lint: bin/lint/built ## check the code's style, dead functions and known vulnerabilities (PARTS="lint dead vulnerabilities")
	tools/lint/run.sh $(PARTS)

.PHONY: generate
generate: ## generate code and routes from proto/
	cd tools && $(GO) run ./generate
	$(GO) run ./internal/routes
	$(GO) run ./internal/tables

.PHONY: generate-check
generate-check:
	cd tools && $(GO) run ./generate -check
	$(GO) run ./internal/routes -check
	$(GO) run ./internal/tables -check

# npm installs exactly what package-lock.json names, and runs no scripts of packages.
.PHONY: web
web: web/node_modules/.package-lock.json ## build the web page from web/src into web/dist, which is committed (Node.js 20)
	cd web && npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --ignore-scripts --no-audit --no-fund

.PHONY: web-check
web-check: web/node_modules/.package-lock.json ## check that web/dist is what its sources make, byte for byte
	@cd web && npm run --silent build -- --outDir ../bin/web --emptyOutDir --logLevel warn
	@rm -rf bin/web-dist && cp -r web/dist bin/web-dist
	@find bin/web bin/web-dist -name '*.gz' -exec gunzip {} + # versions of zlib pack differently
	@diff -rq bin/web bin/web-dist || { echo "web/dist is not what its sources make; run make web and commit it"; exit 1; }

.PHONY: web-test
web-test: bin/bakta-web web/node_modules/.package-lock.json ## test the web page in Chromium (Node.js 20; CHROMIUM=path, PICTURES=directory)
	cd web && $(if $(PICTURES),PICTURES='$(abspath $(PICTURES))') npm test

.PHONY: web-pictures
web-pictures: bin/bakta-web web/node_modules/.package-lock.json ## make the pictures of the page in the documentation
	cd web && node test/pictures.mjs

# Whether this machine can test the page, and what is missing if it can't.
CHROMIUM ?= $(firstword $(wildcard /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome))
.PHONY: web-test-if-possible
web-test-if-possible:
	@if ! command -v npm >/dev/null; then \
	  echo "ATTENTION: there is no Node.js with npm, so the web page was neither built nor tested in a browser."; \
	elif ! $(MAKE) --no-print-directory web/node_modules/.package-lock.json; then \
	  echo "ATTENTION: npm can't install the packages of the web page, so it was neither built nor tested in a browser."; \
	elif [ -z "$(CHROMIUM)" ]; then \
	  echo "ATTENTION: there is no Chromium (Debian: apt-get install chromium), so the web page was not tested in a browser."; \
	  $(MAKE) --no-print-directory web-check; \
	else \
	  $(MAKE) --no-print-directory web-check && { $(MAKE) --no-print-directory web-test || { \
	    echo "ATTENTION: the tests of the web page failed once and are tried again: on a busy machine a browser may be too slow."; \
	    $(MAKE) --no-print-directory web-test; }; }; \
	fi

.PHONY: bench-web
bench-web: bin/bakta-web web/node_modules/.package-lock.json ## measure the web page in Chromium against its bounds (Node.js 20; CHROMIUM=path)
	@cd web && status=0; for file in bench/page.mjs bench/results.mjs; do node $$file || status=1; done; exit $$status

.PHONY: bench
bench: ## measure the backend as ratios to its floor (BENCH=-quick for a short run)
	go run ./internal/teststores/cmd/with-stores -memory 4 go run ./internal/bench $(BENCH)

BEFORE ?=

.PHONY: bench-local
bench-local: bin/bakta-web ## measure local mode as ratios (BEFORE=bakta-web of an earlier build, BENCH=-quick for a short run)
	cd local && $(GO) run ./bench -program ../bin/bakta-web $(if $(BEFORE),-before '$(abspath $(BEFORE))') $(BENCH)

.PHONY: clean
clean: ## remove everything that was built or downloaded
	chmod -R u+w .cache 2>/dev/null || true
	rm -rf bin dist demo .cache web/node_modules $(INSPECT)/inspect.wasm.gz $(INSPECT)/wasm_exec.js $(INSPECT)/licences.txt

.PHONY: FORCE
FORCE:
