#!/bin/bash
# Every row of the syscall table that a guest may call has been called with success by a guest program:
# the tests e2e_guest_* note what theirs called, rows.txt says which rows this machine cannot have.
. "$(dirname "$(realpath "$0")")/lib.sh"

[ "$(id -u)" -eq 0 ] || { skip rows "an ordinary user cannot make every call" && finish; }
called=$(dirname "$SWORN")/called
rows=$(dirname "$SWORN")/tools/rows
for group in $(awk '!/^#/ { print $1 }' "$E2E/guests.txt" | sort -u) special; do
	[ "$group" = race ] || [ -s "$called/$group" ] || fail "$group" "nothing is noted; run e2e_guest_$group first"
done
ok_so_far || finish
cat "$called"/* | sort -u > "$WORK/called"
"$rows" | sort > "$WORK/callable"
[ "$(wc -l < "$WORK/callable")" -gt 400 ] || fail rows "the listing is too short"

# older_than RELEASE: whether this kernel lacks what came with RELEASE
older_than()
{
	[ "$(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" != "$1" ]
}

# A line that excuses what is called after all is stale, unless it depends on the machine.
: > "$WORK/excused"
while read -r name when reason; do
	case $name in '' | '#'*) continue ;; esac
	[ "$reason" ] || fail "$name" "rows.txt gives no reason"
	grep -qxF "$name" "$WORK/callable" || fail "$name" "rows.txt excuses what is no row"
	case $when in
	machine) ;;
	before=*) older_than "${when#before=}" || continue ;;
	*) fail "$name" "rows.txt says $when, not machine or before=RELEASE" ;;
	esac
	echo "$name" >> "$WORK/excused"
done < "$E2E/rows.txt"
sort -u "$WORK/excused" | comm -23 "$WORK/callable" - | comm -23 - "$WORK/called" > "$WORK/missing"
while read -r name; do
	fail "$name" "no guest program makes this call succeed"
done < "$WORK/missing"
echo "$(wc -l < "$WORK/callable") rows, $(wc -l < "$WORK/called") called, $(wc -l < "$WORK/excused") excused"
ok_so_far && pass
finish
