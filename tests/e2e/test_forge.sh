#!/bin/bash
# Forged traces whose every hash fits, without the signatures that nobody else can make: they are refused for that. Where
# they are accepted unsigned, `sworn verify` has nothing to object to; `sworn replay` finds them out, and names what
# did not fit first.
. "$(dirname "$(realpath "$0")")/lib.sh"

have forge python3 zstd || finish

data()
{
	echo 'a needle in the data' > data
}

# What sed reads it writes: the first check that fails after a forged read is the write. (cat would let
# the kernel copy.)
check_program forged --setup data -- sed p data
ok_so_far || finish

# forged WHAT STATUS PATTERN: after the change verify and replay must say unsigned; with that allowed verify must say ok and replay exit with STATUS (a
# regular expression) and print something that matches PATTERN
forged()
{
	local trace=$TRACES/$1.sworn status=0 event

	event=$(python3 -B "$E2E/../tools/forge.py" "$TRACES/forged.sworn" "$trace" "$1" --containing needle) || {
		fail "$1" "could not be forged"
		return
	}
	sworn verify "$trace" > "$LOG/$1.verify" 2>&1 < /dev/null || status=$?
	[ "$status" -eq 5 ] && grep -q ': unsigned: ' "$LOG/$1.verify" || fail "$1" "verify accepts it: $(head -n 1 "$LOG/$1.verify")"
	status=0
	sworn replay "$trace" > "$LOG/$1.replay" 2>&1 < /dev/null || status=$?
	[ "$status" -eq 5 ] && grep -q ' 0 of .*: unsigned$' "$LOG/$1.replay" || fail "$1" "replay accepts it: $(head -n 1 "$LOG/$1.replay")"
	status=0
	sworn verify --allow-unsigned "$trace" > "$LOG/$1.verify" 2>&1 < /dev/null || {
		fail "$1" "verify finds out already: $(tail -n 1 "$LOG/$1.verify")"
		return
	}
	sworn replay --allow-unsigned --report "$LOG/$1.json" "$trace" > "$LOG/$1.replay" 2>&1 < /dev/null || status=$?
	if [[ ! $status =~ ^$2$ ]] || grep -q identical "$LOG/$1.replay" || ! grep -qiE "$3" "$LOG/$1.replay"; then
		fail "$1" "replay of $trace (changed: event $event) exits with $status, not $2, or does not say '$3':"
		sed 's/^/    /' "$LOG/$1.replay"
	else
		pass
	fi
}

forged bytes 1 'diverged.*write|write.*diverged|write'
forged result 1 'diverged'
forged ip 1 'diverged'
forged drop 1 'diverged'
forged longer 1 'diverged'
forged checkpoint 1 'diverged'
forged state 1 'diverged'
forged status 1 'diverged'
# What replay would have to write outside the buffer of the call is refused, not written.
forged address '[15]' 'refus|not allow|outside|does not'
forged code '[15]' 'refus|not allow|outside|does not'
forged length '[15]' 'refus|not allow|outside|does not'

if grep -q '"divergence"' "$LOG/bytes.json" && grep -q '"verdict": *"diverged"' "$LOG/bytes.json"; then
	pass
else
	fail bytes "the report names no divergence"
fi
finish
