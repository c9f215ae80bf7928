#!/bin/bash
# Tests the whole backend as it is deployed: starts a cluster, builds the images, starts a MongoDB and an object storage, deploys,
# runs the tests of e2e/backend in the cluster's network, and always stops the cluster. A cluster that was already up stays up.
#
# Arguments are passed to the tests, for example: e2e/knative.sh -test.run Expiry
#
# Exits with 3 if this machine can't run a cluster, with another status after any other failure.
set -euo pipefail
cd "$(dirname "$0")/.."
export CLUSTER_DIR=${CLUSTER_DIR:-$PWD/.cache/cluster}
export GOFLAGS=${GOFLAGS:--buildvcs=false -trimpath} CGO_ENABLED=0 # as in the Makefile
[ -n "${CLUSTER:-}" ] || make --no-print-directory bin/cluster
cluster=$(realpath "${CLUSTER:-bin/cluster}")
limit=${E2E_TIMEOUT:-45m}

"$cluster" check
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
"$cluster" up --broker

mkdir -p "$CLUSTER_DIR/run/bakta-database" # the volume of kservices/overlays/e2e
chmod 777 "$CLUSTER_DIR/run/bakta-database"

# Everything that needs a network outside of the cluster comes first.
go build -o "$work/" ./internal/teststores/cmd/with-stores
"$work/with-stores" true
go build -C local -ldflags "-s -w" -o "$work/bakta-stand-in" ./cmd/bakta-stand-in
(cd e2e && go test -c -tags e2e -o "$work/backend.test" ./backend)
go mod download

shell=()
for applet in sh sleep dd tail; do shell+=("/bin/busybox:/bin/$applet"); done
"$cluster" load dev.local/tool:e2e "$work/bakta-stand-in" e2e/backend/testdata/tool.sh:/tool.sh "${shell[@]}"
ko=$CLUSTER_DIR/bin/ko
images() { # VERSION REPOSITORY
	"$cluster" exec -- make --no-print-directory images KO="$ko" KOFLAGS='--sbom=none --insecure-registry' \
		REGISTRY="10.200.0.1:5000/$2" VERSION="$1" TAG=latest >"$work/images.log" 2>&1 || { cat "$work/images.log"; return 1; }
}
images e2e-previous previous
images e2e ko

cd e2e/backend
"$cluster" exec -- "$work/with-stores" "$work/backend.test" -test.timeout "$limit" -test.v "$@" &
tests=$! # wait is the only command that a signal interrupts
wait "$tests"
