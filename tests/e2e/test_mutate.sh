#!/bin/bash
# Damaged traces, 500 here and MUTATIONS where that is set: each is refused with the status that the manual
# has, in bounded time and memory. tools/mutate.py says how they are damaged.
. "$(dirname "$(realpath "$0")")/lib.sh"

have mutate python3 zstd || finish
check_program mutated -- "$GUESTS/sig_nested"
check_program mutated_more -- "$GUESTS/shared_exec"
ok_so_far || finish

: "${MUTATIONS:=500}"
for name in mutated mutated_more; do
	# Nobody can make a changed trace fit its signature again: what is damaged is an unsigned one.
	python3 -B "$E2E/../tools/forge.py" "$TRACES/$name.sworn" "$TRACES/$name.unsigned" nothing > /dev/null
	if python3 -B "$E2E/../tools/mutate.py" "$SWORN" "$TRACES/$name.unsigned" "$WORK" $((MUTATIONS / 2)) "${SEED:-1}"; then
		pass
	else
		fail "$name" "a damaged trace was not taken as it should be; its name has SEED and number"
	fi
done
finish
