#!/bin/bash
# Verbs that write into stores are killed, and their calls fail, at EACH places of every function that changes files:
# tools/store_faults.py says what has to hold.
. "$(dirname "$(realpath "$0")")/lib.sh"

preload=${BUILD:-$(dirname "$GUESTS")}/tools/fault.so
have store_faults python3 zstd || finish
[ -e "$preload" ] || {
	skip store_faults "a build with sanitizers takes no preloaded library"
	finish
}
check_program trace -- "$GUESTS/args_env"
ok_so_far || finish
mkdir "$WORK/faults"
if python3 -B "$E2E/../tools/store_faults.py" "$SWORN" "$preload" "$WORK/faults" "${EACH:-2}" "${SEED:-1}" "$TRACES/trace.sworn" > "$LOG/faults" 2>&1; then
	tail -n 1 "$LOG/faults"
	pass
else
	fail store_faults "EACH=${EACH:-2} SEED=${SEED:-1}: $(tail -n 12 "$LOG/faults")"
fi
finish
