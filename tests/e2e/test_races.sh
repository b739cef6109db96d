#!/bin/bash
# Races come out by the seed: a lost update and a read before the write it needs show with some seeds and not with
# others, each seed gives the same events in every run, the trace of a failing run shows it again, and with --chaos what
# needs three switches is found. RACES_SEEDS seeds are run RACES_RUNS times each, RACES_JOBS at once; with RACES_CHAOS
# that many seeds look for the three switches. `make races` has the figures.
. "$(dirname "$(realpath "$0")")/lib.sh"

seeds=${RACES_SEEDS:-40} runs=${RACES_RUNS:-2} jobs=${RACES_JOBS:-1} chaos=${RACES_CHAOS:-400}
fresh true

# The command's outcome and the digest of all that its trace holds, as one line. For xargs, too.
# observe SEED RUN OPTION... -- COMMAND...
observe()
{
	local seed=$1 run=$2 options=() trace status=0

	shift 2
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	trace=$WORK/observed.$seed.$run
	cd "$RUN" || return
	timeout -s KILL "${LIMIT:-100}" "$SWORN" record --schedule seeded "${options[@]}" --seed "$seed" -o "$trace" -- "$@" \
		> "$trace.out" 2> "$trace.err" < /dev/null || status=$?
	if [ "$status" -eq 0 ] && timeout -s KILL "${LIMIT:-100}" "$SWORN" verify --list "$trace" > "$trace.list" 2> "$trace.err"; then
		echo "$seed $(sha256sum < "$trace.list" | cut -c1-64) $(head -n 1 "$trace.out")"
	else
		echo "$seed failed exit status $status of run $run: $(tail -n 1 "$trace.err")"
	fi
	rm -f "$trace" "$trace".*
}
export -f observe
export SWORN RUN WORK

# sweep FILE SEEDS RUNS ARGUMENT...: what observe says, for each seed and run
sweep()
{
	local file=$1 seeds=$2 runs=$3

	shift 3
	for seed in $(seq "$seeds"); do
		for run in $(seq "$runs"); do echo "$seed $run"; done
	done | xargs -P "$jobs" -L 1 bash -c 'observe "${@: -2}" "${@:1:$#-2}"' observe "$@" > "$file"
}

# agree NAME FILE SEEDS RUNS: every run is there, and all of a seed are one
agree()
{
	local name=$1 file=$2 seeds=$3 runs=$4

	if grep -q '^[0-9]* failed' "$file"; then
		fail "$name" "$(grep -c '^[0-9]* failed' "$file") recordings failed: $(grep -m1 '^[0-9]* failed' "$file")"
	elif [ "$(wc -l < "$file")" -ne $((seeds * runs)) ]; then
		fail "$name" "$(wc -l < "$file") runs are not $seeds seeds of $runs"
	elif [ "$(sort -u "$file" | wc -l)" -ne "$seeds" ]; then
		fail "$name" "two runs of a seed differ: $(sort -u "$file" | cut -d' ' -f1 | uniq -d | tr '\n' ' ')"
	else
		pass
	fi
}

# shows NAME FILE TEXT: with some seeds, not with all; the first one's trace replays and prints it
shows()
{
	local name=$1 file=$2 text=$3 with without seed trace=$TRACES/$1.sworn

	with=$(grep -c "$text" "$file")
	without=$(grep -vc "$text" "$file")
	echo "$name: $with of $((with + without)) runs show '$text'"
	[ "$with" -gt 0 ] && [ "$without" -gt 0 ] || {
		fail "$name" "'$text' shows in $with runs and not in $without"
		return
	}
	seed=$(grep -m1 "$text" "$file" | cut -d' ' -f1)
	(cd "$RUN" && sworn record --schedule seeded --seed "$seed" -o "$trace" -- "$GUESTS/order" race > "$LOG/$name" 2>&1 < /dev/null)
	replay_check "$name" "$trace" && sworn replay --show-output "$trace" 2> /dev/null | grep -q "$text" && pass ||
		fail "$name" "the trace of seed $seed does not show '$text'"
}

sweep "$LOG/order" "$seeds" "$runs" -- "$GUESTS/order" race
agree order "$LOG/order" "$seeds" "$runs"
shows lost_update "$LOG/order" 'update lost'
shows order_violation "$LOG/order" 'value unset'

# The orders are many: with one seed in two, at least, the events are others than those of all seeds before.
kinds=$(cut -d' ' -f2 "$LOG/order" | sort -u | wc -l)
echo "order: $kinds different event streams of $seeds seeds"
[ "$kinds" -gt $((seeds / 2)) ] && pass || fail kinds "$seeds seeds give only $kinds event streams"

# What takes three switches. A full sweep also counts how rare it is, with --chaos and without.
if [ "${RACES_FULL:-}" ]; then
	sweep "$LOG/fair" "$chaos" 1 -- "$GUESTS/handover" race
	agree fair "$LOG/fair" "$chaos" 1
	echo "handover: $(grep -c arrived "$LOG/fair") of $chaos seeds come to it without --chaos"
	sweep "$LOG/chaos" "$chaos" 1 --chaos -- "$GUESTS/handover" race
	agree chaos "$LOG/chaos" "$chaos" 1
else
	for seed in $(seq "$chaos"); do
		observe "$seed" 1 --chaos -- "$GUESTS/handover" race
	done | grep -m1 -e arrived -e failed > "$LOG/chaos"
fi
first=$(grep arrived "$LOG/chaos" | sort -n | head -n 1 | cut -d' ' -f1)
if [ "$first" ]; then
	echo "handover: $(grep -c arrived "$LOG/chaos") of $(wc -l < "$LOG/chaos") seeds come to it with --chaos, seed $first first"
	(cd "$RUN" && sworn record --schedule seeded --chaos --seed "$first" -o "$TRACES/handover.sworn" -- "$GUESTS/handover" race \
		> "$LOG/handover" 2>&1 < /dev/null)
	replay_check handover "$TRACES/handover.sworn" && pass
else
	fail handover "none of $chaos seeds comes to it: $(head -n 1 "$LOG/chaos")"
fi
finish
