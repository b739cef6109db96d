#!/bin/bash
# The demo, as `make demo` runs it: a recorded parallel build replays identically without its files.
set -eu

bash "$SOURCE/tests/demo/run.sh" | tee out
tail -n 1 out | grep -q 'identical$'
