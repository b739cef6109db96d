#!/bin/bash
# The guest programs of the group `signal`: the same natively, recorded and replayed.
. "$(dirname "$(realpath "$0")")/lib.sh"

run_group signal

# Calls in flight that a signal ends while a checkpoint is taken.
for i in 1 2; do
	check_program "sig_storm$i" --record --checkpoint-interval=7 -- "$GUESTS/sig_storm"
done
finish
