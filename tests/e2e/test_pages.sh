#!/bin/bash
# State hashes of which only written pages are read are those of which all are, on both sides, and the guest cannot tell.
. "$(dirname "$(realpath "$0")")/lib.sh"

# record NAME OPTION... -- COMMAND...: the command's environment says nothing of SWORN_WITHOUT
record()
{
	local name=$1 options=() status=0

	shift
	while [ "$1" != -- ]; do
		options+=("$1") && shift
	done
	shift
	sworn record "${options[@]}" -o "$TRACES/$name.sworn" -- env -u SWORN_WITHOUT "$@" \
		> "$LOG/$name.out" 2> "$LOG/$name.err" < /dev/null || status=$?
	[ "$status" -eq 0 ] || fail "$name" "recording exits with $status: $(tail -n 3 "$LOG/$name.err")"
}

# events NAME PROGRAM: those of the program's own unit, with all state hashes and tags
events()
{
	sworn verify --list "$TRACES/$1.sworn" 2> /dev/null |
		sed "1,/^[0-9]* exec .*$2/d; s/^[0-9]* //; /^end /d"
}

arguments=()
# both NAME PROGRAM OPTION...: with $arguments, with and without, each replayed with and without
both()
{
	local name=$1 program=$2 kind

	shift 2
	"$GUESTS/$program" "${arguments[@]}" > "$LOG/$name.native" || fail "$name" "natively exit status $?"
	record "${name}_dirty" "$@" -- "$GUESTS/$program" "${arguments[@]}"
	SWORN_WITHOUT=uffd record "${name}_all" "$@" -- "$GUESTS/$program" "${arguments[@]}"
	for kind in dirty all; do
		cmp -s "$LOG/$name.native" "$LOG/${name}_$kind.out" ||
			fail "${name}_$kind" "native and recorded output differ"
		replay_check "${name}_$kind" "$TRACES/${name}_$kind.sworn" && pass
		SWORN_WITHOUT=uffd replay_check "${name}_${kind}_without" "$TRACES/${name}_$kind.sworn" && pass
	done
}

# same NAME PROGRAM COUNT KIND: of both() the same events, at least COUNT of them of that kind
same()
{
	if [ "$(events "$1_dirty" "$2" | grep -c "^$4 ")" -ge "$3" ] &&
		diff <(events "$1_dirty" "$2") <(events "$1_all" "$2") > "$LOG/$1.diff"; then
		pass
	else
		fail "$1" "events with and without: $(head -c 600 "$LOG/$1.diff")"
	fi
}

arguments=(areas)
both each written_pages --schedule observed --checkpoint-interval 1
both some written_pages --schedule observed --checkpoint-interval 13
arguments=()
both seeded written_pages --schedule seeded --seed 1 --checkpoint-interval 1
same seeded written_pages 100 checkpoint
# Cuts by state.
both spin spin_pages --schedule seeded --seed 1
same spin spin_pages 10 turn

# Whether the kernel follows anything: "uw" in a line of VmFlags (proc_pid_smaps(5)).
record flags --schedule observed --checkpoint-interval 1 -- "$GUESTS/written_pages" flags
SWORN_WITHOUT=uffd record flags_without --schedule observed --checkpoint-interval 1 -- "$GUESTS/written_pages" flags
[ "$(tail -n 1 "$LOG/flags_without.out")" = "followed: no" ] ||
	fail flags "without uffd: $(tail -n 1 "$LOG/flags_without.out")"
if ! sworn doctor | grep -q '^uffd  *ok'; then
	skip flags "this host cannot tell what is written"
elif [ "$(tail -n 1 "$LOG/flags.out")" = "followed: yes" ]; then
	pass
else
	fail flags "nothing is followed"
fi
finish
