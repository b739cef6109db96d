#!/bin/bash
# The guest programs of the group `thread`: the same natively, recorded and replayed.
. "$(dirname "$(realpath "$0")")/lib.sh"

run_group thread
finish
