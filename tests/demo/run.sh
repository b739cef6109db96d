#!/bin/bash
# run.sh: records the build of a small C project, takes every file of it away, and replays the trace:
# the same processes run again, from nothing but the trace. The last line is replay's verdict.
# SWORN names the binary. KEEP=1 keeps the directory with the trace.
set -euo pipefail

: "${SWORN:?path of the sworn binary}"
SWORN=$(realpath "$SWORN")
demo=$(dirname "$(realpath "$0")")
directory=$(mktemp -d "${TMPDIR:-/tmp}/sworn-demo.XXXXXX")
[ "${KEEP:-}" = 1 ] || trap 'rm -rf "$directory"' EXIT
unset MAKEFLAGS MAKELEVEL MFLAGS

now()
{
	date +%s%N
}

# seconds START END: with two decimals
seconds()
{
	local hundredths=$((($2 - $1) / 10000000))

	printf '%d.%02d s' $((hundredths / 100)) $((hundredths % 100))
}

mkdir "$directory/recorded"
cp -r "$demo/project" "$directory/recorded/project"
cp "$demo/workload.sh" "$directory/recorded/workload.sh"
cd "$directory/recorded"

echo "recording: make -j2, run the program, tar | zstd"
start=$(now)
"$SWORN" record -o "$directory/demo.sworn" -- bash workload.sh "$PWD/project"
end=$(now)
[ -s "$directory/demo.sworn" ]
echo "recorded in $(seconds "$start" "$end"), $(stat -c %s "$directory/demo.sworn") bytes"

cd "$directory"
mv recorded elsewhere
[ ! -e recorded/project ]
echo "replaying without the project's files"
start=$(now)
status=0
"$SWORN" replay demo.sworn > verdict || status=$?
end=$(now)
echo "replayed in $(seconds "$start" "$end")"
cat verdict
if [ "$status" -ne 0 ] || ! tail -n 1 verdict | grep -q 'identical$'; then
	trap - EXIT
	echo "demo: replay exited with status $status; the trace is $directory/demo.sworn" >&2
	exit 1
fi
