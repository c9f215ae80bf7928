#!/bin/bash
# Tests the whole backend as it is deployed: starts a cluster, builds the images, starts a MongoDB and an object storage, deploys,
# runs the tests of e2e/backend in the cluster's network, and always stops the cluster. A cluster that was already up stays up.
# On another cluster, `make e2e-here` runs the same tests; README.md says what it needs.
#
# Arguments are passed to the tests, for example: e2e/knative.sh -test.run Expiry
#
# Exits with 3 if this machine can't run a cluster, with another status after any other failure.
. "$(dirname "$0")/up.sh" --broker
set -a
. e2e/builder.env
set +a
address() { # NAMESPACE SERVICE
	echo "$("$cluster" exec -- kubectl --namespace "$1" get service "$2" -o jsonpath='{.spec.clusterIP}'):80"
}
case ",${E2E_WITH:-}," in
*,kourier,*)
	E2E_INGRESS=$(address kourier-system kourier)
	E2E_INSIDE=$(address kourier-system kourier-internal)
	export E2E_INGRESS_COMPONENT=kourier
	;;
*) E2E_INSIDE=$(address traefik internal) ;;
esac
export E2E_INSIDE

mkdir -p "$CLUSTER_DIR/run/bakta-database" # the volume of kservices/overlays/e2e
chmod 777 "$CLUSTER_DIR/run/bakta-database"

# Everything that needs a network outside of the cluster comes first.
go build -o "$work/" ./internal/teststores/cmd/with-stores
"$work/with-stores" true
load_tool e2e/backend/testdata/tool.sh
go build -C e2e/issuer -o ../../bin/test-issuer . # internal/testissuer finds it up to date
(cd e2e && go test -c -tags e2e -o "$work/backend.test" ./backend)
go mod download
previous=${E2E_PREVIOUS_SOURCE:-$PWD} # the source of another version, see upgrade.sh
go -C "$previous" mod download

ko=$CLUSTER_DIR/bin/ko
images() { # VERSION REGISTRY SOURCE
	"$cluster" exec -- make --no-print-directory -C "$3" images KO="$ko" KOFLAGS='--sbom=none --insecure-registry' \
		REGISTRY="$2" VERSION="$1" TAG=latest >"$work/images.log" 2>&1 || { cat "$work/images.log"; return 1; }
}
images e2e-previous "$E2E_PREVIOUS_REGISTRY" "$previous"
images e2e "$E2E_REGISTRY" "$PWD"
if [ -n "${E2E_CLOCK:-}" ]; then # functions whose clock can be moved, for chaos.sh
	export E2E_CLOCK_REGISTRY=10.200.0.1:5000/clock
	e2e/clock/overlay.sh "$work"
	"$cluster" exec -- env VERSION=e2e KO_DOCKER_REPO="$E2E_CLOCK_REGISTRY" GOFLAGS="$GOFLAGS -overlay=$work/clock.json" \
		"$ko" build --base-import-paths --tags latest --platform linux/amd64 --sbom=none --insecure-registry \
		./cmd/submit ./cmd/status ./cmd/expire ./cmd/jobupdate ./cmd/notify >"$work/images.log" 2>&1 || { cat "$work/images.log"; exit 1; }
	for step in ahead:120 behind:-120; do # what runs on a node whose clock is moved
		e2e/clock/overlay.sh "$work" "${step#*:}"
		"$cluster" exec -- env VERSION=e2e KO_DOCKER_REPO="$E2E_CLOCK_REGISTRY/${step%:*}" GOFLAGS="$GOFLAGS -overlay=$work/clock.json" \
			"$ko" build --base-import-paths --tags latest --platform linux/amd64 --sbom=none --insecure-registry \
			./cmd/stager >"$work/images.log" 2>&1 || { cat "$work/images.log"; exit 1; }
	done
fi
export E2E_CLUSTER=$cluster

cd e2e/backend
in_cluster "$work/with-stores" "$work/backend.test" -test.timeout "${E2E_TIMEOUT:-45m}" -test.v "$@"
