#!/bin/bash
# Tests the runner of Kubernetes Jobs: lib/runner/kube on its own, and the programs of the functions on this machine with their jobs
# on the cluster. It builds and loads the images of both, and runs the tests in the cluster's network. It starts a cluster if none
# is up, and always stops that cluster.
#
# Arguments are passed to the tests, for example: e2e/kube.sh -test.run 'ClusterStop$' -test.v
. "$(dirname "$0")/up.sh" --only kubernetes

# Everything that needs a network outside of the cluster comes first.
go build -o "$work/" ./internal/teststores/cmd/with-stores
"$work/with-stores" true
go build -ldflags '-s -w' -o "$work/" ./cmd/...
"$cluster" load dev.local/stager:e2e "$work/stager"
"$cluster" load dev.local/shell:e2e "${shell[@]}"
load_tool cmd/internal/deployment/testdata/tool.sh
bakta=$PWD/.cache/bakta
if [ -x "$bakta/bin/bakta" ]; then
	"$cluster" load-bakta dev.local/bakta:e2e "$bakta"
	export E2E_BAKTA_IMAGE=dev.local/bakta:e2e E2E_BAKTA_DATABASE=$bakta/db E2E_BAKTA_GENOME=$bakta/demo.fna
fi
export E2E_BIN=$work E2E_VOLUMES=$work
# Most of a test is waiting, so more tests than cores run at once. A package that fails does not stop the others.
status=0
packages=(lib/runner/kube cmd/stager cmd/internal/deployment)
[[ " $* " != *" -update "* ]] || packages=(lib/runner/kube) # the only one with this flag
for package in "${packages[@]}"; do
	go test -c -tags e2e -o "$work/test" "./$package"
	cd "$package"
	in_cluster "$work/test" -test.run Cluster -test.timeout 30m -test.parallel 6 "$@" || status=1
	cd "$OLDPWD"
done
exit "$status"
