#!/bin/bash
# Guest programs whose native and recorded runs differ on purpose: data races, forbidden calls.
. "$(dirname "$(realpath "$0")")/lib.sh"

# Which updates a race loses differs from run to run; replay must lose the same.
for i in 1 2 3; do
	check_program "race$i" --no-native-compare -- "$GUESTS/race" show
	[ -s "$TRACES/race$i.sworn" ] || continue
	sworn replay --show-output "$TRACES/race$i.sworn" > "$LOG/shown" 2> "$LOG/shown.err" < /dev/null
	if grep -qxFf <(grep lossy "$LOG/race$i.recorded") "$LOG/shown"; then
		pass
	else
		fail "race$i" "replay shows another count: $(grep lossy "$LOG/race$i.recorded" "$LOG/shown" | tr '\n' ' ')"
	fi
done

# A 32-bit call would pass by the filter: the kernel kills the program, as its exit status says.
check_program int80 --no-native-compare --status 159 -- "$GUESTS/int80"
if grep -q after "$LOG/int80.recorded"; then
	fail int80 "the call came back"
else
	pass
fi

leave_rows special
finish
