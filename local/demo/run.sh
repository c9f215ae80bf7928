#!/usr/bin/env bash
# The demonstration on a bare machine: starts a backend, annotates a file with it, downloads the results and prints a summary.
# Called by `make demo`.
#
# run.sh [FILE] [DIRECTORY] [WORKFLOW]
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
file=${1:-$root/local/demo/genome.fna}
out=${2:-demo}
workflow=(${3:+"--workflow=$3"})
command=$root/bin/bakta-web
set_up=$root/.cache/bakta

bakta=(--bakta stand-in)
if [ -e "$set_up/stamps/smoke" ]; then
  bakta=(--bakta "$set_up/bin/bakta" --bakta-db "$set_up/db")
  echo "Bakta: the real one, with a tiny reference database for tests (make bakta)."
  if [ -e "$set_up/stamps/smoke-baktfold" ]; then
    bakta+=(--baktfold "$set_up/bin/baktfold" --baktfold-db "$set_up/baktfold-db")
    echo "Baktfold: the real one without its searches, so it finds nothing (make bakta)."
  fi
elif command -v bakta >/dev/null && [ -n "${BAKTA_DB:-}" ]; then
  bakta=(--bakta bakta --bakta-db "$BAKTA_DB")
  echo "Bakta: $(command -v bakta), with the reference database $BAKTA_DB."
else
  echo "Bakta: not installed, so a STAND-IN replaces it. Its output is not a Bakta annotation."
  echo "(make bakta installs the real one on Debian 12.)"
fi

data=$(mktemp -d)
backend=
finish() {
  [ -z "$backend" ] || { kill "$backend" 2>/dev/null && wait "$backend" 2>/dev/null; } || true
  rm -rf "$data"
}
trap finish EXIT

mkfifo "$data/url"
"$command" local --listen 127.0.0.1:0 --data "$data/backend" "${bakta[@]}" >"$data/url" &
backend=$!
read -r url <"$data/url" || { echo "The backend did not start." >&2; exit 1; }
echo "Backend: $url"
BAKTA_WEB_JOBS=$data/jobs.json "$command" submit "$file" "${workflow[@]}" --server "$url" --name demo --wait --out "$out" --force
echo "Commands: bakta-web local, then bakta-web submit $file${workflow:+ ${workflow[*]}} --wait --out $out"
