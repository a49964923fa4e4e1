#!/usr/bin/env bash
# Call `signoff ci` with what the workflow gave. Everything comes by the environment; nothing in it is read as an
# option or as shell, whatever it holds.
set -euo pipefail

PATH="${RUNNER_TEMP:-/nonexistent}/signoff/bin:$PATH"

call=(signoff ci "--file=$PIPELINE_FILE" "--timeout=$TIMEOUT")
if [[ -n $NOTE ]]; then call+=("--message=$NOTE"); fi
if [[ -n $METRICS ]]; then call+=("--metrics=$METRICS"); fi
if [[ -n $AUDIENCE ]]; then call+=("--audience=$AUDIENCE"); fi
case $WAIT in
  true) ;;
  false) call+=(--no-wait) ;;
  *)
    echo "error: wait is ${WAIT@Q}; say true or false." >&2
    exit 2
    ;;
esac
if [[ -n $MODEL ]]; then call+=(-- "$MODEL"); fi
exec "${call[@]}"
