#!/bin/bash
# Tests the shipped Ingress with Kourier's own translation and a real Envoy, without a cluster: some seconds after the first build. Only
# root can run it, because it makes a network of its own.
set -euo pipefail
cd "$(dirname "$0")/../../.."
export CLUSTER_DIR=${CLUSTER_DIR:-$PWD/.cache/cluster} CGO_ENABLED=0 GOWORK=off
make --no-print-directory bin/cluster
bin/cluster build --with kourier
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd e2e/neighbours/kourier
# With the flags of bin/cluster, most of it is compiled already.
go test -c -trimpath -buildvcs=false '-gcflags=all=-l -dwarf=false' -gcflags=std= -o "$work/kourier.test" .
E2E_ENVOY=$CLUSTER_DIR/bin/envoy unshare --net sh -c 'ip link set lo up && exec "$0" -test.timeout 2m -test.v' "$work/kourier.test"
