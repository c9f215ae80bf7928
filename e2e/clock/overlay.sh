#!/bin/bash
# Writes the overlay DIR/clock.json for `go build -overlay`: programs that are built with it have the clock of step.go.txt. Only what their
# time.Now returns is replaced; the programs' own source is unchanged. A clock of its own for a container is not to be had from the kernel:
# time namespaces do not contain CLOCK_REALTIME, and Go's programs do not call the C library, which could be replaced.
#
# Usage: overlay.sh DIR [SECONDS]
# With SECONDS, the programs' clock is moved by them from the beginning: that of a node, for programs that start on it.
set -euo pipefail
from=$(dirname "$(realpath "$0")")/step.go.txt
time=$(go env GOROOT)/src/time
sed 's/^\tsec, nsec, mono := runtimeNow()$/\tsec, nsec, mono := steppedNow()/' "$time/time.go" >"$1/time.go"
[ "$(grep -c 'steppedNow()' "$1/time.go")" = 1 ] || { echo "overlay.sh: $time/time.go has not the one call of runtimeNow in Now" >&2; exit 1; }
sed "s/fixedStep = 0 .*/fixedStep = ${2:-0}/" "$from" >"$1/step.go"
printf '{"Replace": {"%s": "%s", "%s": "%s"}}\n' "$time/time.go" "$1/time.go" "$time/step.go" "$1/step.go" >"$1/clock.json"
