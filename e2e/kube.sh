#!/bin/bash
# Tests the runner of Kubernetes Jobs: lib/runner/kube on its own, and the programs of the functions on this machine with their jobs
# on the cluster. It builds and loads the images of both, and runs the tests in the cluster's network. It starts a cluster if none
# is up, and always stops that cluster.
#
# Arguments are passed to the tests, for example: e2e/kube.sh -test.run 'ClusterStop$' -test.v
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=${GOFLAGS:--buildvcs=false -trimpath} CGO_ENABLED=0 # as in the Makefile
[ -n "${CLUSTER:-}" ] || make --no-print-directory bin/cluster
cluster=$(realpath "${CLUSTER:-bin/cluster}")
work=$(mktemp -d)
chmod 755 "$work"
up=no
"$cluster" status >/dev/null 2>&1 && up=yes
finish() {
	status=$?
	trap - EXIT
	if [ "$up" = no ]; then "$cluster" down || status=1; fi
	rm -rf "$work"
	exit "$status"
}
trap finish EXIT
tests=
trap '[ -z "$tests" ] || { kill "$tests"; wait "$tests" || true; }; exit 130' INT TERM
[ "$up" = yes ] || "$cluster" up --only kubernetes
go build -ldflags '-s -w' -o "$work/" ./cmd/...
go build -C local -ldflags '-s -w' -o "$work/" ./cmd/bakta-stand-in
shell=()
for applet in sh sleep dd tail; do shell+=("/bin/busybox:/bin/$applet"); done
"$cluster" load dev.local/stager:e2e "$work/stager"
"$cluster" load dev.local/shell:e2e "${shell[@]}"
"$cluster" load dev.local/tool:e2e "$work/bakta-stand-in" cmd/internal/deployment/testdata/tool.sh:/tool.sh "${shell[@]}"
bakta=$PWD/.cache/bakta
if [ -x "$bakta/bin/bakta" ]; then
	"$cluster" load-bakta dev.local/bakta:e2e "$bakta"
	export E2E_BAKTA_IMAGE=dev.local/bakta:e2e E2E_BAKTA_DATABASE=$bakta/db E2E_BAKTA_GENOME=$bakta/demo.fna
fi
# Most of a test is waiting, so more tests than cores run at once.
for package in lib/runner/kube cmd/stager cmd/internal/deployment; do
	go test -c -tags e2e -o "$work/test" "./$package"
	cd "$package"
	E2E_BIN=$work E2E_VOLUMES=$work "$cluster" exec -- "$work/test" -test.run Cluster -test.timeout 30m -test.parallel 6 "$@" &
	tests=$! # wait is the only command that a signal interrupts
	wait "$tests"
	tests=
	cd "$OLDPWD"
done
