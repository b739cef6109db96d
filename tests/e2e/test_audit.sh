#!/bin/bash
# `sworn audit` on one trace: every question answers in both forms, a damaged trace is not answered from, names and bytes
# that guests choose stay harmless, and what is asked for in vain gets the nearest name.
. "$(dirname "$0")/lib.sh"

have audit /usr/bin/python3 || finish
DIR=$WORK/audit
TRACE=$DIR/trace.sworn
mkdir -p "$DIR"
evil=$'evil\n# ok\e[2J\xff"\\name'
cat > "$DIR/run.sh" <<- 'S'
	cd "$1" || exit 1
	echo content > "$2"
	mv "$2" moved
	printf 'bytes \033[31m and \377\n' > moved
	cat moved > copy
	env "$2=value" /bin/true "$2"
	rm moved
	kill -USR1 $$
S
(cd "$DIR" && sworn record --schedule observed -o "$TRACE" -- bash "$DIR/run.sh" "$DIR" "$evil" > "$DIR/out" 2> "$DIR/err" < /dev/null)
[ -s "$TRACE" ] || { fail record "$(tail -n 2 "$DIR/err")" && finish; }

# code NAME WANTED ARGUMENT...: runs audit, compares the exit code
code()
{
	local name=$1 wanted=$2 got=0

	shift 2
	sworn audit "$@" > "$LOG/$name" 2> "$LOG/$name.err" || got=$?
	if [ "$got" -eq "$wanted" ]; then
		pass
	else
		fail "$name" "sworn audit ${*@Q} exits with $got, not $wanted: $(tail -n 1 "$LOG/$name.err")"
	fi
}

# holds NAME TEXT: the answer or the message of NAME has the text
holds()
{
	if cat "$LOG/$1" "$LOG/$1.err" | grep -qaF -- "$2"; then
		pass
	else
		fail "$1" "nothing says '$2': $(head -n 3 "$LOG/$1" "$LOG/$1.err" | cut -c1-200)"
	fi
}

# Nothing but printable ASCII and ends of lines, one object a line, each marked.
check_json()
{
	if /usr/bin/python3 - "$LOG/$1" "$2" <<- 'P'; then
		import json, sys
		for line in open(sys.argv[1], encoding="ascii"):
		    row = json.loads(line)
		    assert row["schema"] == 1 and row["kind"] and row["verified"] == (sys.argv[2] == "yes"), line
	P
		pass
	else
		fail "$1" "the JSON is not as it should be"
	fi
}

questions=("info" "ps" "exec" "files" "net" "signals" "env" "timeline" "stats" "events" "events --all" "show 3" "grep content"
	"cat file:$DIR/moved" "diff $TRACE")
for question in "${questions[@]}"; do
	read -ra words <<< "$question"
	code "${words[0]}" 0 "${words[@]}" "$TRACE"
	if [ "${words[0]}" != cat ]; then
		if LC_ALL=C grep -q '[^ -~]' "$LOG/${words[0]}"; then
			fail "${words[0]}" "bytes that are no printable ASCII come out"
		else
			pass
		fi
		if [ "$(head -c 2 "$LOG/${words[0]}")" != "# " ]; then
			fail "${words[0]}" "the banner is not first"
		else
			pass
		fi
	fi
	code "${words[0]}" 0 "${words[@]}" --json "$TRACE"
	check_json "${words[0]}" yes
done

code moved 0 files "*/moved" "$TRACE"
holds moved 'rename'
holds moved 'evil\n# ok\x1b[2J\xff\"\\name'
code moved_bytes 0 cat "file:$DIR/moved:write" "$TRACE"
printf 'content\nbytes \033[31m and \377\n' | cmp -s - "$LOG/moved_bytes" || fail moved_bytes "other bytes come out"
code signal 0 signals "$TRACE"
holds signal "is killed by SIGUSR1"
code variable 0 env "$evil" "$TRACE"
holds variable '=value'

# What is not there, and what is asked wrongly.
code no_question 2 exce "$TRACE"
holds no_question "sworn audit exec TRACE"
code no_file 4 files "$DIR/moven" "$TRACE"
holds no_file "$DIR/moved"
code no_event 4 show 999999 "$TRACE"
holds no_event "no event 999999"
code bad_event 2 show first "$TRACE"
code backwards 2 events --from 9 --to 3 "$TRACE"
holds backwards "--from is behind --to"
code no_call 2 events --call opennat "$TRACE"
holds no_call "openat"
code no_bytes 4 cat fd:2:77 "$TRACE"
code bad_query 2 cat moved "$TRACE"
holds bad_query "file:PATH"
code no_process 4 ps --pid 99 "$TRACE"
code no_text 4 grep "what nobody wrote" "$TRACE"
code no_trace 4 ps "$DIR/absent.sworn"
code too_few 2 show "$TRACE"
code help 0 --help
holds help "Examples:"

# A damaged trace is not answered from, unless that is wanted; then every line says so.
/usr/bin/python3 - "$TRACE" "$DIR/bad.sworn" "$DIR/cut.sworn" <<- 'P'
	import sys
	data = bytearray(open(sys.argv[1], "rb").read())
	open(sys.argv[3], "wb").write(data[:len(data) - 3000])
	data[len(data) - 2500] ^= 1
	open(sys.argv[2], "wb").write(data)
