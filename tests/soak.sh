#!/bin/bash
# soak.sh [SECONDS]: records every guest program and every program of the end-to-end tests and
# replays each trace ten times, on a quiet machine and under four busy loops; then again and again
# until SECONDS (default 0: once each) are over. SWORN names the binary, GUESTS the directory of the
# guest programs. Stops at the first failure, whose files are kept.
set -u

: "${SWORN:?path of the sworn binary}" "${GUESTS:?directory of the guest programs}"
tests=$(dirname "$(realpath "$0")")
SWORN=$(realpath "$SWORN") GUESTS=$(realpath "$GUESTS") SOURCE=$(dirname "$tests")
export SWORN GUESTS SOURCE REPLAYS=${REPLAYS:-10}
loops=()
log=$(mktemp)
trap '[ ${#loops[@]} -eq 0 ] || kill -KILL "${loops[@]}"; rm -f "$log"' EXIT

load()
{
	local i

	for ((i = 0; i < 4; i++)); do
		(while :; do :; done) &
		loops+=($!)
	done
}

unload()
{
	kill -KILL "${loops[@]}"
	wait "${loops[@]}" 2> /dev/null
	loops=()
}

# round WORDS: all scripts once
round()
{
	local script name

	for script in "$tests"/e2e/test_guest_*.sh "$tests"/e2e/test_programs_*.sh; do
		name=$(basename "$script" .sh)
		bash "$tests/run_one.sh" "soak_$name" bash "$script" > "$log" 2>&1
		case $? in
		0 | 77) echo "soak: $1: $(tail -n 1 "$log")" ;;
		*)
			cat "$log"
			echo "soak: $1: $name failed after $SECONDS s" >&2
			exit 1
			;;
		esac
	done
}

rounds=0
while :; do
	round "round $((rounds + 1)), quiet"
	load
	round "round $((rounds + 1)), loaded"
	unload
	rounds=$((rounds + 1))
	[ "$SECONDS" -lt "${1:-0}" ] || break
done
echo "soak: $rounds rounds of two, each trace replayed $REPLAYS times, all identical, in $SECONDS s"
