#!/bin/bash
# Replay in several workers says what replay in one says, word for word, of traces of every shape, equal or
# forged, as root and as an ordinary user, with namespaces and without. A worker that is killed makes nothing
# identical.
. "$(dirname "$(realpath "$0")")/lib.sh"

# What -j must not change: the note on standard error says that the workers' work was in vain.
said()
{
	sed -E 's/"(wall_ns|cpu_ns)": *[0-9]+//g' "$LOG/$1.json" "$LOG/$1.out" "$LOG/$1.err"
}

# replay_with NAME TRACE JOBS [OPTION...]: the exit status goes to $status
replay_with()
{
	local name=$1.$3

	status=0
	sworn replay --report "$LOG/$name.json" -j "$3" "${@:4}" "$2" > "$LOG/$name.out" 2> "$LOG/$name.err" < /dev/null ||
		status=$?
}

# same NAME TRACE STATUS: one worker, two and four agree, and exit with STATUS (a pattern)
same()
{
	local jobs status

	for jobs in 1 2 4; do
		replay_with "$1" "$2" "$jobs"
		if [[ ! $status =~ ^$3$ ]]; then
			fail "$1" "replay -j $jobs $2 exits with $status, not $3: $(tail -n 1 "$LOG/$1.$jobs.err")"
			return 1
		fi
		diff <(said "$1.1") <(said "$1.$jobs") > "$LOG/$1.diff" || {
			fail "$1" "replay -j $jobs $2 says something else than -j 1:"
			cut -c1-200 "$LOG/$1.diff"
			return 1
		}
	done
	pass
}

# recorded NAME COMMAND...: checks it as every program, then with workers
recorded()
{
	local name=$1

	shift
	check_program "$name" -- "$@" && same "$name" "$TRACES/$name.sworn" 0
}

project()
{
	mkdir -p "$RUN/build"
	printf 'all: a.txt b.txt c.txt d.txt\n\tcat $^ | wc -c\n%%.txt:\n\tseq 1 2000 | sort -r | md5sum > $@\n' > "$RUN/build/Makefile"
}

group()
{
	local name

	for name in shared_exec shared_fork mmap_shared fork_tree vfork_exec spawn exec_self exec_thread exec_mask many_threads \
		sig_nested job_control orphans sysv_ipc wait_status pipe_full; do
		recorded "$1$name" "$GUESTS/$name"
	done
	recorded "$1pipeline" bash -c 'seq 1 3000 | sort -r | tee /dev/stderr | head -n 3 | cat -n; exit 0'
	recorded "$1background" bash -c 'seq 1 2000 | md5sum > sum & echo one; sleep 0.05; wait; md5sum sum; trap "echo caught" USR1; kill -USR1 $$; ls / > /dev/null; echo two'
	recorded "$1big" bash -c 'head -c 3000000 /dev/zero | cat > /dev/null; head -c 600000 /dev/zero | tr "\0" x; printf %0200000d 1'
	! have "$1make" make || check_program "$1make" --setup project -- make -s -j2 -C build && same "$1make" "$TRACES/$1make.sworn" 0
	# Outputs come in the order of the trace, whoever played them.
	for name in pipeline background; do
		replay_with "$1$name.shown" "$TRACES/$1$name.sworn" 2 --show-output --report /dev/null
		sed '$d' "$LOG/$1$name.shown.2.out" | cmp -s - "$LOG/$1$name.recorded" || fail "$1$name" "-j 2 --show-output shows something else"
	done
}

# The workers' guests share no memory just because programs open files that others have mapped.
nothing_shared()
{
	if sworn verify --list "$TRACES/exec_mask.sworn" 2> "$LOG/list.err" | grep -E '^[0-9]+ memory |,shared,' > "$LOG/list"; then
		fail shared "opening a library makes a shared object of it: $(head -n 1 "$LOG/list" | cut -c1-200)"
	else
		pass
	fi
}

