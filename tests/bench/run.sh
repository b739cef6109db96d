#!/bin/bash
# run.sh: wall time of the demo's workload and of a program that does little but system calls: native,
# recorded, replayed. The best of RUNS=3. SWORN names the binary.
set -euo pipefail

: "${SWORN:?path of the sworn binary}"
SWORN=$(realpath "$SWORN")
demo=$(dirname "$(realpath "$0")")/../demo
directory=$(mktemp -d "${TMPDIR:-/tmp}/sworn-bench.XXXXXX")
trap 'rm -rf "$directory"' EXIT
unset MAKEFLAGS MAKELEVEL MFLAGS
cd "$directory"

# best COMMAND...: shortest wall time in ms over the runs
best()
{
	local start time least=

	for ((i = 0; i < ${RUNS:-3}; i++)); do
		rm -rf recorded project.tar.zst
		mkdir recorded
		cp -r "$demo/project" recorded/project
		start=$(date +%s%N)
		"$@" > out 2>&1 || { cat out >&2; return 1; }
		time=$((($(date +%s%N) - start) / 1000000))
		[ -n "$least" ] && [ "$least" -le "$time" ] || least=$time
	done
	echo "$least"
}

# measure NAME COMMAND...
measure()
{
	local name=$1 native record replay

	shift
	native=$(best "$@")
	record=$(best "$SWORN" record -o bench.sworn -- "$@")
	replay=$(best "$SWORN" replay bench.sworn)
	printf '%-8s native %6d ms  record %6d ms  replay %6d ms  trace %9d bytes\n' \
		"$name" "$native" "$record" "$replay" "$(stat -c %s bench.sworn)"
}

measure build bash "$demo/workload.sh" "$PWD/recorded/project"
measure calls dd if=/dev/zero of=/dev/null bs=1 count=20000
