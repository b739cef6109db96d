#!/bin/bash
# run.sh DIRECTORY SECONDS: runs each fuzz program of a fuzz build for so many seconds, starting from
# its corpus in the tree. New inputs stay in the build; one that crashes is named and belongs
# into the corpus together with the fix.
set -euo pipefail

fuzz=$(dirname "$(realpath "$0")")
count=0
for program in "$1"/fuzz_*; do
	[ -x "$program" ] || continue
	name=$(basename "$program")
	mkdir -p "$1/new/$name" "$fuzz/corpus/$name"
	"$program" -max_total_time="$2" -print_final_stats=1 -artifact_prefix="$1/crash-$name-" \
		"$1/new/$name" "$fuzz/corpus/$name"
	count=$((count + 1))
done
if [ "$count" -eq 0 ]; then
	echo "fuzz: there is no fuzz program yet; put one into tests/fuzz/fuzz_NAME.c" >&2
	exit 1
fi
