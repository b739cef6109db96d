#!/bin/bash
# soak.sh SECONDS: the demo again and again until the time is over or one run fails.
set -euo pipefail

log=$(mktemp)
runs=0
while [ "$SECONDS" -lt "$1" ]; do
	bash "$(dirname "$0")/run.sh" > "$log" 2>&1 || {
		cat "$log"
		echo "soak: run $((runs + 1)) failed after $SECONDS s" >&2
		exit 1
	}
	runs=$((runs + 1))
done
rm -f "$log"
echo "soak: $runs runs identical in $SECONDS s"
