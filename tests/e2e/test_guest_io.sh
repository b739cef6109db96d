#!/bin/bash
# The guest programs of the group `io`: the same natively, recorded and replayed.
. "$(dirname "$(realpath "$0")")/lib.sh"

run_group io
finish
