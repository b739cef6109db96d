#!/bin/bash
# What a seeded recording could not take away from the host is in its assumptions, and `sworn twin` names that when two
# recordings differ by it: a file of /proc or /sys that no table answers, addresses at random.
. "$(dirname "$(realpath "$0")")/lib.sh"

cd "$WORK" || exit 1
mkdir -p temporary
export TMPDIR=$WORK/temporary

# assumes NAME TEXT COMMAND...: the recording's trace has that assumption, and `none` is no part of it
assumes()
{
	local name=$1 text=$2

	shift 2
	sworn record --schedule seeded --seed 1 -o "$TRACES/$name.sworn" -- "$@" > "$LOG/$name.out" 2> "$LOG/$name.err" < /dev/null
	sworn verify "$TRACES/$name.sworn" > "$LOG/$name.verify" 2>&1
	grep -q "^  assumptions .*$text" "$LOG/$name.verify" && pass ||
		fail "$name" "no assumption says '$text': $(grep assumptions "$LOG/$name.verify") $(cat "$LOG/$name.err")"
}

# twin_says NAME SOURCE SUBJECT ASSUMPTION COMMAND...: two recordings differ, and why
twin_says()
{
	local name=$1 source=$2 subject=$3 assumption=$4 status=0

	shift 4
	sworn twin --vary none --report "$LOG/$name.json" -- "$@" > "$LOG/$name.twin" 2>&1 < /dev/null || status=$?
	[ "$status" -eq 1 ] && grep -q "^different: .*source: $source" "$LOG/$name.twin" && grep -q "^ *assumed  *$assumption" "$LOG/$name.twin" &&
		{ [ -z "$subject" ] || grep -q "^ *about  *$subject" "$LOG/$name.twin"; } &&
		python3 -c 'import json, sys
found = json.load(open(sys.argv[1]))["difference"]
assert (found["source"], found["subject"] or "") == (sys.argv[2], sys.argv[3]) and sys.argv[4] in found["assumption"]' \
			"$LOG/$name.json" "$source" "$subject" "$assumption" && pass || {
		fail "$name" "exit status $status; twin does not say that $source $subject is an assumption:"
		head -n 12 "$LOG/$name.twin" | cut -c1-200 | sed 's/^/    /'
	}
	rm -rf temporary/*
}

# A file that counts what the whole host does.
assumes unlisted "an input of the host: /proc/vmstat" cat /proc/vmstat
replay_check unlisted "$TRACES/unlisted.sworn"
twin_says unlisted proc /proc/vmstat 'an input of the host: /proc/vmstat' cat /proc/vmstat
# One that is answered is none, and one that nobody reads.
sworn record --schedule seeded --seed 1 -o "$TRACES/listed.sworn" -- sh -c 'cat /proc/uptime; stat /proc/vmstat' > /dev/null 2>&1
sworn verify "$TRACES/listed.sworn" | grep -q '^  assumptions *none' && pass || fail listed "$(sworn verify "$TRACES/listed.sworn" | grep assumptions)"

# The host gives no fixed addresses.
export SWORN_WITHOUT=personality
assumes layout 'address space layout was randomised' true
replay_check layout "$TRACES/layout.sworn"
twin_says layout layout '' 'address space layout was randomised' true
finish
