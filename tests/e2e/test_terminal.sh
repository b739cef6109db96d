#!/bin/bash
# A recording on a terminal: what is typed, interrupts, stopped jobs, window sizes, a hangup, and processes that
# the command left behind in a session of their own.
. "$(dirname "$(realpath "$0")")/lib.sh"

have terminal python3 bash stty setsid || finish

# on_terminal CASE STATUS: the case of terminal.py ends with STATUS, its trace replays identically
on_terminal()
{
	local name=$1 wanted=$2 trace=$TRACES/$1.sworn got

	got=$(timeout -s KILL "${LIMIT:-100}" python3 "$E2E/data/terminal.py" "$name" "$SWORN" "$trace" \
		2> "$LOG/$name.err") || {
		fail "$name" "$(tail -n 3 "$LOG/$name.err")"
		return
	}
	[ "$got" = "$wanted" ] || {
		fail "$name" "the recorder ended with $got, not $wanted"
		return
	}
	replay_check "$name" "$trace" && pass
}

on_terminal shell 5
on_terminal interrupt 130
on_terminal left_behind 3
on_terminal suspend 4
on_terminal hangup 0
finish
