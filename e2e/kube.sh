#!/bin/bash
# Tests lib/kube on the cluster that is up: makes an image of the stager and one of a shell, loads them, and runs
# the tests in the cluster's network. Arguments go to the tests, as in: e2e/kube.sh -test.run ClusterStop -test.v
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=$(realpath "${CLUSTER:-bin/cluster}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/stager" ./cmd/stager
"$cluster" load dev.local/stager:e2e "$work/stager"
shell=()
for applet in sh sleep dd tail; do shell+=("/bin/busybox:/bin/$applet"); done
"$cluster" load dev.local/shell:e2e "${shell[@]}"
go test -c -tags e2e -o "$work/kube.test" ./lib/kube
cd lib/kube
"$cluster" exec -- "$work/kube.test" "$@"
