#!/usr/bin/env bash
# Install signoff into a folder of the job's own, where submit.sh finds it. VERSION is what the workflow asked for.
set -euo pipefail

if [[ ! $VERSION =~ ^[0-9A-Za-z.+!-]+$ ]]; then
  echo "error: ${VERSION@Q} is not a version." >&2
  exit 2
fi
python3 -m venv "$RUNNER_TEMP/signoff"
"$RUNNER_TEMP/signoff/bin/python" -m pip install --quiet --disable-pip-version-check "signoff==$VERSION"
