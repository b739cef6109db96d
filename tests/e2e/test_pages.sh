#!/bin/bash
# State hashes of which only written pages are read are those of which all are, on both sides, and the guest cannot tell.
. "$(dirname "$(realpath "$0")")/lib.sh"

# CPUID tells programs which CPU they are on, and they keep it.
cpu=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*\([0-9]*\).*/\1/p' /proc/self/status)

# record NAME INTERVAL [COMMAND...]: without COMMAND the guest program; its environment says nothing of SWORN_WITHOUT
record()
{
	local name=$1 interval=$2 status=0

	shift 2
	[ $# -gt 0 ] || set -- "$GUESTS/written_pages"
	run_pinned record --seed 1 --clock virtual --checkpoint-interval "$interval" -o "$TRACES/$name.sworn" -- \
		env -u SWORN_WITHOUT "$@" > "$LOG/$name.out" 2> "$LOG/$name.err" < /dev/null || status=$?
	[ "$status" -eq 0 ] || fail "$name" "recording exits with $status: $(tail -n 3 "$LOG/$name.err")"
}

run_pinned()
{
	timeout -s KILL 100 taskset -c "$cpu" "$SWORN" "$@"
}

# hashes NAME: events of the program itself, with all state hashes and tags
hashes()
{
	sworn verify --list "$TRACES/$1.sworn" 2> /dev/null | sed '1,/^[0-9]* exec .*written_pages/d; s/^[0-9]* //; /^end /d'
}

"$GUESTS/written_pages" > "$LOG/native.out" || fail native "exit status $?"
for interval in 1 13; do
	record "dirty_$interval" "$interval"
	SWORN_WITHOUT=uffd record "all_$interval" "$interval"
	for name in dirty all; do
		name=${name}_$interval
		cmp -s "$LOG/native.out" "$LOG/$name.out" || fail "$name" "native and recorded output differ"
		replay_check "$name" "$TRACES/$name.sworn" && pass
		SWORN_WITHOUT=uffd replay_check "${name}_without" "$TRACES/$name.sworn" && pass
	done
done
# One process alone, as two take turns by the clock. What it reads of /proc/self/maps is in the events.
record dirty_alone 1 "$GUESTS/written_pages" alone
SWORN_WITHOUT=uffd record all_alone 1 "$GUESTS/written_pages" alone
if [ "$(hashes dirty_alone | grep -c '^checkpoint')" -ge 90 ] &&
	diff <(hashes dirty_alone) <(hashes all_alone) > "$LOG/hashes.diff"; then
	pass
else
	fail hashes "with and without: $(head -c 600 "$LOG/hashes.diff")"
fi

# Whether the kernel follows anything: "uw" in a line of VmFlags (proc_pid_smaps(5)).
record flags 1 "$GUESTS/written_pages" flags
SWORN_WITHOUT=uffd record flags_without 1 "$GUESTS/written_pages" flags
[ "$(tail -n 1 "$LOG/flags_without.out")" = "followed: no" ] || fail flags "without uffd: $(tail -n 1 "$LOG/flags_without.out")"
if ! sworn doctor | grep -q '^uffd  *ok'; then
	skip flags "this host cannot tell what is written"
elif [ "$(tail -n 1 "$LOG/flags.out")" = "followed: yes" ]; then
	pass
else
	fail flags "nothing is followed"
fi
finish
