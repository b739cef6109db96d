#!/bin/bash
# Seeded recordings on a host so busy that threads are found computing that have not had the processor since their last event: every third or fifth
# wait of the recorder is interrupted, and the events are the same all the same.
. "$(dirname "$(realpath "$0")")/lib.sh"

preload=${BUILD:-$(dirname "$GUESTS")}/tools/tick.so
[ -e "$preload" ] || {
	skip "ticks" "a build with sanitizers takes no preloaded library"
	finish
}

# recorded TRACE TICKS COMMAND...
recorded()
{
	local trace=$1 ticks=$2

	shift 2
	fresh true
	rm -f "$trace"
	# Guests must not have the library: PATH is all that they get.
	(cd "$RUN" && env LD_PRELOAD="$preload" SWORN_TICKS="$ticks" timeout -s KILL "${LIMIT:-100}" "$SWORN" record --schedule seeded --seed 3 \
		--env PATH=/usr/bin:/bin -o "$trace" -- "$@" > "$trace.out" 2> "$trace.err" < /dev/null)
}

# alike NAME COMMAND...: the same events however often the recorder is interrupted
alike()
{
	local name=$1 ticks status

	shift
	for ticks in 0 3 5; do
		status=0
		recorded "$TRACES/$name.$ticks.sworn" "$ticks" "$@" || status=$?
		[ "$status" -eq 0 ] || {
			fail "$name" "interrupted in every wait number $ticks the recording ends with $status: $(tail -n 1 "$TRACES/$name.$ticks.sworn.err")"
			return
		}
		sworn verify --list "$TRACES/$name.$ticks.sworn" > "$LOG/$name.$ticks" 2> /dev/null
		[ -s "$LOG/$name.$ticks" ] && cmp -s "$LOG/$name.0" "$LOG/$name.$ticks" || {
			fail "$name" "interrupted in every wait number $ticks it has other events; first:"
			diff "$LOG/$name.0" "$LOG/$name.$ticks" | head -n 4 | cut -c1-300
			return
		}
	done
	replay_check "$name" "$TRACES/$name.5.sworn" && pass
}

for guest in fork_tree sigchld wait_status job_control mutex_cond spin_flag timers vsyscall seccomp_strict; do
	alike "$guest" "$GUESTS/$guest"
done
for shell in bash dash; do
	have "$shell" "$shell" || continue
	# A child ends while the next of the pipe is ready to run.
	alike "$shell" "$shell" -c 'for i in 1 2 3 4; do (exec true) | (read x; exec true); x=$(echo a | cat); done; echo "$x"'
done
finish
