# Sourced by kube.sh and knative.sh with the arguments of `bin/cluster up`. It starts a cluster, and stops it when the script ends. A
# cluster that was already up stays up. E2E_WITH names its neighbours, separated by commas. It sets cluster (the command) and work (a
# directory for programs), and changes to the root of the source. The script exits with 3 if this machine can't run a cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CLUSTER_DIR=${CLUSTER_DIR:-$PWD/.cache/cluster}
export GOFLAGS=${GOFLAGS:--buildvcs=false -trimpath} CGO_ENABLED=0 GOWORK=off # as in the Makefile
[ -n "${CLUSTER:-}" ] || make --no-print-directory bin/cluster
cluster=$(realpath "${CLUSTER:-bin/cluster}")

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
"$cluster" up ${E2E_WITH:+--with "$E2E_WITH"} "$@"

shell=()
for applet in sh sleep dd tail; do shell+=("/bin/busybox:/bin/$applet"); done

# load_tool SCRIPT: loads the image dev.local/tool:e2e, in which the script runs the stand-in as the programs of all stages.
load_tool() {
	go build -C local -ldflags '-s -w' -o "$work/" ./cmd/bakta-stand-in
	"$cluster" load dev.local/tool:e2e "$work/bakta-stand-in" "$1:/tool.sh" "${shell[@]}"
}

# in_cluster COMMAND...: runs a command in the cluster's network.
in_cluster() {
	local result=0
	"$cluster" exec -- "$@" &
	tests=$! # wait is the only command that a signal interrupts
	wait "$tests" || result=$?
	tests=
	return "$result"
}
