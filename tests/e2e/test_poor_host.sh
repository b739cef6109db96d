#!/bin/bash
# Recording and replay where a container's default profile refuses namespaces, counters, userfaultfd and fixed
# addresses to an ordinary user: turns at calls, everything else as everywhere. And what `sworn doctor` says.
. "$(dirname "$(realpath "$0")")/lib.sh"

: "${BUILD:=$(dirname "$GUESTS")}"
if [ "${POOR:-}" != yes ]; then
	mkdir -p "$WORK/user/bin" "$WORK/user/guests" "$WORK/user/work/tmp" "$WORK/user/home"
	cp "$SWORN" "$BUILD/tools/poor_host" "$WORK/user/bin/"
	cp "$GUESTS"/* "$WORK/user/guests/"
	cp -r "$E2E" "$WORK/user/e2e"
	chmod -R a+rX "$WORK/user"
	chmod a+x "$WORK"
	[ "$(id -u)" -ne 0 ] || chown -R 1000:1000 "$WORK/user/work" "$WORK/user/home"
	cd "$WORK/user/work" || exit 1
	exec env -u XDG_DATA_HOME -u XDG_RUNTIME_DIR POOR=yes WORK="$WORK/user/work" TMPDIR="$WORK/user/work/tmp" \
		HOME="$WORK/user/home" SWORN="$WORK/user/bin/sworn" GUESTS="$WORK/user/guests" BUILD="$WORK/user" \
		"$WORK/user/bin/poor_host" bash "$WORK/user/e2e/test_poor_host.sh"
fi

# The counter is as it is: this host may have none anyway.
if sworn doctor --json > "$LOG/doctor" 2>&1; then
	for name in pmu userns personality uffd; do
		if grep -A 2 "\"name\": *\"$name\"" "$LOG/doctor" | grep -q '"state": *"missing"'; then
			pass
		else
			fail doctor "$name should be missing here: $(grep -A 2 "\"$name\"" "$LOG/doctor")"
		fi
	done
	grep -q '"verdict": *"limited"' "$LOG/doctor" || fail doctor "the verdict is not limited"
else
	fail doctor "exit status $?: $(tail -n 3 "$LOG/doctor")"
fi

for name in args_env big_io fork_tree exec_self vfork_exec many_threads mutex_cond thread_exit sig_self segv_fix sig_restart \
	shared_exec mmap_shared mmap_private scm_rights proc_self identity random deep_stack epoll job_control; do
	check_program "$name" -- "$GUESTS/$name"
done
check_program pipeline -- bash -c 'seq 1 20000 | sort -r | head -n 3 | cat -n'
if sworn record -o "$TRACES/said.sworn" -- true 2> "$LOG/said" && sworn verify "$TRACES/said.sworn" | grep -q 'no namespaces'; then
	pass
else
	fail isolation "the trace does not say that there were no namespaces"
fi
finish
