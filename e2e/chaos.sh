#!/bin/bash
# Lets every part of the backend and of its cluster fail while jobs run, in turn and at random: e2e/chaos.sh. The report goes to docs/reports,
# or to the folder that E2E_REPORTS names. E2E_CHAOS_JOBS is the number of jobs under faults at random (200; a twentieth of them under each in
# turn), E2E_CHAOS_SEED repeats the faults of an earlier run, E2E_CHAOS_ONLY=REGEXP selects faults by their names, and "at random".
set -euo pipefail
cd "$(dirname "$0")/.."
export E2E_CHAOS_JOBS=${E2E_CHAOS_JOBS:-200} E2E_REPORTS=${E2E_REPORTS:-$PWD/docs/reports} E2E_CLOCK=yes E2E_WITH=${E2E_WITH:+$E2E_WITH,}clock E2E_TIMEOUT=${E2E_TIMEOUT:-3h}
mkdir -p "$E2E_REPORTS"
exec e2e/knative.sh -test.run '^TestChaos$' "$@"
