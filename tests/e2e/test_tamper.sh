#!/bin/bash
# The tamper matrix, TAMPERINGS of it (all of them: make tamper): whatever is done to an archive, signed or not, it is refused, for the reason that
# belongs to what was done. tools/tamper.c says what is done.
. "$(dirname "$(realpath "$0")")/lib.sh"

tamper=$(dirname "$SWORN")/tools/tamper
: "${TAMPERINGS:=6000}"
if "$tamper" "$WORK" "$TAMPERINGS" "${SEED:-1}" > "$LOG/tamper"; then
	tail -n 1 "$LOG/tamper"
	pass
else
	fail tamper "SEED=${SEED:-1} TAMPERINGS=$TAMPERINGS: $(grep -vE '^[a-z ]+ +[0-9]+  ' "$LOG/tamper" | head -n 20)"
fi
finish
