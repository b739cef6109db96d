# Thin traces: recorded into the store, replayed from it as @latest and by name, from inside a domain that may not open
# the store's files; a store that is not there, a blob that is missing or damaged.
. "$(dirname "$0")/lib.sh"

store=$WORK/store
expect_code()
{
	local want=$1 what=$2 got=0

	shift 2
	timeout -s KILL 60 "$@" >"$WORK/out" 2>"$WORK/err" || got=$?
	if [ "$got" = "$want" ]; then
		pass "$what"
	else
		fail "$what: exit $got, not $want: $(head -2 "$WORK/out" "$WORK/err")"
	fi
}

expect_code 4 "an absent store has no trace" "$SWORN" replay --store "$WORK/nowhere"
expect_code 0 "a command is recorded into the store" "$SWORN" record --store "$store" -- sh -c 'echo one | cat'
expect_code 0 "the latest trace replays" "$SWORN" replay --store "$store"
grep -q identical "$WORK/out" && pass "and says identical" || fail "no word of identical"
name=$(basename "$(ls "$store"/traces/*.sworn | head -1)")
expect_code 0 "a trace replays by name" "$SWORN" replay --store "$store" "@$name"
expect_code 0 "a trace of the store verifies" "$SWORN" verify --store "$store" @latest
blob=$(ls -S "$store"/blobs/sha256/* | head -1)
cp "$blob" "$WORK/blob"
printf X | dd of="$blob" bs=1 seek=100 conv=notrunc status=none
expect_code 5 "a damaged blob is refused" "$SWORN" verify --store "$store" @latest
expect_code 5 "and its trace not replayed" "$SWORN" replay --store "$store"
rm "$blob"
expect_code 5 "a missing blob is refused" "$SWORN" replay --store "$store"
cp "$WORK/blob" "$blob"
expect_code 0 "with its blob back the trace replays" "$SWORN" replay --store "$store"

# What is recorded does not see what is written: the store, or the file of -o.
expect_code 0 "a command that looks into its store is recorded" "$SWORN" record --store "$store" -- ls -A "$store"
[ -s "$WORK/out" ] && fail "the guest saw its store: $(cat "$WORK/out")" || pass
# shellcheck disable=SC2016 # for the guest's shell
expect_code 0 "a command that looks for its trace is recorded" "$SWORN" record -o "$WORK/own.sworn" -- \
	sh -c 'f=$1.partial; test -s "$f" && echo seen; head -c 1 "$f"; (echo lost > "$f"); rm -f "$f"; true' sh "$WORK/own.sworn"
[ -s "$WORK/out" ] && fail "the guest saw its trace: $(cat "$WORK/out")" || pass
expect_code 0 "and its trace is whole" "$SWORN" replay "$WORK/own.sworn"
finish
