#!/bin/bash
# Tests the upgrade from an earlier commit to this source, and back, with jobs in flight: PREVIOUS=REVISION e2e/upgrade.sh. The default is
# the last tag; if there is none, the commit before. The earlier version is deployed as its own source says: its images, its manifests, its
# Makefile. The report goes to docs/reports, or to the folder that E2E_REPORTS names.
set -euo pipefail
cd "$(dirname "$0")/.."
PREVIOUS=${PREVIOUS:-$(git describe --tags --abbrev=0 2>/dev/null || git rev-parse HEAD^)}
git rev-parse --quiet --verify "$PREVIOUS^{commit}" >/dev/null || {
	echo "PREVIOUS is $PREVIOUS; write a commit or a tag of this repository" >&2
	exit 2
}
E2E_PREVIOUS_SOURCE=$(mktemp -d)
trap 'rm -rf "$E2E_PREVIOUS_SOURCE"' EXIT
git archive "$PREVIOUS" | tar -x -C "$E2E_PREVIOUS_SOURCE"
E2E_PREVIOUS_COMMIT=$(git rev-parse --short "$PREVIOUS^{commit}")
E2E_REPORTS=${E2E_REPORTS:-$PWD/docs/reports}
mkdir -p "$E2E_REPORTS"
export E2E_PREVIOUS_SOURCE E2E_PREVIOUS_COMMIT E2E_REPORTS
e2e/knative.sh -test.run '^TestUpgrade$' "$@"
