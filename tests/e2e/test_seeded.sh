#!/bin/bash
# Seeded recordings: the same seed gives the same events and state hashes under another load; another seed gives another order, clock and
# random bytes; sleeps take no time; waits on the outside do; a deadlock is named.
. "$(dirname "$0")/lib.sh"

SEEDED=(--schedule seeded)
busy=()

# recorded TRACE SEED COMMAND...: records in an empty directory; the output goes to TRACE.out
recorded()
{
	local trace=$1 seed=$2

	shift 2
	fresh true
	rm -f "$trace"
	(cd "$RUN" && sworn record "${SEEDED[@]}" --seed "$seed" -o "$trace" -- "$@" > "$trace.out" 2> "$trace.err" < /dev/null)
}

# events TRACE: all that it holds but for what is about its recording
events()
{
	sworn verify --list "$1" 2> /dev/null
}

# alike NAME SEED COMMAND...: two recordings, the second one beside a busy process and with lower priority, are the same
alike()
{
	local name=$1 seed=$2 a=$TRACES/$1.a.sworn b=$TRACES/$1.b.sworn status=0 again=0

	shift 2
	recorded "$a" "$seed" "$@" || status=$?
	(while :; do :; done) &
	busy=($!)
	recorded "$b" "$seed" "$@" || again=$?
	kill "${busy[@]}" && wait "${busy[@]}" 2> /dev/null
	busy=()
	if [ "$status" -ne 0 ] || [ "$again" -ne 0 ]; then
		fail "$name" "recordings end with $status and $again"
		tail -n 3 "$a.err" "$b.err"
		return 1
	fi
	events "$a" > "$LOG/$name.a"
	events "$b" > "$LOG/$name.b"
	cmp -s "$LOG/$name.a" "$LOG/$name.b" || {
		fail "$name" "two recordings with seed $seed differ; first:"
		diff "$LOG/$name.a" "$LOG/$name.b" | head -n 4 | cut -c1-300
		return 1
	}
	[ -s "$LOG/$name.a" ] && replay_check "$name" "$a" && pass
}

trap '[ ${#busy[@]} -eq 0 ] || kill "${busy[@]}"' EXIT

for guest in race mutex_cond many_threads thread_exit fork_in_flight robust futex futex_pi eventfd timerfd timerfd_closed timers clocks \
	spin_flag spin_settles fork_tree vfork_exec exec_threads wait_status job_control sig_storm sig_sleepers group_death \
	sigchld signalfd epoll pipes unix_sockets semaphores locks clock_loop measured_work order sysv_ipc sysv_control stat_any; do
	[ -x "$GUESTS/$guest" ] || continue
	alike "$guest" 1 "$GUESTS/$guest"
done
alike order_race 5 "$GUESTS/order" race
alike shell 2 sh -c 'for i in 1 2 3 4; do (sleep $i; echo $i; date) & done; wait; seq 1 2000 | sort -n | tail -n 1'
alike xargs 3 sh -c 'seq 40 | xargs -P4 -n5 sh -c "echo \$\$ \$*" | wc -l; mktemp -u'

# Sleeps take no time, and the date moves.
start=$(date +%s)
recorded "$TRACES/sleep.sworn" 1 sh -c 'sleep 3600; date +%s; sleep 86400; date +%s'
took=$(($(date +%s) - start))
read -r -d '' first second < "$TRACES/sleep.sworn.out"
[ $((second - first)) -eq 86400 ] && [ "$took" -lt 60 ] && pass || fail sleep "a day of sleep took $took s: $first $second"

# Another seed: other bytes, another clock; the order decides what comes out.
recorded "$TRACES/one.sworn" 1 sh -c 'head -c 8 /dev/urandom | od -An -tx8; date +%N'
recorded "$TRACES/two.sworn" 2 sh -c 'head -c 8 /dev/urandom | od -An -tx8; date +%N'
paste "$TRACES/one.sworn.out" "$TRACES/two.sworn.out" | awk '$1 == $2 { same++ } END { exit NR != 2 || same > 0 }' &&
	pass || fail seeds "two seeds give the same bytes or time"
for seed in $(seq 1 "${SEEDS:-40}"); do
	recorded "$TRACES/order.sworn" "$seed" "$GUESTS/order" race && cat "$TRACES/order.sworn.out"
done > "$LOG/orders"
for outcome in 'update kept' 'update lost' 'value set' 'value unset'; do
	grep -q "$outcome" "$LOG/orders" && pass || fail orders "no seed gives: $outcome"
done

# What needs three switches at the right places is found, and the trace of that run shows it again.
SEEDED=(--schedule seeded --chaos)
for seed in $(seq 1 "${CHAOS_SEEDS:-400}"); do
	recorded "$TRACES/handover.sworn" "$seed" "$GUESTS/handover" race
	grep -q arrived "$TRACES/handover.sworn.out" && break
