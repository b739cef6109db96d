#!/bin/bash
# `sworn audit events` tells a run as strace does: the same calls in the same order for each thread, with the same
# arguments and results, but for what tests/tools/strace_agree.py lists. Guests are left out whose calls differ from one native
# run to the next (threads that race, timers), and those that see their own process number or /proc.
. "$(dirname "$0")/lib.sh"

have strace strace /usr/bin/python3 || finish
AGREE=$(realpath "$E2E/../tools/strace_agree.py")
names="advice_partial all_wait args_env bad_ip brk deep_stack dirs exec_mask exec_self file_io file_names fpu_state
	growsdown handover jit mmap_changed mmap_holes mmap_private mmap_shared mremap order own_code poll_select pty scm_rights segv_fix
	shared_exec sig_altstack sig_forced sig_longjmp sig_mask sig_nested sig_restart sig_self sig_stack sig_sync
	sig_trap sig_wait sigpipe spawn splice stack_limit step_flags term_forms terminals vfork_exec"

compare()
{
	local name=$1 program=$GUESTS/$1 dir=$WORK/strace/$1

	shift
	mkdir -p "$dir"
	fresh true
	# A recording hands on the three standard descriptors only.
	(for fd in /proc/self/fd/*; do
		[ "${fd##*/}" -gt 2 ] && eval "exec ${fd##*/}>&-"
	done
	cd "$RUN" && timeout -s KILL 60 strace -ff -v -o "$dir/native" "$program" "$@" > "$dir/native.out" 2> "$dir/native.err" < /dev/null)
	fresh true
	(cd "$RUN" && sworn record --schedule observed -o "$dir/trace.sworn" -- "$program" "$@" > "$dir/recorded.out" \
		2> "$dir/recorded.err" < /dev/null)
	if ! sworn audit events "$dir/trace.sworn" > "$dir/events" 2> "$dir/events.err"; then
		fail "$name" "audit events fails: $(tail -n 1 "$dir/events.err")"
	elif ! /usr/bin/python3 "$AGREE" "$dir/native" "$dir/events" > "$dir/differences"; then
		fail "$name" "audit and strace differ: $(head -n 4 "$dir/differences" | cut -c1-400)"
	else
		pass
	fi
}

for name in $names; do
	arguments=$(awk -v name="$name" '!/^#/ && $2 == name { $1 = $2 = $3 = ""; print }' "$E2E/guests.txt")
	eval "set -- $arguments"
	compare "$name" "$@"
done

# The comparison is no formality: another result, another flag, a call less, and it says so.
dir=$WORK/strace/file_io
for change in 's/O_RDONLY/O_WRONLY/' 's/close(3) = 0/close(3) = 1/' '/lseek(/d'; do
	sed "$change" "$dir/events" > "$dir/changed"
	/usr/bin/python3 "$AGREE" "$dir/native" "$dir/changed" > "$dir/differences"
	if grep -q ' [1-9][0-9]* lines differ' "$dir/differences"; then
		pass
	else
		fail "changed" "the comparison does not see $change"
	fi
done
finish
