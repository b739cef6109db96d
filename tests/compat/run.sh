#!/bin/bash
# run.sh [GROUP|NAME...]: runs real programs natively, recorded and replayed: all of them, those of a group,
# or those named. Each NAME.sh beside this file is one program; it runs in an empty directory, and daemons
# that it needs it starts and stops itself, so that the whole of it is one recording. Its head says, in lines
# of `# KEYWORD VALUE`:
#   group GROUP        which test runs it          needs PROGRAM...   skipped unless all are installed
#   packages NAME...   Debian's names              version COMMAND    prints the version; the first line counts
#   root yes           skipped for other users     output varies      native and recorded output may differ
#   status N           exit status, default 0      refused NAME       a call that it needs and Sworn refuses
# The first line below `#!` says what it does. COMPAT_REPLAYS is how often each trace is replayed (1), COMPAT_LOAD
# how many busy loops run beside (0). COMPAT_MODES: seeded, observed or both; without it each program is recorded once, as `sworn
# record` does by itself. In mode seeded it is recorded twice. COMPAT_TABLE names the file with the table of results.
set -u

COMPAT=$(dirname "$(realpath "$0")")
export REPLAYS=${COMPAT_REPLAYS:-1}
LIMIT=${LIMIT:-300}
. "$COMPAT/../e2e/lib.sh"
# Debian's programs, not what a user has built: the versions in the table are those.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TERM=dumb HOME=$RUN
unset MAKEFLAGS MAKELEVEL MFLAGS DISPLAY
# Servers run as users of their own, in a directory of ours. Natively they have a network and processes of their own, as
# in a recording: nothing of a run that fails half-way is left for the next one.
chmod 755 "$WORK" && [ "${TMPDIR:-}" != "$WORK/tmp" ] || chmod 1777 "$TMPDIR"
# shellcheck disable=SC2016,SC2034 # for the shell inside; lib.sh starts native runs by it
[ "$(id -u)" -ne 0 ] ||
	NATIVE=(unshare -n -p -f --kill-child --mount-proc sh -c 'ip link set lo up; "$@"; exit $?' sh)

# head_of FILE KEYWORD: the values of that keyword
head_of()
{
	sed -n "/^#/!q; s/^# $2 //p" "$1"
}

# row FILE OBSERVED SEEDED AGAIN: a line of the table
row()
{
	local name version events refused

	[ "${COMPAT_TABLE:-}" ] || return 0
	name=$(basename "$1" .sh)
	version=$(bash -c "$(head_of "$1" version)" 2>&1 < /dev/null | head -n 1 | grep -aoE '[0-9]+[0-9.]*[0-9][a-zA-Z0-9.+~-]*' | head -n 1)
	events=$(sed -n 's/^ *events *//p' "$LOG/$name.verify" 2> /dev/null)
	refused=$(sed -n 's/^sworn: refused: \([^ ]*\).*/\1/p' "$LOG/$name.recorded.err" 2> /dev/null | sort -u | paste -sd ' ')
	printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$name" "$(sed -nE '2s/^# ([^ ]+: )?//p' "$1")" "$version" \
		"$events" "$2" "$3" "$4" "$refused" >> "$COMPAT_TABLE.rows"
}

# same_twice FILE OPTION...: another recording with the same seed has the same events and state hashes
same_twice()
{
	local file=$1 name log trace

	shift
	name=$(basename "$file" .sh) log=$LOG/$name trace=$TRACES/$name
	fresh true
	(cd "$RUN" && sworn record "$@" -o "$trace.again.sworn" -- bash "$file" \
		> "$log.again" 2> "$log.again.err" < /dev/null)
	sworn verify --list "$trace.sworn" > "$log.list" 2> /dev/null
	sworn verify --list "$trace.again.sworn" > "$log.again.list" 2> /dev/null
	cmp -s "$log.list" "$log.again.list" && [ -s "$log.list" ]
}

