#!/bin/bash
# The guest programs of the group `memory`: the same natively, recorded and replayed.
. "$(dirname "$(realpath "$0")")/lib.sh"

run_group memory
finish
