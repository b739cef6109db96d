#!/bin/bash
# workload.sh DIRECTORY: what the demo records: builds the project in DIRECTORY with two jobs, runs
# the result and packs everything.
set -e
set -o pipefail

cd "$1"
make -j2
./tally | tee counts.txt
tar -cf - . | zstd -q -o ../project.tar.zst
ls -1 ..
