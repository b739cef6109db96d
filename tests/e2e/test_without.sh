#!/bin/bash
# Every path that a poorer host takes, forced: each optional mechanism alone switched off, then all of them, over a
# slice of the guest programs; PROGRAMS="a b" names others, PROGRAMS=all takes every one.
. "$(dirname "$(realpath "$0")")/lib.sh"

: "${PROGRAMS:=args_env fork_tree exec_self mutex_cond sig_self segv_fix mmap_shared robust scm_rights proc_self spin_flag deep_stack}"

# needs_of PROGRAM: the options that guests.txt says it needs
needs_of()
{
	awk -v name="$1" '!/^#/ && $2 == name { if ($3 ~ /pmu/) print "--pmu"; if ($3 ~ /observed/) print "--record --schedule --record observed" }' "$E2E/guests.txt"
}

for without in pmu userns uffd personality landlock cgroup pmu,userns,uffd,personality,landlock,cgroup; do
	export SWORN_WITHOUT=$without
	while read -r name arguments; do
		[ "$PROGRAMS" = all ] || [[ " $PROGRAMS " = *" $name "* ]] || continue
		# Without a network namespace the host's network is denied, loopback included.
		[[ $without != *userns* ]] || [[ $name != *loopback* ]] || continue
		eval "set -- $arguments"
		# shellcheck disable=SC2046 # words or nothing
		check_program "${without//,/_}_$name" $(needs_of "$name") -- "$GUESTS/$name" "$@"
	done < <(awk '!/^#/ && NF >= 3 { name = $2; $1 = $2 = $3 = ""; print name, $0 }' "$E2E/guests.txt")
done
finish
