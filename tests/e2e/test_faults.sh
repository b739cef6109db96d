#!/bin/bash
# Calls of sworn's own that fail, one in each run, chosen by SEED, EACH of every function: tools/faults.py says what has
# to hold. Then places that take no trace: full, read-only, a limit on file sizes, no descriptors.
. "$(dirname "$(realpath "$0")")/lib.sh"

preload=${BUILD:-$(dirname "$GUESTS")}/tools/fault.so
have faults python3 prlimit || finish
[ -e "$preload" ] || {
	skip faults "a build with sanitizers takes no preloaded library"
	finish
}

mkdir "$WORK/faults"
if python3 -B "$E2E/../tools/faults.py" "$SWORN" "$preload" "$WORK/faults" "${EACH:-3}" "${SEED:-1}" "$GUESTS/shared_exec"; then
	pass
else
	fail faults "a fault was not taken as it should be"
fi

# ends NAME TEXT COMMAND...: records the command where no trace can be written to its end; 125, TEXT, no final name, and
# what is left is truncated
ends()
{
	local name=$1 text=$2 status=0

	shift 2
	timeout -s KILL 60 prlimit ${LIMIT_FILES:+--fsize=$((LIMIT_FILES * 1024))} "$SWORN" record -o "$place/x.sworn" -- "$@" \
		> /dev/null 2> >(cat > "$LOG/$name.err") < /dev/null || status=$?
	sleep 0.1
	if [ "$status" -ne 125 ] || ! grep -q "$text" "$LOG/$name.err"; then
		fail "$name" "exit status $status, not 125, or the message is not '$text': $(cat "$LOG/$name.err")"
	elif [ -e "$place/x.sworn" ]; then
		fail "$name" "an unfinished trace has the final name"
	elif [ -s "$place/x.sworn.partial" ] && sworn verify "$place/x.sworn.partial" > "$LOG/$name.verify" 2>&1; then
		fail "$name" "what is left verifies as whole"
	else
		pass
	fi
	rm -f "$place/x.sworn.partial"
}

place=$WORK/small
mkdir "$place"
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=300k none "$place" 2> /dev/null; then
	ends disk_full 'disk_full' seq 1 200000
	ends disk_full_blob 'disk_full' "$GUESTS/shared_exec"
	mount -o remount,ro "$place"
	ends read_only 'no trace can be written there' true
	umount "$place"
else
	skip disk_full "this user or place can mount no small file system"
fi
mkdir "$WORK/limited"
place=$WORK/limited
for limit in 0 16 100; do
	LIMIT_FILES=$limit ends "file_size_$limit" 'File too large' seq 1 200000
done
place=$WORK/no/such/directory
ends nowhere 'no trace can be written there' true

# A slow disk: the command waits for it, its trace is whole, and the recorder says what it waited.
status=0
timeout -s KILL 100 env FAULT_SLOW=150 LD_PRELOAD="$preload" "$SWORN" record -o "$WORK/slow.sworn" -- \
	head -c 6000000 /dev/urandom > "$WORK/slow.out" 2> "$LOG/slow.err" < /dev/null || status=$?
if [ "$status" -ne 0 ] || [ "$(stat -c %s "$WORK/slow.out")" -ne 6000000 ]; then
	fail slow_disk "exit status $status: $(cat "$LOG/slow.err")"
elif ! grep -q 'the command waited [0-9.]* s for its trace to be written' "$LOG/slow.err"; then
	fail slow_disk "nothing says that it was slow: $(cat "$LOG/slow.err")"
elif ! sworn replay "$WORK/slow.sworn" > "$LOG/slow.replay" 2>&1; then
	fail slow_disk "$(cat "$LOG/slow.replay")"
else
	pass
fi

# Few descriptors: it works or says why, and never hangs.
for limit in 5 6 8 12 16; do
	status=0
	timeout -s KILL 60 prlimit --nofile=$limit:$limit "$SWORN" record -o "$WORK/few.sworn" -- "$GUESTS/args_env" \
		> /dev/null 2> "$LOG/few" < /dev/null || status=$?
	if [ "$status" -eq 0 ] && sworn verify "$WORK/few.sworn" > /dev/null 2>&1; then
		pass
	elif [ "$status" -eq 125 ] && grep -q 'sworn record: ' "$LOG/few" && [ ! -e "$WORK/few.sworn" ]; then
		pass
	else
		fail "descriptors $limit" "exit status $status: $(cat "$LOG/few")"
	fi
	rm -f "$WORK"/few.sworn*
done
finish
