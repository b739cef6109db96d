#!/bin/bash
# Sockets, terminals and numbers of the kernel in seeded recordings: each program is recorded twice with one seed,
# the second time while the CPU is wanted by others. All events have to be the same, and the first recording replays.
. "$(dirname "$(realpath "$0")")/lib.sh"

seeded=(--schedule seeded --seed sockets)
clean=(env -i PATH=/usr/bin:/bin)
busy=()

# Others that want the same CPU, until busy_end.
busy_begin()
{
	local i

	for i in 1 2; do
		bash -c 'while [ "$SECONDS" -lt 100 ]; do :; done' &
		busy+=($!)
	done
}

busy_end()
{
	kill -KILL "${busy[@]}" 2> /dev/null
	wait "${busy[@]}" 2> /dev/null
	busy=()
}

record()
{
	local trace=$1 log=$2

	shift 2
	rm -f "$trace"
	fresh true
	(cd "$RUN" && exec timeout -s KILL 100 "${clean[@]}" "$SWORN" record --keystore "$XDG_DATA_HOME/sworn/keys" "${seeded[@]}" -o "$trace" -- "$@" \
		> "$log.out" 2> "$log.err" < /dev/null)
}

# same NAME COMMAND...: both recordings have the same events, and the first one replays
same()
{
	local name=$1 trace=$TRACES/$1.sworn second=$TRACES/$1.2.sworn status=0 again=0
	local -a command_line

	shift
	command_line=("$@")
	record "$trace" "$LOG/$name" "$@" || status=$?
	busy_begin
	record "$second" "$LOG/$name.2" "$@" || again=$?
	busy_end
	sworn verify --list "$trace" > "$LOG/$name.list" 2> /dev/null
	sworn verify --list "$second" > "$LOG/$name.2.list" 2> /dev/null
	if [ "$status" -ne 0 ] || [ "$again" -ne 0 ]; then
		complain "$name" "$trace" "exit statuses $status and $again" "$LOG/$name.err" "$LOG/$name.2.err"
	elif ! diff "$LOG/$name.list" "$LOG/$name.2.list" > "$LOG/$name.diff" || [ ! -s "$LOG/$name.list" ]; then
		complain "$name" "$trace" "the two recordings have different events" "$LOG/$name.diff"
	elif replay_check "$name" "$trace"; then
		pass
	fi
}

for name in udp_loopback tcp_halves sock_{names,numbers,rounds,waits,control,batch,options,ioctls,more,shared_port} tcp_states pty wait_ways kernel_numbers netlink; do
	same "$name" "$GUESTS/$name"
done
# What is left of a long stream over TCP arrives by the kernel's clock: docs/DETERMINISM.md.
same stream_pieces "$GUESTS/stream_pieces" local
if have python_net python3; then
	# The interpreter itself: what is found in PATH may be a script that looks for it.
	python=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))')
	same python_streams "$python" -B "$E2E/data/streams.py"
fi
have relays socat nc && same relays bash "$E2E/data/relays.sh"
have tls openssl && same tls bash "$E2E/data/tls.sh"
have ip ip && same ip ip addr

finish