# try FILE MODE: one program in one mode, or as `sworn record` does by itself; leaves what came out in $outcome and $again
try()
{
	local file=$1 mode=$2 name options=() record=() before=$failed status refused why word

	name=$(basename "$file" .sh)
	status=$(head_of "$file" status)
	refused=$(head_of "$file" refused)
	why=$(head_of "$file" differs)
	[ -z "$status" ] || options+=(--status "$status")
	[ -z "$refused$(head_of "$file" output)" ] || options+=(--no-native-compare)
	case $mode in
	seeded) record=(--schedule seeded --seed 1) ;;
	observed) record=(--schedule observed --clock real) ;;
	esac
	[ "$mode" = observed ] || read -ra record <<< "${record[*]} $(head_of "$file" seeded)"
	for word in "${record[@]}"; do
		options+=(--record "$word")
	done
	check_program "$name" "${options[@]}" -- bash "$file"
	if [ "$failed" -eq "$before" ] && [ "$refused" ] && ! grep -q "^sworn: refused: $refused " "$LOG/$name.recorded.err"; then
		fail "$name" "expected that $refused is refused by name"
	fi
	again=
	if [ "$failed" -ne "$before" ]; then
		outcome=FAILS
		return
	fi
	outcome="${refused:+refuses $refused}"
	outcome="${outcome:-as native}, identical"
	[ "$mode" = observed ] || [ -z "$(head_of "$file" seeded)" ] || outcome+=" (with \`$(head_of "$file" seeded)\`)"
	[ "$mode" = seeded ] || return
	if same_twice "$file" "${record[@]}"; then
		again=equal && pass
	elif [ "$why" ]; then
		again="differs: $why"
	else
		again=DIFFERS
		fail "$name" "a second recording differs; first:" \
			"$(diff "$LOG/$name.list" "$LOG/$name.again.list" | sed -n 2,3p | cut -c1-300)"
	fi
}

# each FILE: one program in every mode asked for
each()
{
	local file=$1 name needs mode observed='' seeded='' before=$failed

	name=$(basename "$file" .sh)
	read -ra needs <<< "$(head_of "$file" needs)"
	have "$name" "${needs[@]}" || return 0
	[ -z "$(head_of "$file" root)" ] || [ "$(id -u)" -eq 0 ] || {
		skip "$name" "needs root"
		return 0
	}
	again=
	for mode in ${COMPAT_MODES:-default}; do
		try "$file" "$mode"
		[ "$mode" = observed ] && observed=$outcome || seeded=$outcome
	done
	row "$file" "$observed" "$seeded" "$again"
	[ "$failed" -ne "$before" ] || rm -f "$TRACES/$name.sworn" "$TRACES/$name.again.sworn"
}

chosen=()
for file in "$COMPAT"/*.sh; do
	name=$(basename "$file" .sh)
	[ "$name" != run ] || continue
	[ $# -eq 0 ] || [[ " $* " = *" $name "* ]] || [[ " $* " = *" $(head_of "$file" group) "* ]] || continue
	chosen+=("$file")
done
loops=()
trap '[ ${#loops[@]} -eq 0 ] || kill -KILL "${loops[@]}"' EXIT
for ((i = 0; i < ${COMPAT_LOAD:-0}; i++)); do
	(while :; do :; done) &
	loops+=($!)
done
[ -z "${COMPAT_TABLE:-}" ] || : > "$COMPAT_TABLE.rows"
for file in "${chosen[@]}"; do
	each "$file"
done
if [ "${COMPAT_TABLE:-}" ]; then
	# Rows of programs that did not run stay, as do columns of modes that did not.
	awk -F ' [|] ?' -v old="$COMPAT_TABLE" '
		function name(line, cells) { split(line, cells, / ?[|] ?/); return cells[2] }
		function merged(line, before, a, b, i, text) {
			split(line, a, / ?[|] ?/)
			if (split(before, b, / ?[|] ?/) == 10)
				for (i = 6; i <= 8; i++) if (a[i] == "") a[i] = b[i]
			for (i = 2; i <= 9; i++) text = text "| " a[i] " "
			return text "|"
		}
		BEGIN { while ((getline line < old) > 0) if (line ~ /^[|] [a-z]/ && line !~ /^[|] name /) rows[name(line)] = line }
		{ rows[name($0)] = merged($0, rows[name($0)]) }
		END { for (key in rows) print rows[key] }
	' "$COMPAT_TABLE.rows" | LC_ALL=C sort > "$COMPAT_TABLE.sorted"
	{
		cat "$COMPAT/table.md"
		echo '| name | what it does | version | events | observed | seeded | same seed again | calls refused on the way |'
		echo '|---|---|---|---|---|---|---|---|'
		cat "$COMPAT_TABLE.sorted"
	} > "$COMPAT_TABLE.new" && mv "$COMPAT_TABLE.new" "$COMPAT_TABLE"
	rm -f "$COMPAT_TABLE.rows" "$COMPAT_TABLE.sorted"
fi
finish
