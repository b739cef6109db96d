#!/bin/bash
# Seeded turns that end at exact counts of branches (--schedule seeded --preempt pmu). Few hosts of tests have a counter, so this is sworn with another
# one, of tests/counted: a watchpoint, where guests count their rounds themselves, or steps, for all others. The interrupt comes at different
# distances from the end of a slice, as it does on hardware, and the events are the same all the same.
. "$(dirname "$(realpath "$0")")/lib.sh"

tools=${BUILD:-$(dirname "$GUESTS")}/tools
SWORN=$tools/sworn_watched
export WATCHED_SLICE=200 STEPPED_SLICE=160

# recorded NAME MARGIN SEED OPTION... -- GUEST: a trace and its events. MARGIN may be MARGIN:SKID for the counter that steps.
recorded()
{
	local name=$1 margin=$2 seed=$3 status=0
	local -x WATCHED_MARGIN=$margin STEPPED_MARGIN=${margin%:*} STEPPED_SKID=${margin#*:}

	shift 3
	fresh true
	rm -f "$TRACES/$name.sworn"
	(cd "$RUN" && sworn record --schedule seeded --preempt pmu --seed "$seed" --env PATH=/usr/bin:/bin \
		-o "$TRACES/$name.sworn" "$@" > "$LOG/$name.out" 2> "$LOG/$name.err" < /dev/null) || status=$?
	[ "$status" -eq 0 ] || {
		fail "$name" "recording ends with $status: $(tail -n 1 "$LOG/$name.err")"
		return 1
	}
	sworn verify --list "$TRACES/$name.sworn" > "$LOG/$name.events" 2> "$LOG/$name.verify"
	[ -s "$LOG/$name.events" ] || {
		fail "$name" "its events cannot be listed: $(cat "$LOG/$name.verify")"
		return 1
	}
}

# cuts NAME: how many of its turns end at counts
cuts()
{
	grep -c '^[0-9]* turn .* count=' "$LOG/$1.events"
}

margins=(40 3 1)

# exact NAME CUTS OPTION... -- GUEST: with one seed the same events wherever the interrupt comes, at least CUTS turns that end at counts, and a
# replay that gets there, too; SEED is 1 where it is not set
exact()
{
	local name=$1 least=$2 margin

	shift 2
	for margin in "${margins[@]}"; do
		recorded "$name.$margin" "$margin" "${SEED:-1}" "$@" || return
		cmp -s "$LOG/$name.${margins[0]}.events" "$LOG/$name.$margin.events" || {
			fail "$name" "with an interrupt $margin before the end it has other events; first:"
			diff "$LOG/$name.${margins[0]}.events" "$LOG/$name.$margin.events" | head -n 4 | cut -c1-300
			return
		}
	done
	[ "$(cuts "$name.$margin")" -ge "$least" ] || {
		fail "$name" "$(cuts "$name.$margin") of its turns end at counts, not $least or more"
		return
	}
	grep -q '^  requires     pmu' "$LOG/$name.$margin.verify" && grep -q '^  assumptions  none' "$LOG/$name.$margin.verify" || {
		fail "$name" "it should require a counter and assume nothing:" "$(grep -E 'requires|assumptions' "$LOG/$name.$margin.verify")"
		return
	}
	WATCHED_MARGIN=17 replay_check "$name.$margin" "$TRACES/$name.$margin.sworn" && pass
}

exact counts 4 -- "$GUESTS/spin_counts"
exact chaos 4 --chaos -- "$GUESTS/spin_counts"
exact alarm 4 -- "$GUESTS/alarm_counts"
exact race 20 -- "$GUESTS/race_counts" show

# A thread loses the other's additions where its turn ends between reading and writing: some seeds do that.
totals=
for seed in 1 2 3 4 5 6; do
	recorded "race$seed" 3 "$seed" -- "$GUESTS/race_counts" show && totals+="$(cut -d' ' -f1 "$LOG/race$seed.out" | head -n 1) "
done
if [ "$(tr ' ' '\n' <<< "$totals" | sort -u | grep -c '^[0-9]')" -gt 1 ]; then
	pass
else
	fail totals "six seeds come to the same number: $totals"
fi

# Where no slice ends a turn the events are those of a recording without a counter, whatever stops and goes on on the way.
for guest in fork_tree exec_thread group_stop sig_threads wait_status; do
	recorded "$guest" 40 1 -- "$GUESTS/$guest" || continue
	recorded "$guest.auto" 40 1 --preempt auto -- "$GUESTS/$guest" || continue
	if cmp -s "$LOG/$guest.events" "$LOG/$guest.auto.events"; then
		replay_check "$guest" "$TRACES/$guest.sworn" && pass
	else
		fail "$guest" "with a counter, which never counts, it has other events; first:"
		diff "$LOG/$guest.auto.events" "$LOG/$guest.events" | head -n 4 | cut -c1-300
	fi
done

# Another seed: other turns, of other lengths.
if recorded other 40 2 -- "$GUESTS/spin_counts"; then
	lengths()
	{
		grep -o '^[0-9]* turn .* count=[0-9]*' "$LOG/$1.events" | sed 's/.*count=//'
	}
	if cmp -s <(lengths counts.40) <(lengths other); then
		fail other "the turns of another seed are as long"
	else
		replay_check other "$TRACES/other.sworn" && pass
	fi
fi

# An interrupt that comes when its slice is over leaves a turn that no seed chose, and the trace says so.
if recorded late 0 1 -- "$GUESTS/spin_counts"; then
	if grep -q 'assumptions  .*another recording may end it elsewhere' "$LOG/late.verify"; then
		replay_check late "$TRACES/late.sworn" && pass
	else
		fail late "nothing says that turns ended late: $(grep assumptions "$LOG/late.verify")"
	fi
fi

# Without a counter nothing runs, nor can such a trace be replayed.
status=0
SWORN_WITHOUT=pmu sworn record --schedule seeded --preempt pmu -o "$TRACES/none.sworn" -- touch "$WORK/ran" 2> "$LOG/none.err" || status=$?
if [ "$status" -ne 125 ] || [ -e "$WORK/ran" ] || ! grep -q 'needs_pmu' "$LOG/none.err"; then
	fail none "without a counter recording ends with $status: $(cat "$LOG/none.err")"
else
	pass
fi
status=0
SWORN_WITHOUT=pmu sworn replay "$TRACES/counts.40.sworn" > "$LOG/none.out" 2>&1 || status=$?
if [ "$status" -ne 3 ] || ! grep -q 'hardware counter' "$LOG/none.out"; then
	fail none "without a counter replay ends with $status: $(cat "$LOG/none.out")"
else
	pass
fi

# With every branch counted, those of libraries too, and interrupts that are late by what comes.
SWORN=$tools/sworn_stepped
margins=(40:0 70:60)
exact stepped_race 50 -- "$GUESTS/race_counts" show
SEED=5 exact stepped_exec 2 -- "$GUESTS/exec_thread"
exact stepped_stop 2 -- "$GUESTS/group_stop"
exact stepped_flag 4 -- "$GUESTS/spin_flag"
finish