done
SEEDED=(--schedule seeded)
if grep -q arrived "$TRACES/handover.sworn.out"; then
	replay_check handover "$TRACES/handover.sworn" && pass
else
	fail handover "none of ${CHAOS_SEEDS:-400} seeds comes to it"
fi

# What comes from outside is waited for, and its time is real.
fresh true
mkfifo "$WORK/outside"
# Only once it waits: on a busy host the line could be there before.
(for _ in $(seq 600); do grep -q waits "$LOG/outside.out" 2> /dev/null && break; sleep 0.1; done; sleep 1; echo late) > "$WORK/outside" &
(cd "$RUN" && sworn record "${SEEDED[@]}" -o "$TRACES/outside.sworn" -- bash -c 'echo waits; read -rt 3600 word; echo "$word"' \
	< "$WORK/outside" > "$LOG/outside.out" 2> "$LOG/outside.err")
[ "$(tail -n 1 "$LOG/outside.out")" = late ] && replay_check outside "$TRACES/outside.sworn" && pass ||
	fail outside "the line from outside did not come: $(cat "$LOG/outside.out" "$LOG/outside.err")"

# So is an answer over the network, where that is allowed.
if have network python3; then
	python3 -B -c 'import socket, time
s = socket.create_server(("127.0.0.1", 0))
s.settimeout(60)
print(s.getsockname()[1], flush=True)
c, _ = s.accept()
time.sleep(1)
c.send(b"late\n")' > "$WORK/port" &
	until [ -s "$WORK/port" ]; do sleep 0.1; done
	(cd "$RUN" && sworn record "${SEEDED[@]}" --allow net -o "$TRACES/network.sworn" -- bash -c \
		"exec 3<> /dev/tcp/127.0.0.1/$(cat "$WORK/port"); read -rt 3600 word <&3; echo \"\$word\"" \
		> "$LOG/network.out" 2> "$LOG/network.err" < /dev/null)
	[ "$(cat "$LOG/network.out")" = late ] && replay_check network "$TRACES/network.sworn" && pass ||
		fail network "the answer did not come: $(cat "$LOG/network.out" "$LOG/network.err")"
	wait
fi

# With the real clock sleeps are real, and no deadlock.
SEEDED=(--schedule seeded --clock real)
recorded "$TRACES/real.sworn" 1 sleep 2 && replay_check real "$TRACES/real.sworn" && pass || fail real "$(tail -n 2 "$TRACES/real.sworn.err")"
SEEDED=(--schedule seeded)

# All wait for each other.
recorded "$TRACES/wait.sworn" 1 "$GUESTS/all_wait" forever
status=$?
[ "$status" -eq 125 ] && grep -q 'deadlock' "$TRACES/wait.sworn.err" && grep -q 'thread 2 .*futex' "$TRACES/wait.sworn.err" &&
	pass || fail deadlock "exit status $status: $(cat "$TRACES/wait.sworn.err")"

# Who computes on keeps the processor, but not for ever; the trace says that this went by time.
recorded "$TRACES/computing.sworn" 1 "$GUESTS/kill_computing" 1 && replay_check computing "$TRACES/computing.sworn" &&
	sworn verify "$TRACES/computing.sworn" | grep -q 'ended where it was after a time' && pass ||
	fail computing "$(tail -n 2 "$TRACES/computing.sworn.err")"

# A signal from outside does not wait for that.
timeout -s KILL 100 "$SWORN" record "${SEEDED[@]}" -o "$TRACES/interrupted.sworn" -- \
	bash -c 'trap "echo interrupted; exit 3" TERM; echo computes; while :; do :; done' > "$LOG/interrupted.out" 2> "$LOG/interrupted.err" < /dev/null &
for ((i = 0; i < 600; i++)); do grep -q computes "$LOG/interrupted.out" && break || sleep 0.1; done
sleep 0.2
kill "$(pgrep -P $! sworn)"
wait
[ "$(tail -n 1 "$LOG/interrupted.out")" = interrupted ] && sworn verify "$TRACES/interrupted.sworn" > "$LOG/interrupted.verify" &&
	! grep -q 'ended where it was after a time' "$LOG/interrupted.verify" && pass ||
	fail interrupted "$(cat "$LOG/interrupted.out" "$LOG/interrupted.err" "$LOG/interrupted.verify")"

# A timer that was closed is nothing to wait for.
recorded "$TRACES/closed.sworn" 1 "$GUESTS/timerfd_closed" forever
status=$?
[ "$status" -eq 125 ] && grep -q 'deadlock' "$TRACES/closed.sworn.err" && pass ||
	fail closed "exit status $status: $(cat "$TRACES/closed.sworn.err")"
finish
