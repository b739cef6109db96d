#!/bin/bash
# run_one.sh NAME COMMAND...: runs one test in a temporary directory of its own ($WORK, also TMPDIR
# and the working directory), with a trace store of its own. The directory is removed unless the
# test failed; then the last lines say where it is and how to run the test again.
set -u

name=$1
shift
WORK=$(mktemp -d "${TMPDIR:-/tmp}/sworn-test-$name.XXXXXX") || exit 1
mkdir "$WORK/home" "$WORK/tmp"
export WORK TMPDIR=$WORK/tmp HOME=$WORK/home XDG_DATA_HOME=$WORK/home/data LC_ALL=C
unset MAKEFLAGS MAKELEVEL MFLAGS
cd "$WORK" || exit 1

"$@"
status=$?
if [ "$status" -eq 0 ] || [ "$status" -eq 77 ]; then
	cd / && rm -rf "$WORK"
else
	echo "$name: exit status $status; its files are kept in $WORK" >&2
	echo "run it again: ctest --test-dir ${BUILD:-build/release} -R '^$name\$' --output-on-failure" >&2
fi
exit "$status"
