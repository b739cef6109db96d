#!/bin/bash
# What is given as a trace and is none, or none for here: what, where and what to do, with the documented code.
. "$(dirname "$(realpath "$0")")/lib.sh"

have bad_trace python3 zstd || finish
check_program good -- "$GUESTS/args_env"
ok_so_far || finish

# says CODE TEXT NAME TRACE [OPTION...]: verify and replay exit with CODE, say TEXT, and end with advice
says()
{
	local code=$1 text=$2 name=$3 trace=$4 verb status

	shift 4
	for verb in verify replay; do
		status=0
		sworn "$verb" "$@" "$trace" > "$LOG/$name.$verb" 2>&1 < /dev/null || status=$?
		if [ "$status" -eq "$code" ] && grep -qE "$text" "$LOG/$name.$verb" && grep -qE 'next: |; [a-z]' "$LOG/$name.$verb"; then
			pass
		else
			fail "$name" "sworn $verb exits with $status, not $code, or does not say '$text': $(head -n 4 "$LOG/$name.$verb")"
		fi
	done
}

# rewritten NAME FIELD: the good trace as $WORK/NAME, with a change made by the Python statement FIELD to header, info or
# summary; all hashes fit
rewritten()
{
	python3 -B - "$E2E/../tools" "$TRACES/good.sworn" "$WORK/$1" "$2" << 'END_OF_PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
from forge import decode, encode, frame, labelled, split, unsigned
from mutate import rechain
frames = [[kind, whole] for kind, _, whole in split(unsigned(open(sys.argv[2], "rb").read()))]
content = {kind: decode(whole, 8)[0] for kind, whole in frames if kind in ("HEADER", "INFO", "SUMMARY")}
protected, unprotected, payload, _ = content["HEADER"]
header, info, summary = decode(payload)[0], content["INFO"], content["SUMMARY"]
exec(sys.argv[4])
payload = encode(header)
changed = {"HEADER": [protected, unprotected, payload, labelled("sworn/1/unsigned", protected, payload)],
           "INFO": info, "SUMMARY": summary}
open(sys.argv[3], "wb").write(rechain([[kind, frame(kind, encode(changed[kind])) if kind in changed else whole]
                                       for kind, whole in frames]))
END_OF_PYTHON
}

rewritten same 'pass'
python3 -B "$E2E/../tools/forge.py" "$TRACES/good.sworn" "$WORK/stripped" nothing > /dev/null
cmp -s "$WORK/same" "$WORK/stripped" || fail same "an unchanged trace does not come out as it was"
rewritten version 'header[0] = 2'
says 3 'newer' version "$WORK/version"
says 5 'unsigned' same "$WORK/same"
rewritten table 'info[0] = 1000'
says 3 'newer' table "$WORK/table"
# A trace of an older table replays like any other; but what then does not fit may be a row that has changed.
rewritten older 'info[0] -= 1'
for verb in verify replay; do
	if sworn "$verb" --allow-unsigned "$WORK/older" > "$LOG/older.$verb" 2>&1 < /dev/null; then
		pass
	else
		fail older "sworn $verb does not take an older table: $(head -n 4 "$LOG/older.$verb")"
	fi
done
python3 -B "$E2E/../tools/forge.py" "$WORK/older" "$WORK/doubtful" status > /dev/null || fail doubtful "could not be forged"
status=0
sworn replay --allow-unsigned "$WORK/doubtful" > "$LOG/doubtful" 2>&1 < /dev/null || status=$?
if [ "$status" -eq 3 ] && grep -q 'could not tell' "$LOG/doubtful" && grep -q 'older call table' "$LOG/doubtful"; then
	pass
else
	fail doubtful "replay of an older table exits with $status: $(head -n 4 "$LOG/doubtful")"
fi
rewritten word 'summary[0].append("quantum")'
says 3 'newer' word "$WORK/word"

says 5 'not a Sworn trace|not a frame|refused|corrupt' text "$E2E/guests.txt"
head -c 100 /dev/zero > "$WORK/zeros"
says 5 'refused|corrupt' zeros "$WORK/zeros"
: > "$WORK/empty"
says 5 'truncated' empty "$WORK/empty"
says 5 'refused|corrupt' device /dev/null
mkdir "$WORK/directory"
for trace in "$WORK/directory" "$WORK/no-such-file"; do
	for verb in verify replay; do
		status=0
		sworn "$verb" "$trace" > "$LOG/none" 2>&1 || status=$?
		if [[ $status = [345] ]] && grep -qE 'next: |; [a-z]' "$LOG/none"; then
			pass
		else
			fail "$trace" "sworn $verb exits with $status: $(cat "$LOG/none")"
		fi
	done
done

# A thin trace whose store lost a blob, or has other bytes under its name.
sworn record --store "$WORK/store" -- "$GUESTS/args_env" > /dev/null 2>&1 || fail store "no thin trace"
thin=$(readlink -f "$WORK/store/latest")
for blob in "$WORK"/store/blobs/sha256/*; do break; done
mv "$blob" "$WORK/blob"
says 5 'store|blob' missing_blob "$thin" --store "$WORK/store"
{ head -c $(($(stat -c %s "$WORK/blob") - 1)) "$WORK/blob" && printf x; } > "$blob"
says 5 'store|blob' other_blob "$thin" --store "$WORK/store"
cp "$WORK/blob" "$blob"
sworn replay --store "$WORK/store" > "$LOG/restored" 2>&1 && pass || fail restored "$(head -n 3 "$LOG/restored")"
cp "$thin" "$WORK/elsewhere.sworn"
says 5 'store|blob' elsewhere "$WORK/elsewhere.sworn"

# A trace path that cannot be written, or where something else is: nothing runs.
mkfifo "$WORK/pipe"
for path in "$WORK/no/such/x.sworn" "$WORK/directory" "$WORK/pipe" /proc/x.sworn; do
	status=0
	sworn record -o "$path" -- sh -c 'echo ran' > "$LOG/path.out" 2> "$LOG/path.err" < /dev/null || status=$?
	if [ "$status" -eq 125 ] && [ ! -s "$LOG/path.out" ] && grep -q "$path: no trace can be written there: .*; name another" "$LOG/path.err"; then
		pass
	else
		fail "$path" "exit status $status: $(cat "$LOG/path.out" "$LOG/path.err")"
	fi
done
finish
