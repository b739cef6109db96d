#!/bin/bash
# Programs of the other tests, recorded again and again with one seed on a busy host, in two directories and as two users: every recording has
# the same events and state hashes. Here a few of them twice; `make twins` records all of them ten times beside four busy processes.
. "$(dirname "$(realpath "$0")")/lib.sh"

[[ ,${SWORN_WITHOUT:-}, != *,userns,* ]] && { [ "$(id -u)" -eq 0 ] || unshare -Urm true 2> /dev/null; } || {
	skip "all" "this user gets no mount namespace"
	finish
}
export PATH=/usr/sbin:/usr/bin:/sbin:/bin TWINS=${TWINS:-2} TWINS_LOAD=${TWINS_LOAD:-1} LC_ALL=C
[ -n "${TWINS_ONLY+set}" ] || export TWINS_ONLY="awk xargs mktemp bash_pipes dash_jobs git_commit python_threads make"
chmod a+x "$WORK" # another user records below it
for group in core shell git python build; do
	# The counts of each are in its last line.
	script=$(sed "s|^\. .*/lib\.sh\"\$|. '$E2E/lib.sh'; . '$E2E/twins.sh'|" "$E2E/test_programs_$group.sh")
	mkdir -p "$WORK/$group"
	WORK=$WORK/$group bash -c "$script" "$group" > "$LOG/$group" 2>&1
	status=$?
	cat "$LOG/$group"
	read -r ok bad skips <<< "$(sed -n 's/^.*: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$LOG/$group" | tail -n 1)"
	passed=$((passed + ${ok:-0})) failed=$((failed + ${bad:-0})) skipped=$((skipped + ${skips:-0}))
	[ "$status" -eq 0 ] || [ "$status" -eq 77 ] || [ "${bad:-0}" -gt 0 ] || fail "$group" "ends with $status"
done
finish
