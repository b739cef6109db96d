#!/bin/bash
# The command line itself: help and version on stdout with 0, usage errors on stderr with 2.
set -eu

fail()
{
	echo "$1" >&2
	exit 1
}

# expect STATUS ARGUMENT...: runs sworn, leaves out and err
expect()
{
	local wanted=$1 status=0

	shift
	"$SWORN" "$@" > out 2> err < /dev/null || status=$?
	[ "$status" -eq "$wanted" ] || fail "sworn $*: exit status $status, not $wanted"
}

for spelling in help --help -h; do
	expect 0 "$spelling"
	for verb in record replay verify twin key tenant list rm sign pack unpack import repair gate doctor version; do
		grep -q "^  $verb " out || fail "sworn $spelling does not list $verb"
	done
	[ ! -s err ] || fail "sworn $spelling writes to stderr"
done
for spelling in version --version -V; do
	expect 0 "$spelling"
	grep -qE '^sworn [0-9]+\.[0-9]+\.[0-9]+$' out || fail "sworn $spelling: $(cat out)"
done

for verb in record replay verify twin key tenant list rm sign pack unpack import repair gate doctor; do
	expect 0 "$verb" --help
	[ -s out ] || fail "sworn $verb --help prints nothing"
	cp out long
	expect 0 help "$verb"
	cmp -s long out || fail "sworn help $verb differs from sworn $verb --help"
	for option in $(grep -oE '^  -[^ ]*(, --[^ ]*)?' long | grep -oE -- '--?[a-z][a-z-]*'); do
		grep -qE -- "\`([^\`]* )?${option}[ \`]" "$SOURCE/README.md" ||
			fail "README.md does not tell of $verb $option"
	done
	expect 2 "$verb" --no-such-option
	[ ! -s out ] && grep -q -e --no-such-option -e 'no COMMAND' err || fail "sworn $verb: a usage error belongs on stderr"
done

expect 2
[ ! -s out ] && grep -q usage err || fail "sworn alone must print its usage on stderr"
expect 2 no-such-verb
grep -q no-such-verb err && grep -q 'the nearest is' err || fail "an unknown verb must be named"
expect 2 help no-such-verb
expect 2 record
expect 2 verify
