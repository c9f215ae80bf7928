#!/usr/bin/env bash
# Generates Python and TypeScript clients from the OpenAPI 3.1 documents of a local backend, makes every call with them, and
# searches with Schemathesis for behaviour that the documents do not describe. Called by `make clients`.
#
# Exits with 3 if Python 3.11, Node.js 20 or their packages are not available.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
set_up=$root/.cache/clients

python=$(command -v python3) && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "Python 3.11 or newer is not installed." >&2; exit 3; }
command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' ||
  { echo "Node.js 20 or newer is not installed." >&2; exit 3; }
# The virtual environment names its own path, so a clone that was moved sets it up again.
stamp=$set_up/$( (echo "$set_up"; cat "$here/requirements.txt" "$here/package.json") | sha256sum | cut -c1-16)
if [ ! -e "$stamp" ]; then
  rm -rf "$set_up" && mkdir -p "$set_up"
  "$python" -m venv "$set_up/venv" &&
    "$set_up/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" || exit 3
  cp "$here/package.json" "$set_up/" && npm --prefix "$set_up" install --silent --no-audit --no-fund --no-package-lock || exit 3
  touch "$stamp"
fi
export PATH=$set_up/venv/bin:$set_up/node_modules/.bin:$PATH

work=$(mktemp -d)
backend=
finish() {
  [ -z "$backend" ] || { kill "$backend" 2>/dev/null && wait "$backend" 2>/dev/null; } || true
  rm -rf "$work"
}
trap finish EXIT
mkfifo "$work/url"
BAKTA_STAND_IN_STEP_DELAY=0ms "$root/bin/bakta-web" local --listen 127.0.0.1:0 --data "$work/backend" \
  --bakta stand-in >"$work/url" 2>"$work/log" &
backend=$!
read -r url <"$work/url" || { cat "$work/log" >&2; echo "The backend did not start." >&2; exit 1; }

cd "$work"
cp "$here"/calls.* "$here/package.json" .
ln -s "$set_up/node_modules" node_modules
for version in v1 v2; do
  document=$url/api-docs/openapi-3.1-$version.json
  openapi-python-client generate --fail-on-warning --url "$document" --output-path $version --meta none
  openapi-typescript "$document" --output $version.d.ts
done
mypy --follow-imports=silent calls.py
tsc --strict --target es2022 --module nodenext --types node --skipLibCheck calls.ts
python calls.py "$url"
node calls.js "$url"

# All checks except ignored_auth and object_level_authorization, which need accounts. A call for a job's state may wait for 25 s.
for version in v1 v2; do
  schemathesis run "$url/api-docs/openapi-3.1-$version.json" --no-color --checks all --continue-on-failure --request-timeout 40 \
    --max-response-time 30 \
    --seed "${SEED:-1}" --max-examples "${EXAMPLES:-30}" --generation-database none
done
if grep -E 'level=(WARN|ERROR)' "$work/log"; then
  echo "The backend logged errors for requests of the clients." >&2
  exit 1
fi
