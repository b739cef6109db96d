#!/bin/bash
# A trace cut off anywhere, or with anything behind its seal, is refused with 5, and one cut at a
# frame's end is reported as truncated.
. "$(dirname "$(realpath "$0")")/lib.sh"

have truncate python3 zstd || finish
check_program whole -- "$GUESTS/args_env" one two
ok_so_far || finish
trace=$TRACES/whole.sworn
copy=$WORK/cut.sworn
size=$(stat -c %s "$trace")
python3 -B "$E2E/../tools/forge.py" "$trace" --frames > "$WORK/frames"

# refused VERB TEXT: the copy must be refused with 5
refused()
{
	local status=0

	sworn "$1" "$copy" > "$LOG/$1" 2>&1 < /dev/null || status=$?
	if [ "$status" -ne 5 ] || grep -q identical "$LOG/$1"; then
		fail "$2" "sworn $1 exits with $status: $(tail -n 1 "$LOG/$1")"
		return 1
	fi
	pass
}

ends=0
while read -r offset length kind; do
	for at in "$offset" $((offset + 3)) $((offset + length / 2)) $((offset + length - 1)); do
		[ "$at" -lt "$size" ] && [ "$at" -gt 0 ] || continue
		# Of the many BLOB frames a few are enough.
		[ "$kind" != BLOB ] || [ $((at % 5)) -eq 0 ] || continue
		head -c "$at" "$trace" > "$copy"
		refused verify "cut in $kind at $at"
	done
	ends=$((ends + 1))
	if [ "$kind" = LINK ]; then
		head -c $((offset + length)) "$trace" > "$copy"
		refused verify "cut behind $kind at $((offset + length))" &&
			{ grep -qi truncated "$LOG/verify" || fail "cut behind $kind" "not called truncated: $(tail -n 1 "$LOG/verify")"; }
	fi
done < "$WORK/frames"
[ "$ends" -gt 8 ] || fail truncate "only $ends frames"

# allowed STATUS VERB TEXT: what the copy comes to with --allow-truncated
allowed()
{
	local status=0

	sworn "$2" --allow-truncated "$copy" > "$LOG/$2" 2>&1 < /dev/null || status=$?
	if [ "$status" -eq "$1" ]; then pass; else fail "$3" "sworn $2 --allow-truncated exits with $status: $(tail -n 1 "$LOG/$2")"; fi
}

# Without its seal the trace has all its events; before the first block it has none.
head -c $((size - 1)) "$trace" > "$copy"
allowed 0 verify "a trace without its seal"
grep -q truncated "$LOG/verify" || fail truncate "verify --allow-truncated does not say truncated"
allowed 0 replay "a trace without its seal"
grep -q 'identical prefix$' "$LOG/replay" || fail truncate "no identical prefix: $(head -n 1 "$LOG/replay")"
head -c "$(awk '$3 == "EVENTS" { print $1; exit }' "$WORK/frames")" "$trace" > "$copy"
allowed 5 verify "a trace without events"
allowed 5 replay "a trace without events"
# Cut is not damaged.
{ head -c $((size / 2)) "$trace" && printf x && tail -c +$((size / 2 + 2)) "$trace"; } > "$copy"
allowed 5 verify "a changed byte"
allowed 5 replay "a changed byte"
cp "$trace" "$copy"
allowed 0 verify "a whole trace"
allowed 0 replay "a whole trace"
grep -q 'identical$' "$LOG/replay" || fail truncate "a whole trace is not identical: $(head -n 1 "$LOG/replay")"

: > "$copy"
refused verify "an empty file"
head -c $((size / 2)) "$trace" > "$copy"
refused replay "half a trace"
head -c $((size - 1)) "$trace" > "$copy"
refused replay "a trace without its last byte"
{ cat "$trace"; echo more; } > "$copy"
refused verify "text behind the seal"
cat "$trace" "$trace" > "$copy"
refused verify "two traces in one file"
{ cat "$trace"; printf '\x50\x2a\x4d\x18\0\0\0\0'; } > "$copy"
refused verify "an empty skippable frame behind the seal"
cp "$trace" "$copy"
sworn verify "$copy" > /dev/null 2>&1 || fail truncate "the whole copy is refused"
finish
