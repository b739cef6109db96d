#!/bin/bash
# Guest programs in observed recordings: turns as they come, and the host's clock.
export MODE=observed
. "$(dirname "$0")/lib.sh"
for group in signal process; do
	run_group "$group"
done
finish
