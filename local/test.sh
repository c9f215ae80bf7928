#!/usr/bin/env bash
# Runs every test of every module. Called by `make test` with a MongoDB and an S3 at hand.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -x .cache/bakta/bin/bakta ]; then
  echo "The real Bakta is set up: the tests run it."
else
  echo "ATTENTION: the real Bakta is not set up (make bakta), so the tests go on with the stand-in alone."
fi
status=0
for module in . local tools; do
  echo "== module $module"
  (cd "$module" && go test -race -shuffle=on -timeout 30m ./...) || status=1
done
exit $status
