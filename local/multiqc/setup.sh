#!/usr/bin/env bash
# Installs MultiQC in .cache/multiqc of this repository, for the test that has it read the results of many samples. Called by
# `make multiqc`. Run it again to update it.
#
# Exit status: 0 ready
#              3 Python 3.11, or a package, is not available: not a fault of this repository
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
set_up=$(cd "$here/../.." && pwd)/.cache/multiqc

python=$(command -v python3) && "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' ||
  { echo "Python 3.11 or newer with venv is not installed." >&2; exit 3; }
# The virtual environment names its own path, so a clone that was moved sets it up again.
stamp=$set_up/$( (echo "$set_up"; cat "$here/requirements.txt") | sha256sum | cut -c1-16)
if [ ! -e "$stamp" ]; then
  rm -rf "$set_up" && mkdir -p "$set_up"
  "$python" -m venv "$set_up/venv" &&
    timeout --kill-after=10 600 "$set_up/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" || exit 3
  touch "$stamp"
fi
"$set_up/venv/bin/multiqc" --version
