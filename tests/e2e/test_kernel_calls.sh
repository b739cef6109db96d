#!/bin/bash
# What the kernel gets to see of a replay's guests: after their stub has started, address-space calls,
# thread and process creation and exit; no other call of theirs reaches it.
#
# The raw_syscalls:sys_enter tracepoint comes after seccomp in the kernel's entry path (6.18 and all
# since 4.8): a call that the tracer skips at its seccomp stop never gets there, it only shows as a
# sys_exit with number -1. So every sys_enter of a guest is a call that the kernel executed.
# Guests are told from the replayer by their start: a guest process descends from one that called
# execveat (the stub), the replayer and its helpers do not.
. "$(dirname "$(realpath "$0")")/lib.sh"

tracing=/sys/kernel/tracing
[ "$(id -u)" -eq 0 ] || { skip kernel_calls "needs root" && finish; }
[ -d $tracing/events/raw_syscalls/sys_enter ] || mount -t tracefs nodev $tracing 2> /dev/null
[ -d $tracing/events/raw_syscalls/sys_enter ] || { skip kernel_calls "no tracefs" && finish; }
instance=$tracing/instances/sworn-test-$$
mkdir "$instance" 2> /dev/null || { skip kernel_calls "tracefs takes no instance" && finish; }
trap 'echo 0 > "$instance/events/enable"; rmdir "$instance"' EXIT

# mmap mprotect munmap mremap madvise clone exit exit_group; 322 is the stub's execveat
allowed='9 10 11 25 28 56 60 231'

# traced NAME COMMAND...: sys_enter and fork events of the command and its descendants
traced()
{
	local log=$WORK/$1.trace

	shift
	echo 65536 > "$instance/buffer_size_kb"
	echo > "$instance/trace"
	echo 1 > "$instance/options/event-fork"
	echo 1 > "$instance/events/raw_syscalls/sys_enter/enable"
	echo 1 > "$instance/events/sched/sched_process_fork/enable"
	(echo "$BASHPID" > "$instance/set_event_pid"; exec "$@") > "$LOG/traced" 2>&1 < /dev/null
	local status=$?
	echo 0 > "$instance/events/enable"
	echo > "$instance/set_event_pid"
	cat "$instance/trace" > "$log"
	grep -q 'entries-in-buffer/entries-written: \([0-9]*\)/\1 ' "$log" || fail "$1" "the trace buffer was too small"
	return "$status"
}

# guests NAME: the guests' calls as `pid number`, from the stub's execveat on
guests()
{
	awk '
		function pid_of(field) { sub(/.*-/, "", field); return field }
		/sched_process_fork:/ {
			match($0, / pid=[0-9]+/); parent = substr($0, RSTART + 5, RLENGTH - 5)
			match($0, /child_pid=[0-9]+/); child = substr($0, RSTART + 10, RLENGTH - 10)
			if (parent in guest) guest[child] = 1
		}
		/sys_enter: NR/ {
			match($0, /-[0-9]+ +\[/); pid = substr($0, RSTART + 1); sub(/ .*/, "", pid)
			match($0, /NR -?[0-9]+/); nr = substr($0, RSTART + 3, RLENGTH - 3)
			if (pid in guest) print pid, nr
			if (nr == 322) guest[pid] = 1
		}' "$WORK/$1.trace"
}

for name in fork_tree mutex_cond file_io sig_self mmap_private exec_self tcp_loopback getppid; do
	check_program "$name" -- "$GUESTS/$name"
	[ -s "$TRACES/$name.sworn" ] || continue
	traced "$name" "$SWORN" replay "$TRACES/$name.sworn" || fail "$name" "replay under the tracepoint: $(tail -n 1 "$LOG/traced")"
	guests "$name" > "$WORK/calls"
	count=$(wc -l < "$WORK/calls")
	if [ "$count" -lt 3 ]; then
		fail "$name" "only $count calls of guests were seen: the test is blind"
		continue
	fi
	wrong=$(awk -v allowed="$allowed" 'BEGIN { split(allowed, list, " "); for (i in list) ok[list[i]] = 1 }
		!($2 in ok) { n[$2]++ } END { for (nr in n) printf "call %s %d times; ", nr, n[nr] }' "$WORK/calls")
	if [ "$wrong" ]; then
		fail "$name" "guests reached the kernel with $wrong"
	else
		pass
	fi
	echo "$name: $count calls of $(cut -d ' ' -f 1 "$WORK/calls" | sort -u | wc -l) guest threads: $(
		awk '{ n[$2]++ } END { for (nr in n) printf "%s:%d ", nr, n[nr] }' "$WORK/calls")"
done
clones=$(guests fork_tree | grep -c ' 56$')
[ "$clones" -ge 14 ] || fail fork_tree "14 children were recorded, only $clones clone calls of guests seen"

# The test sees what it is for: natively the same program makes calls that it must object to.
traced native bash -c "exec '$GUESTS/getppid' 100"
seen=$(grep -c 'sys_enter: NR 110 ' "$WORK/native.trace")
if [ "$seen" -ge 100 ]; then pass; else fail native "only $seen of 100 getppid calls were seen"; fi
finish