P
for bad in bad cut; do
	for question in ps events "show 3" "cat file:$DIR/moved" "diff $TRACE"; do
		read -ra words <<< "$question"
		code "$bad" 5 "${words[@]}" "$DIR/$bad.sworn"
		[ -s "$LOG/$bad" ] && fail "$bad" "something is answered: $(head -n 2 "$LOG/$bad")"
		holds "$bad" "nothing was answered"
		code "$bad" 5 "${words[@]}" --json "$DIR/$bad.sworn"
		[ "$(wc -l < "$LOG/$bad")" -le 1 ] || fail "$bad" "more than the banner is answered"
	done
	code "$bad" 0 events --unverified "$DIR/$bad.sworn"
	if grep -qv '^UNVERIFIED ' "$LOG/$bad" || [ "$(wc -l < "$LOG/$bad")" -lt 10 ]; then
		fail "$bad" "not every line is marked"
	else
		pass
	fi
	code "$bad" 0 ps --unverified --json "$DIR/$bad.sworn"
	check_json "$bad" no
done
code allowed 0 ps --allow-truncated --allow-unsigned "$DIR/cut.sworn"
holds allowed "truncated"
code allowed 0 events --allow-truncated --allow-unsigned "$DIR/cut.sworn"

# Of a trace that is cut off only what is signed is shown; the rest has to be asked for.
: > "$LOG/ticks"
"$SWORN" record -o "$DIR/killed.sworn" -- sh -c 'i=0; while :; do i=$((i + 1)); echo $i; [ $i -lt 2000 ] || sleep 0.01; done' \
	> "$LOG/ticks" 2> /dev/null < /dev/null &
recorder=$!
for ((i = 0; i < 200 && $(wc -l < "$LOG/ticks") < 2300; i++)); do sleep 0.1; done
kill -KILL "$recorder"
wait "$recorder" 2> /dev/null
killed=$DIR/killed.sworn.partial
read -r signed all < <(sworn verify --allow-truncated "$killed" 2>&1 | sed -nE 's/^  signed +([0-9]+) of ([0-9]+) events$/\1 \2/p')
[ "${signed:-0}" -gt 0 ] && [ "$signed" -lt "$all" ] && pass || fail killed "no unsigned tail to look at: $signed of $all events"
sworn verify --list --allow-truncated --allow-unsigned "$killed" > "$LOG/killed.list" 2> /dev/null
# parts NUMBER: how many of the events before that are the bytes of a call behind them, with which they are shown
parts()
{
	awk -v below="$1" '$2 == "part" && $1 < below { parts++ } END { print parts + 0 }' "$LOG/killed.list"
}
code tail 5 events --all "$killed"
code tail 0 events --all --allow-truncated "$killed"
holds tail "truncated, $signed events, all that are signed; behind them are $((all - signed)) that nobody signed"
[ "$(($(wc -l < "$LOG/tail") - 1 + $(parts "$signed")))" -eq "$signed" ] && pass || fail tail "$(wc -l < "$LOG/tail") lines for $signed signed events"
code tail 0 show "$((signed - 1))" --allow-truncated "$killed" && code tail 4 show "$signed" --allow-truncated "$killed"
code tail 0 events --all --allow-truncated --allow-unsigned "$killed"
holds tail "truncated, $all events, of which the last $((all - signed)) are signed by nobody"
[ "$(($(wc -l < "$LOG/tail") - 1 + $(parts "$all")))" -eq "$all" ] && pass || fail tail "$(wc -l < "$LOG/tail") lines for $all events"
for question in info ps exec files net signals env timeline stats events "cat fd:1:1:write" "grep 2" "diff $TRACE"; do
	read -ra words <<< "$question"
	sworn audit "${words[@]}" --json --allow-truncated "$killed" > "$LOG/tail" 2> /dev/null
	/usr/bin/python3 - "$LOG/tail" "$signed" <<- 'P' && pass || fail tail "$question shows events that nobody signed"
		import json, sys
		last = int(sys.argv[2])
		lines = [json.loads(line) for line in open(sys.argv[1])]
		assert lines[0]["events"] == lines[0]["events_signed"] == last < lines[0]["events_found"], lines[0]
		numbers = [value for line in lines[1:] for key, value in line.items() if key in ("event", "start", "end", "first", "last")]
		assert all(number is None or not isinstance(number, int) or number < last for number in numbers), max(numbers)
	P
done

# Who signed it is said; somebody whom this keystore does not know is nobody.
code signer 0 ps --json "$TRACE"
holds signer '"trust":"trusted"'
SWORN_KEYSTORE=$DIR/keys sworn key init > /dev/null 2>&1
code stranger 5 ps --keystore "$DIR/keys" "$TRACE"
holds stranger "nothing was answered"
code stranger 0 ps --keystore "$DIR/keys" --allow-untrusted "$TRACE"
sworn record --schedule observed -o "$DIR/other.sworn" -- /bin/true > /dev/null 2>&1 < /dev/null
code differ 1 diff "$DIR/other.sworn" "$TRACE"
holds differ "+ rename"
holds differ "- ran /usr/bin/true"
finish
