#!/bin/bash
# Recording and replay as an ordinary user, also without user namespaces, userfaultfd and counters,
# then without Landlock and with addresses at random; replay of a self-contained file when everything
# recorded is gone.
. "$(dirname "$(realpath "$0")")/lib.sh"

if [ "$(id -u)" -eq 0 ] && [ "${UNPRIVILEGED:-}" != yes ]; then
	have unprivileged setpriv || finish
	as_user test_unprivileged.sh
fi

# own_network: whether this user gets a network namespace here; where the host refuses, that is a skip
own_network()
{
	[[ ,${SWORN_WITHOUT:-}, != *,userns,* ]] || return 1
	unshare -Urn true 2> /dev/null || {
		skip "tcp_loopback" "user namespaces are refused to this user"
		return 1
	}
}

group()
{
	local name

	for name in args_env fork_tree exec_self mutex_cond thread_exit sig_self segv_fix sig_restart shared_exec \
		mmap_shared tcp_loopback scm_rights proc_self identity random deep_stack; do
		# Without a network namespace the host's network is denied, loopback included.
		[ "$name" != tcp_loopback ] || own_network || continue
		check_program "$1$name" -- "$GUESTS/$name"
	done
	check_program "$1spin_flag" --pmu -- "$GUESTS/spin_flag"
	check_program "$1race" --no-native-compare -- "$GUESTS/race"
	check_program "$1ls" --record --schedule --record observed -- ls -gGR /usr/include/linux # its own namespace hides the owners
	check_program "$1pipeline" -- bash -c 'seq 1 20000 | sort -r | head -n 3 | cat -n'
}

# moved NAME: what was recorded is moved away, the home directory is empty, the environment too
moved()
{
	local status=0

	# shellcheck disable=SC2317 # called by name
	program()
	{
		cp "$GUESTS/shared_exec" program
		echo content > data
	}
	check_program "$1" --setup program -- sh -c 'cat data; ./program'
	[ -s "$TRACES/$1.sworn" ] || return
	mv "$RUN" "$WORK/elsewhere$1"
	mkdir -p "$WORK/empty"
	sworn key export -o "$WORK/own.pub"
	(cd / && env -i HOME="$WORK/empty" ${SWORN_WITHOUT+"SWORN_WITHOUT=$SWORN_WITHOUT"} "$SWORN" replay --trust "$WORK/own.pub" "$TRACES/$1.sworn" \
		> "$LOG/moved" 2>&1 < /dev/null) || status=$?
	if [ "$status" -ne 0 ] || ! grep -q identical "$LOG/moved"; then
		fail "$1" "replay exits with $status without the recorded files: $(tail -n 1 "$LOG/moved")"
	elif [ "$(ls -A "$WORK/empty")" ]; then
		fail "$1" "replay of a file writes to the home directory: $(cd "$WORK/empty" && find . -mindepth 1 | tr '\n' ' ')"
	else
		pass
	fi
	mkdir -p "$RUN"
}

[ "$(id -u)" -ne 0 ] || skip unprivileged "still root"
group ""
moved moved
export SWORN_WITHOUT=userns,uffd,pmu
group without_
moved without_moved
export SWORN_WITHOUT=landlock,personality
group random_
moved random_moved
finish
