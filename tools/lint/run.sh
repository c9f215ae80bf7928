#!/usr/bin/env bash
# The part of `make check` that needs the programs of this folder's module: lint, dead code, known vulnerabilities.
# With arguments, only those parts: tools/lint/run.sh lint dead vulnerabilities
set -uo pipefail
cd "$(dirname "$0")/../.."
bin=${LINT_BIN:-$PWD/bin/lint}
export GOWORK=off GOFLAGS=${GOFLAGS:--buildvcs=false -trimpath} CGO_ENABLED=0
modules=(. local local/published tools e2e kservices/observability)
status=0

lint() {
  local module
  for module in "${modules[@]}"; do
    (cd "$module" && "$bin/golangci-lint" run --show-stats=false ./...) || { echo "lint: findings in module $module" >&2; status=1; }
  done
}

# Dead is what no program reaches. The first run counts tests as programs. The second does not, since a function that only
# tests call is dead, too; it leaves out the packages that are made for tests, or for programs of others (client).
# One module does not see the callers of its functions in another, so this alone uses the workspace.
dead() {
  local with without browser found
  with=$(reached -test) && without=$(reached) && browser=$(GOWORK=off GOOS=js GOARCH=wasm "$bin/deadcode" \
    -filter '^github.com/ag-computational-bio/bakta-web-backend/web/inspect' ./web/inspect/wasm) || { status=1; return; }
  found=$(
    grep -vE '_test\.go:.* unreachable func: Example' <<<"$with" # compiled as documentation, not run
    grep -vE '_test\.go:|\.pb(\.gw)?\.go:|^(client|cli/clitest|internal/(realbakta|test[a-z]*)|lib/(store|runner)/[a-z]*test)/' \
      <<<"$without" |
      grep -vE "$for_tests|$for_browsers"
    printf '%s' "$browser"
  )
  [ -z "$found" ] || { sort -u <<<"$found"; echo "dead code: remove these functions, or call them from a program" >&2; status=1; }
}

# Functions of other packages that are there for tests: of what Knative's kinds are, for the overlays' test.
for_tests='^e2e/cluster/release\.go:.* Definitions$|^lib/[a-z]+/inspect\.go:.* Inspect$'

# What only the page's program for browsers calls, which is built for another platform. dead searches package web/inspect there.
for_browsers='^web/inspect/|^lib/upload/kind\.go:.* KindOf$'

reached() {
  GOWORK=$PWD/go.work "$bin/deadcode" "$@" -tags e2e -filter '^github.com/ag-computational-bio/bakta-web-backend' \
    ./... ./local/... ./tools/... ./e2e/... ./kservices/observability/...
}

# What is shipped: the functions, and the command. VULNDB=file:///path is a copy of the database for machines without a
# network.
vulnerabilities() {
  local module said code
  for module in . local; do
    code=0
    said=$(cd "$module" && "$bin/govulncheck" ${VULNDB:+-db "$VULNDB"} ./... 2>&1) || code=$?
    case $code in
      0) ;;
      3) printf '%s\n' "$said"; echo "known vulnerabilities are reached in module $module" >&2; status=1 ;;
      *) if grep -q '^govulncheck: fetching vulnerabilities' <<<"$said"; then
           echo "ATTENTION: vulnerabilities were NOT checked, since the database can't be reached: ${said##*govulncheck: }" >&2
           return
         fi
         printf '%s\n' "$said"; status=1 ;;
    esac
  done
}

[ $# -gt 0 ] || set -- lint dead vulnerabilities
for part; do "$part"; done
exit "$status"
