#!/bin/bash
# Everything on clusters that is too long for .ci/run, one after the other; hours. Reports go to docs/reports. A part that fails does not
# stop the others. E2E_PARTS selects parts by their names, separated by spaces (default: all of them).
set -uo pipefail
cd "$(dirname "$0")/.."
export GOWORK=off E2E_FULL=yes E2E_REPORTS=${E2E_REPORTS:-$PWD/docs/reports}
mkdir -p "$E2E_REPORTS"

tests() { # NAME...: the pattern of these tests
	local IFS='|'
	echo "^Test($*)\$"
}

backend() { E2E_TIMEOUT=${E2E_TIMEOUT:-90m} e2e/knative.sh; }
kueue() {
	local result=0
	E2E_WITH=kueue e2e/kube.sh -test.v -test.run 'Kueue|SuspendedAgain' || result=1
	E2E_WITH=kueue e2e/knative.sh -test.run '^TestKueue$' || result=1
	return "$result"
}
policies() {
	E2E_WITH=policies e2e/knative.sh -test.run "$(tests RESTFromZero Webhook Broker SourcesSayWhoTheyAre Policies ProgramsAreOffline)"
}
kourier() {
	e2e/neighbours/kourier/run.sh &&
		E2E_WITH=kourier e2e/knative.sh -test.run "$(tests RESTFromZero GRPCFromZero Expiry OneHost Events EndsThatNobodyTells \
			SourcesSayWhoTheyAre Callers ManyAtOnce)"
}
prometheus() {
	(cd e2e/neighbours/prometheus-operator && go test .) &&
		E2E_WITH=prometheus E2E_TIMEOUT=${E2E_TIMEOUT:-90m} e2e/knative.sh -test.run '^TestAlerts$'
}
upgrade() { e2e/upgrade.sh; }
chaos() { e2e/chaos.sh; }
overhead() { make --no-print-directory cluster-bench; }

all='backend kueue policies kourier prometheus upgrade chaos overhead'
status=0
results=()
parts=${E2E_PARTS:-$all}
for part in $parts; do # before hours have passed
	[[ " $all " = *" $part "* ]] || { echo "E2E_PARTS has $part, which is not a part; the parts are: $all"; exit 2; }
done
for part in $parts; do
	printf '\n== %s\n' "$part"
	began=$SECONDS result=passed
	"$part" || { result=FAILED status=1; }
	results+=("$part: $result, $(((SECONDS - began) / 60)) min")
done
printf '\n== results\n'
printf '%s\n' "${results[@]}"
exit "$status"
