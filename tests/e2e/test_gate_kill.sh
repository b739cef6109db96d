#!/bin/bash
# A gate that is killed at any moment, in either mode: none of its workers, recorders, replays and guests stays, no mount, and no file
# in TMPDIR or beside its reports.
. "$(dirname "$0")/lib.sh"
. "$E2E/gate.sh"

cd "$WORK" || exit 1
marker="kill-$$-$RANDOM"
mkdir -p temporary "$marker" checkout reports
export TMPDIR=$WORK/temporary
cat > checkout/work.sh <<'END'
"$1" 3000 > written
(while :; do kill -0 $$ || exit; done) 2> /dev/null &
"$1" 3000
kill $!
END
cd checkout || exit 1
for n in 1 2 3 4; do
	sworn record --schedule seeded --seed "$n" --workdir-as /desk -o "../$marker/$n.sworn" -- sh work.sh "$GUESTS/getppid" "$marker" \
		> "$LOG/output" 2> "$LOG/errors" || fail setup "recording: $(tail -n 1 "$LOG/errors")"
done

# left: what of a killed gate is still there: processes by the marker in their arguments, mounts, files
left()
{
	local process

	for process in /proc/[0-9]*; do
		[ "$process" != "/proc/$$" ] && [ "$process" != "/proc/$BASHPID" ] &&
			{ tr '\0' ' ' < "$process/cmdline"; } 2> /dev/null | grep -qF "$marker" && echo "process ${process#/proc/}"
	done
	ls -A "$TMPDIR"
	ls -A ../reports | grep -vxE 'report.json|junit.xml'
	diff "$LOG/mounts" <(sort /proc/self/mountinfo)
}

sort /proc/self/mountinfo > "$LOG/mounts"
running=0 killed=0
for ((round = 0; round < 20; round++)); do
	mode=replay
	[ $((round % 2)) -eq 0 ] || mode=rerun
	"$SWORN" gate run --mode "$mode" -j 2 --junit ../reports/junit.xml --report ../reports/report.json "../$marker" \
		> "$LOG/killed.out" 2>&1 < /dev/null &
	gate=$!
	sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
	[ "$(left | grep -c ^process)" -lt 2 ] || running=$((running + 1))
	kill -KILL "$gate" 2> /dev/null && killed=$((killed + 1))
	wait "$gate" 2> /dev/null
	for ((i = 0; i < 100; i++)); do
		[ -z "$(left)" ] && break
		sleep 0.1
	done
	[ -z "$(left)" ] && pass || fail "$mode $round" "left behind: $(left | head -n 5 | tr '\n' ' ')"
done
# Enough of them had processes of their own when they were killed.
[ "$running" -ge 5 ] && pass || fail running "only $running of 20 were at work, $killed were killed"
for mode in replay rerun; do
	gate "after_$mode" 0 run --mode "$mode" -j 2 "../$marker"
done

finish
