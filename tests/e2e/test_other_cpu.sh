#!/bin/bash
# A trace replays on every processor of this machine, whichever recorded it: what programs learn from
# CPUID about the processor they started on differs between processors and stays in their memory. Where
# that cannot be helped, replay says that it could not tell (3), never that the run diverged.
. "$(dirname "$(realpath "$0")")/lib.sh"

have other_cpu taskset || finish
mapfile -t cpus < <(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' | awk -F - '{ for (i = $1; i <= $NF; i++) print i }')
[ "${#cpus[@]}" -gt 1 ] || { skip other_cpu "one processor only" && finish; }
# Two are enough where there are many.
[ "${#cpus[@]}" -le 4 ] || cpus=("${cpus[0]}" "${cpus[-1]}")

for recorded in "${cpus[@]}"; do
	for program in args_env fork_tree mutex_cond; do
		trace=$TRACES/$program.$recorded.sworn
		taskset -c "$recorded" timeout -s KILL 60 "$SWORN" record -o "$trace" -- "$GUESTS/$program" > "$LOG/record" 2>&1 < /dev/null || {
			fail "$program" "record on processor $recorded: $(tail -n 1 "$LOG/record")"
			continue
		}
		for replayed in "${cpus[@]}"; do
			status=0
			taskset -c "$replayed" timeout -s KILL 60 "$SWORN" replay "$trace" > "$LOG/replay" 2>&1 < /dev/null || status=$?
			if [ "$status" -eq 0 ] && grep -q identical "$LOG/replay"; then
				pass
			elif [ "$status" -eq 3 ] && grep -qi cpu "$LOG/replay"; then
				skip "$program" "recorded on processor $recorded, replayed on $replayed: $(tail -n 1 "$LOG/replay")"
			else
				fail "$program" "recorded on processor $recorded, replayed on $replayed: exit status $status: $(
					head -n 2 "$LOG/replay" | tail -n 1)"
			fi
		done
	done
done
finish
