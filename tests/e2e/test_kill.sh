#!/bin/bash
# A recorder killed by SIGKILL takes its guests along within a second, and leaves a trace that says it
# is truncated.
. "$(dirname "$(realpath "$0")")/lib.sh"

have kill ps || finish

# descendants PID: all processes below it
descendants()
{
	ps -e -o ppid=,pid= | awk -v root="$1" '
		{ parent[$2] = $1 }
		END { for (pid in parent) for (at = parent[pid]; at > 1; at = parent[at]) if (at == root) { print pid; break } }'
}

# starttime PID: when it started, so that a new process with the same number is not taken for it;
# nothing for a dead one, also where its parent leaves it unreaped
starttime()
{
	sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | awk '$1 != "Z" && $1 != "X" { print $20 }'
}

cat > "$WORK/busy.sh" <<'END'
(while :; do :; done) &
(while :; do seq 1 1000 | sort -r > /dev/null; done) &
sleep 1000 &
trap 'echo never' TERM INT
echo started
wait
END

for run in 1 2 3; do
	trace=$TRACES/killed$run.sworn
	: > "$LOG/started"
	"$SWORN" record --schedule observed -o "$trace" -- bash "$WORK/busy.sh" > "$LOG/started" 2> "$LOG/killed.err" < /dev/null &
	recorder=$!
	for ((i = 0; i < 300; i++)); do
		grep -q started "$LOG/started" && break
		sleep 0.1
	done
	sleep 0.$((run * 2))
	below=$(descendants "$recorder")
	count=$(wc -w <<< "$below")
	[ "$count" -ge 3 ] || fail "run $run" "only $count guests before the kill: $(cat "$LOG/killed.err")"
	born=$(for pid in $below; do echo "$pid:$(starttime "$pid")"; done)
	kill -KILL "$recorder"
	wait "$recorder" 2> /dev/null
	# A second, five times over for a busy machine.
	for ((i = 0; i < 50; i++)); do
		left=
		for entry in $born; do
			now=$(starttime "${entry%%:*}")
			[ -z "$now" ] || [ "$now" != "${entry##*:}" ] || left+=" ${entry%%:*}"
		done
		[ "$left" ] || break
		sleep 0.1
	done
	if [ "$left" ]; then
		fail "run $run" "still alive five seconds later: $(ps -o pid,stat,args -p "$(tr " " , <<< "${left# }")" 2> /dev/null | tail -n +2 | tr '\n' ';')"
		# shellcheck disable=SC2086 # numbers
		kill -KILL $left 2> /dev/null
	else
		pass
	fi
	[ ! -e "$trace" ] || fail "run $run" "an unfinished trace has the final name"
	if [ ! -s "$trace.partial" ]; then
		fail "run $run" "no partial trace: $(ls "$TRACES")"
		continue
	fi
	for verb in verify replay; do
		status=0
		sworn "$verb" "$trace.partial" > "$LOG/$verb" 2>&1 < /dev/null || status=$?
		if [ "$status" -eq 5 ] && grep -qi truncated "$LOG/$verb"; then
			pass
		else
			fail "run $run" "sworn $verb of the rest exits with $status: $(tail -n 1 "$LOG/$verb")"
		fi
	done
	# The same name can be recorded again.
	check_program "again$run" -- "$GUESTS/args_env"
done
finish
