#!/bin/bash
# A trace that is not there, for every verb that takes one: the same exit code, and a message with what is there.
. "$(dirname "$0")/lib.sh"

cd "$WORK" || exit 1
export XDG_DATA_HOME=$WORK/data TMPDIR=$WORK/temporary
mkdir -p empty temporary
sworn record -o hello.sworn -- echo hello > "$LOG/record" 2>&1 || fail setup "recording"
sworn import hello.sworn > "$LOG/name" 2>&1 || fail setup "import"
stored=$(tail -n 1 "$LOG/name")
near=@x${stored:2} # one character is another

# asked WHAT PATTERN ARGUMENT...: it ends with 4, names the trace that is nearest, and writes nothing to stdout
asked()
{
	local what=$1 pattern=$2 status=0

	shift 2
	sworn "$@" > "$LOG/out" 2> "$LOG/err" < /dev/null || status=$?
	[ "$status" -eq 4 ] && pass || fail "$what" "exit status $status, not 4: sworn ${*@Q}: $(head -n 3 "$LOG/err")"
	cat "$LOG/out" "$LOG/err" | grep -qE -- "$pattern" && pass ||
		fail "$what" "nothing says '$pattern': $(cat "$LOG/out" "$LOG/err")"
}

# each TRACE PATTERN [OPTION...]: all verbs, as `sworn help` lists them, with this TRACE
each()
{
	local trace=$1 pattern=$2 verb usage question

	shift 2
	while read -r verb; do
		usage=$(sworn "$verb" --help | grep -E -A 2 '^(usage:|  +sworn gate)')
		case $verb in
		audit)
			for question in info ps exec files net signals env timeline stats events; do
				asked "audit $question" "$pattern" audit "$question" "$@" "$trace"
			done
			asked "audit show" "$pattern" audit show 1 "$@" "$trace"
			asked "audit cat" "$pattern" audit cat fd:1:1 "$@" "$trace"
			asked "audit grep" "$pattern" audit grep hello "$@" "$trace"
			asked "audit diff" "$pattern" audit diff hello.sworn "$@" "$trace"
			asked "audit diff" "$pattern" audit diff "$@" "$trace" hello.sworn
			;;
		gate)
			asked "gate replay" "$pattern" gate run --mode replay "$@" "$trace"
			asked "gate rerun" "$pattern" gate run --mode rerun "$@" "$trace"
			asked "gate list" "$pattern" gate list "$@" "$trace"
			asked "gate explain" "$pattern" gate explain "$@" "$trace"
			asked "gate diff" "$pattern" gate diff "$@" "$trace" hello.sworn
			asked "gate diff" "$pattern" gate diff "$@" hello.sworn "$trace"
			;;
		pack) asked pack "$pattern" pack "$@" -o packed.sworn "$trace" ;;
		repair) asked repair "$pattern" repair "$@" -o repaired.sworn "$trace" ;;
		import) [ "$*" ] || asked import "$pattern" import "$trace" ;;
		unpack) [ "$*" ] || asked unpack "$pattern" unpack "$trace" ;;
		*) [[ $usage =~ TRACE|FILE\.|@NAME ]] && asked "$verb" "$pattern" "$verb" "$@" "$trace" ;;
		esac
	done < <(sworn help | grep -oE '^  [a-z]+' | grep -vE 'record|help|version')
}

each helo.sworn 'most like it is hello.sworn|No such file|no such file'
each "$near" "most like it is $stored|no such trace in the store"
each @latest 'no such trace' --store empty
[ -z "$(ls packed.sworn repaired.sworn 2> /dev/null)" ] && pass || fail output "a file was made"
[ "$(sworn list --json | grep -o '"name"' | wc -l)" -eq 1 ] && pass || fail store "it is not as it was"
[ -z "$(ls -A temporary)" ] && pass || fail temporary "files stayed"

finish
