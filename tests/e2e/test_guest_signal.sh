#!/bin/bash
# The guest programs of the group `signal`: the same natively, recorded and replayed.
. "$(dirname "$(realpath "$0")")/lib.sh"

run_group signal

# Calls in flight that a signal ends while a checkpoint is taken.
for i in 1 2; do
	check_program "sig_storm$i" --record --checkpoint-interval=7 -- "$GUESTS/sig_storm"
done
# Stops that are no events: of faults that a handler cannot take, of signals that are held.
for name in bad_ip sig_timer; do
	check_program "each_event_$name" --record --checkpoint-interval=1 -- "$GUESTS/$name"
done
check_program each_event_sig_held --record --schedule --record observed --record --checkpoint-interval=1 -- "$GUESTS/sig_held"
finish