# Blobs of a store come from outside the domain, to each worker its own.
stored()
{
	local jobs status

	sworn record --store "$WORK/store" -- bash -c 'ls / | sort; seq 200 | md5sum; date > /dev/null' > "$LOG/stored" 2>&1 < /dev/null || {
		fail stored "record --store fails: $(tail -n 1 "$LOG/stored")"
		return
	}
	for jobs in 1 2 4; do
		replay_with stored @latest "$jobs" --store "$WORK/store"
		if [ "$status" -ne 0 ] || ! diff <(said stored.1) <(said "stored.$jobs") > "$LOG/stored.diff"; then
			fail stored "replay -j $jobs of the store's trace: $(cat "$LOG/stored.$jobs.out" "$LOG/stored.$jobs.err")"
			return
		fi
	done
	pass
}

# A mask that a handler changed in its own frame is not in the trace: workers find that out, and one decides.
edited()
{
	local status

	check_program edited -- "$GUESTS/exec_mask" edited || return
	# Its child is the second unit, which goes to another worker than the handler's.
	replay_with edited "$TRACES/edited.sworn" 2
	if [ "$status" -ne 0 ] || ! grep -q identical "$LOG/edited.2.out"; then
		fail edited "replay -j 2 of $TRACES/edited.sworn exits with $status: $(cat "$LOG/edited.2.out")"
	elif grep -q 'in order' "$LOG/edited.2.err"; then
		pass
	else
		fail edited "replay -j 2 of $TRACES/edited.sworn did not notice the mask"
	fi
}

forged()
{
	local what

	have forge python3 zstd || return
	data()
	{
		echo 'a needle in the data' > data
	}
	check_program forged --setup data -- bash -c 'seq 1 50 | sort > /dev/null; sed p data | cat; ls -d /' || return
	for what in bytes result ip drop longer checkpoint state status address code length; do
		python3 -B "$E2E/../tools/forge.py" "$TRACES/forged.sworn" "$TRACES/$what.sworn" "$what" --containing needle \
			> "$LOG/forge" 2>&1 || { fail "$what" "could not be forged: $(tail -n 1 "$LOG/forge")" && continue; }
		same "$what" "$TRACES/$what.sworn" '[15]'
	done
}

# workers_of PID: the descendants of a replay that are Sworn's and have guests, or whose siblings do
workers_of()
{
	ps -eo pid=,ppid=,comm= | awk -v root="$1" '
		{ parent[$1] = $2; name[$1] = $3 }
		END {
			for (pid in parent) {
				for (at = pid; at != root && at in parent; at = parent[at])
					;
				if (at == root && name[pid] != name[root] && name[parent[pid]] == name[root])
					crew[parent[parent[pid]]] = 1
			}
			for (pid in parent)
				if (parent[pid] in crew && name[pid] == name[root])
					print pid
		}'
}

killed()
{
	local status=0 pid victims=() before=none i program='BEGIN { for (i = 0; i < 20000000; i++) x += i; print x }'

	have killed awk ps || return
	check_program killed -- bash -c "awk '$program' & awk '$program'; wait" || return
	"$SWORN" replay -j 2 "$TRACES/killed.sworn" > "$LOG/killed.out" 2>&1 < /dev/null &
	pid=$!
	# A worker's new guest looks like one more worker for a moment: what two looks agree on are workers.
	for ((i = 0; i < 500; i++)); do
		sleep 0.01
		mapfile -t victims < <(workers_of "$pid")
		[ "${#victims[@]}" -eq 2 ] && [ "${victims[*]}" = "$before" ] && break
		before=${victims[*]}
	done
	kill -KILL "${victims[0]}"
	wait "$pid" || status=$?
	if [ "${#victims[@]}" -eq 2 ] && [ "$status" -eq 3 ] && grep -q 'could not tell' "$LOG/killed.out" &&
		grep -q 'worker was killed' "$LOG/killed.out"; then
		pass
	else
		fail killed "a replay that lost one of ${#victims[@]} workers exits with $status: $(cat "$LOG/killed.out")"
	fi
}

if [ "${UNPRIVILEGED:-}" != yes ]; then
	group ""
	nothing_shared
	stored
	edited
	forged
	killed
	export SWORN_WITHOUT=userns
	group without_
	unset SWORN_WITHOUT
	[ "$(id -u)" -eq 0 ] && have unprivileged setpriv || finish
	ok_so_far || finish
	echo "$(basename "$0"): $passed passed, $skipped skipped so far"
	as_user test_jobs.sh
fi
group user_
killed
finish
