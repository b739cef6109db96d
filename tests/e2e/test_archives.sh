#!/bin/bash
# The verbs that make traces of traces and look after a store: what they make is whole, holds the same events and replays;
# what they are given is checked first; a refusal says what, why and what to do, and leaves nothing behind.
. "$(dirname "$(realpath "$0")")/lib.sh"

have archives python3 zstd || finish
cd "$WORK" || exit 1
store=$WORK/store
tools=$E2E/../tools

# expect CODE WHAT ARGUMENT...: sworn exits with CODE; leaves out and err
expect()
{
	local want=$1 what=$2 got=0

	shift 2
	sworn "$@" > out 2> err < /dev/null || got=$?
	if [ "$got" -eq "$want" ]; then
		pass
	else
		fail "$what" "sworn $* exits with $got, not $want: $(tail -n 2 out err | tr '\n' ' ')"
	fi
}

# says TEXT WHAT: the last command's message has TEXT and ends with what to do
says()
{
	if grep -qE "$1" err && grep -qE '; |next: ' err; then pass; else fail "$2" "does not say '$1': $(cat err)"; fi
}

# newest STORE: name of the trace that was made last
newest()
{
	# shellcheck disable=SC2012 # names are hexadecimal
	printf '@%s' "$(ls -t "$1/traces" | head -n 1 | sed 's/\.sworn$//')"
}

# blobs_of STORE: names of its blobs
blobs_of()
{
	find "$1/blobs/sha256" -type f -printf '%f\n' | sort
}

# same_events A B OPTION...: both have the same events
same_events()
{
	local a=$1 b=$2

	shift 2
	sworn verify --list "$@" "$a" > a.events 2> /dev/null
	sworn verify --list "$@" "$b" > b.events 2> /dev/null
	if [ -s a.events ] && cmp -s a.events b.events; then pass; else fail "$b" "other events than $a"; fi
}

# refused CODE TEXT WHAT ARGUMENT...: and nothing is made: neither o.sworn nor anything in the store "none"
refused()
{
	local code=$1 text=$2 what=$3

	shift 3
	expect "$code" "$what" "$@"
	says "$text" "$what"
	[ -z "$(find o.sworn o.sworn.new none/traces none/blobs -type f 2> /dev/null)" ] ||
		fail "$what" "left something behind: $(find o.sworn* none -type f)"
	rm -rf o.sworn none
}

# An empty store, then two traces that share content.
expect 0 "an absent store is listed" list
expect 3 "a store that is named and absent is not" list --store "$WORK/nowhere"
says 'nowhere' "a store that is named and absent"
expect 3 "nothing to pack" pack --store "$WORK/nowhere" -o o.sworn
expect 0 "a recording" record --store "$store" -- "$GUESTS/args_env" one
first=$(newest "$store")
expect 0 "another recording" record --store "$store" -- sh -c 'echo two | cat'
second=$(readlink "$store/latest")
second=@$(basename "$second" .sworn)
expect 0 "the store is listed" list --store "$store"
[ "$(grep -c sealed out)" -eq 2 ] && grep -qE '^\* .*sh -c echo two' out && grep -q 'args_env one' out && pass ||
	fail list "$(cat out)"
expect 0 "the store is listed for programs" list --store "$store" --json
python3 - "$first" "$second" << 'END_OF_PYTHON' && pass || fail "list --json" "$(cat out)"
import json, sys
listing = json.load(open("out"))
traces = listing["traces"]
assert listing["schema"] == 1 and listing["kind"] == "list"
assert [t["name"] for t in traces] == sys.argv[1:3], traces
assert [t["latest"] for t in traces] == [False, True]
assert all(t["state"] == "sealed" and t["events"] > 0 and t["bytes"] > 0 and t["tenant"] == "0" * 32 for t in traces)
assert traces[1]["argv"] == ["sh", "-c", "echo two | cat"] and traces[1]["recorded"]["start"]
END_OF_PYTHON

# A name may be shortened as long as it is clear, and a wrong one is answered with the nearest.
expect 0 "a short name" verify --store "$store" "${first:0:9}"
expect 4 "a wrong name" rm --store "$store" "${first:0:20}x${first:21}"
says "$first" "the nearest name"
cp "$store/traces/${first#@}.sworn" "$store/traces/${first#@}.sworn.partial"
expect 4 "two files of one short name" verify --store "$store" "${first:0:9}"
rm "$store/traces/${first#@}.sworn.partial"

# pack, and back.
expect 0 "a trace is packed" pack --store "$store" -o packed.sworn
[ "$(cat out)" = packed.sworn ] || fail pack "prints $(cat out)"
same_events "$second" packed.sworn --store "$store"
rm -rf elsewhere && mkdir elsewhere && cp packed.sworn elsewhere
replay_check packed "$WORK/elsewhere/packed.sworn" && pass
expect 0 "another one is packed" pack "$first" --store "$store" -o first.sworn
expect 0 "a packed trace is unpacked" unpack --store "$WORK/unpacked" packed.sworn
thin=$(cat out)
same_events packed.sworn "$thin" --store "$WORK/unpacked"
expect 0 "it replays" replay --store "$WORK/unpacked" "$thin"
grep -q identical out || fail unpack "$(cat out)"
[ "$(blobs_of "$WORK/unpacked")" = "$(for blob in $(blobs_of "$WORK/unpacked"); do sha256sum "$WORK/unpacked/blobs/sha256/$blob"; done | cut -c1-64)" ] &&
	pass || fail unpack "a blob has other bytes than its name says"
# What is derived names what it was made of, and holds its frames of events.
python3 - "$store/traces/${second#@}.sworn" packed.sworn "$WORK/unpacked/traces/${thin#@}.sworn" "$tools" << 'END_OF_PYTHON' && pass || fail derived "see above"
import sys
sys.path.insert(0, sys.argv[4])
from forge import decode, labelled, split
traces = [split(open(path, "rb").read()) for path in sys.argv[1:4]]
events = [[whole for kind, _, whole in frames if kind == "EVENTS"] for frames in traces]
assert events[0] == events[1] == events[2], "other EVENTS frames"
def times(frames):
    return [(decode(link, 8)[0][9], decode(link, 8)[0][10]) for (kind, _, _), (_, _, link) in zip(frames, frames[1:]) if kind == "EVENTS"]
assert times(traces[0]) == times(traces[1]) == times(traces[2]), "other times"
ids, seals, ended = [], [], []
for frames in traces:
    protected, _, payload, sig = decode(frames[-1][2], 8)[0]
    manifest = decode(payload)[0]
    assert manifest.get(12) == (seals[-1] if seals else None), "derived-from"
    seals.append(labelled("sworn/1/seal", protected, payload, sig))
    ended.append((manifest[6], manifest[7], manifest[11]))
    ids.append(decode(decode(frames[0][2], 8)[0][2])[0][1])
assert len(set(ended)) == 1 and len(set(ids)) == 3
END_OF_PYTHON

# import keeps every byte, and brings the blobs of a thin trace along.
expect 0 "files are imported" import --store "$WORK/imported" packed.sworn "$store/traces/${first#@}.sworn"
for name in $(cat out); do
	expect 0 "what was imported replays" replay --store "$WORK/imported" "$name"
done
name=$(head -n 1 out)
expect 0 "one file again" import --store "$WORK/imported" packed.sworn
grep -q 'has it already' err && pass || fail import "$(cat err)"
name=$(cat out)
cmp -s packed.sworn "$WORK/imported/traces/${name#@}.sworn" && pass || fail import "the bytes were changed"
cmp -s "$store/traces/${first#@}.sworn" "$WORK/imported/traces/${first#@}.sworn" && pass || fail import "thin: the bytes were changed"

# Nothing to do.
refused 4 'self-contained already' "packing a packed trace" pack packed.sworn -o o.sworn
refused 4 'in a store already' "unpacking a thin trace" unpack --store none "$store/traces/${first#@}.sworn"
refused 4 'nothing to repair' "repairing a whole trace" repair packed.sworn -o o.sworn

# A trace that was cut off, at each link and in between.
python3 -B "$tools/forge.py" first.sworn --frames > frames
cuts=0
while read -r offset length kind; do
	[ "$kind" = LINK ] || continue
	for at in $((offset + length)) $((offset + length + 20)); do
		head -c "$at" first.sworn > cut.sworn
		[ "$at" -lt "$(stat -c %s first.sworn)" ] || continue
		sworn verify --list --allow-unsigned --allow-truncated cut.sworn > cut.events 2> /dev/null || {
			refused 4 'before its first event' "cut at $at" repair cut.sworn -o o.sworn
			continue
		}
		expect 0 "cut at $at is repaired" repair cut.sworn -o repaired.sworn
		expect 5 "it is repaired" verify --allow-unsigned repaired.sworn
		grep -q ': repaired: ' out || fail "cut at $at" "not called repaired: $(head -n 1 out)"
		expect 5 "it is not truncated" verify --allow-unsigned --allow-truncated repaired.sworn
		sworn verify --list --allow-unsigned --allow-repaired repaired.sworn > repaired.events 2> /dev/null || fail "cut at $at" "--allow-repaired does not help"
		cmp -s cut.events repaired.events && pass || fail "cut at $at" "other events"
		zstd -tq repaired.sworn || fail "cut at $at" "no zstd stream"
		cuts=$((cuts + 1))
	done
done < frames
[ "$cuts" -gt 2 ] || fail repair "only $cuts cuts"
expect 5 "a repaired trace is not replayed" replay repaired.sworn
expect 0 "unless asked for" replay --allow-unsigned --allow-repaired repaired.sworn
grep -q 'identical prefix$' out || fail repair "$(cat out)"
refused 5 repaired "importing a repaired trace" import --store none repaired.sworn
expect 0 "unless asked for" import --store "$WORK/imported" --allow-repaired repaired.sworn
refused 5 repaired "packing a repaired trace" pack repaired.sworn -o o.sworn
# Its source is named by its last link.
python3 - first.sworn cut.sworn repaired.sworn "$tools" << 'END_OF_PYTHON' && pass || fail repair "names another source"
import os, sys
sys.path.insert(0, sys.argv[4])
from forge import decode, labelled, split
cut = os.path.getsize(sys.argv[2])
last = [whole for kind, at, whole in split(open(sys.argv[1], "rb").read()) if kind == "LINK" and at + len(whole) <= cut][-1]
manifest = decode(decode(split(open(sys.argv[3], "rb").read())[-1][2], 8)[0][2])[0]
assert manifest[12] == labelled("sworn/1/link", last[8:]) and manifest[9] == 1
END_OF_PYTHON

# A recorder that was killed: its partial trace in the store, repaired there.
"$SWORN" record --schedule observed --store "$store" -- sh -c 'echo three; i=0; while [ $i -lt 50 ]; do i=$((i+1)); sleep 0.1; done' > killed.out 2> /dev/null &
recorder=$!
for ((i = 0; i < 200; i++)); do
	partial=$(find "$store/traces" -name '*.partial' -size +8k)
	[ "$partial" ] && grep -q three killed.out && break
	sleep 0.1
done
expect 0 "a store is listed while somebody records" list --store "$store"
grep -q ' recording ' out && pass || fail list "no recording: $(cat out)"
name=@$(basename "$partial")
expect 3 "what is being recorded is not repaired" repair --store "$store" "$name"
says 'still being recorded' "repair of what is being recorded"
expect 3 "nor removed" rm --store "$store" "$name"
# Beside it others are removed, and every blob stays.
before=$(blobs_of "$store")
expect 0 "a trace is removed beside a recording" rm --store "$store" "$first"
grep -q 'all blobs stay' err && pass || fail "removal beside a recording" "$(cat err)"
[ "$before" = "$(blobs_of "$store")" ] && [ ! -e "$store/traces/${first#@}.sworn" ] && pass || fail rm "beside a recording"
kill -KILL "$recorder"
wait "$recorder" 2> /dev/null
expect 0 "its recorder was killed" list --store "$store"
grep -q ' unfinished ' out && pass || fail list "not unfinished: $(cat out)"
# What an unfinished trace needs stays, too.
expect 0 "blobs are removed that nobody needs" rm --store "$store" --unused
expect 0 "what is left of it is whole" verify --allow-truncated --store "$store" "$name"
expect 0 "it is repaired in the store" repair --store "$store" "$name"
made=$(cat out)
expect 0 "and replays" replay --store "$store" --allow-repaired "$made"
expect 0 "its partial file is removed" rm --store "$store" "$name"
expect 0 "the repaired one still replays" replay --store "$store" --allow-repaired "$made"

# rm: what only the removed trace needed, and no more.
before=$(blobs_of "$store" | wc -l)
expect 0 "a removal is tried" rm --store "$store" --dry-run "$made"
[ "$(blobs_of "$store" | wc -l)" -eq "$before" ] && [ -e "$store/traces/${made#@}.sworn" ] && pass || fail rm "--dry-run changes something"
expect 4 "one of two names is wrong" rm --store "$store" "$made" @nothing-like-it
[ -e "$store/traces/${made#@}.sworn" ] && pass || fail rm "removes one of two"
expect 0 "a removal" rm --store "$store" "$made"
expect 0 "the other trace is whole" replay --store "$store" "$second"
expect 0 "a third recording" record --store "$store" -- "$GUESTS/args_env" four
fourth=$(readlink "$store/latest")
expect 0 "the latest is removed" rm --store "$store" @latest
[ "$(readlink "$store/latest")" = "traces/${second#@}.sworn" ] && pass || fail rm "latest is $(readlink "$store/latest")"
[ "$fourth" ] && [ ! -e "$store/$fourth" ] && pass || fail rm "the latest is still there"
: > "$store/blobs/sha256/.$(printf 'a%.0s' {1..64}).1"
echo half > "$store/traces/$(printf 'b%.0s' {1..32}).sworn.new"
echo other > "$store/blobs/sha256/readme"
# A damaged trace keeps all blobs.
cp "$store/traces/${second#@}.sworn" whole
printf X | dd of="$store/traces/${second#@}.sworn" bs=1 seek=3000 conv=notrunc status=none
before=$(blobs_of "$store")
expect 0 "beside a damaged trace" rm --store "$store" --unused
says 'all blobs stay' "beside a damaged trace"
[ "$before" = "$(blobs_of "$store")" ] && pass || fail rm "blobs went beside a damaged trace"
cp whole "$store/traces/${second#@}.sworn"
expect 0 "all that is left goes" rm --store "$store" "$second"
[ "$(blobs_of "$store")" = readme ] && [ -z "$(ls -A "$store/traces")" ] && [ ! -L "$store/latest" ] && pass ||
	fail rm "left: $(find "$store" | tr '\n' ' ')"

# Bad input, to each verb.
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n' 0 > pointer.sworn
head -c 5000 packed.sworn > cut.sworn
{ head -c 4000 packed.sworn; printf XXXX; tail -c +4005 packed.sworn; } > damaged.sworn
for verb in "pack -o o.sworn" "unpack --store none" "import --store none" "repair -o o.sworn"; do
	# shellcheck disable=SC2086 # words
	set -- $verb
	refused 4 'no such trace; the name most like it is packed.sworn' "$1 a wrong name" "$@" packd.sworn
	refused 3 'Git LFS pointer.*git lfs pull' "$1 a pointer" "$@" pointer.sworn
	refused 5 'corrupt' "$1 a damaged trace" "$@" damaged.sworn
	refused 5 'corrupt' "$1 a directory" "$@" elsewhere
	refused 2 'explains' "$1 an unknown option" "$@" --nonsense packed.sworn
	[ "$1" = repair ] || refused 5 'truncated' "$1 a trace that was cut off" "$@" cut.sworn
done
python3 -B - "$tools" packed.sworn newer.sworn << 'END_OF_PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
from forge import decode, encode, frame, labelled, split
from mutate import rechain
frames = [[kind, whole] for kind, _, whole in split(open(sys.argv[2], "rb").read())]
protected, unprotected, payload, _ = decode(frames[0][1], 8)[0]
header = decode(payload)[0]
header[0] = 2
payload = encode(header)
frames[0][1] = frame("HEADER", encode([protected, unprotected, payload, labelled("sworn/1/unsigned", protected, payload)]))
open(sys.argv[3], "wb").write(rechain(frames))
END_OF_PYTHON
refused 3 'newer.*use a newer version' "a newer format" import --store none newer.sworn
refused 3 'over the limit' "too much content" unpack --store none --max-bytes 1000 packed.sworn
sworn record --store thin -- "$GUESTS/args_env" > /dev/null 2>&1
blob=$(find thin/blobs/sha256 -type f | head -n 1)
mv "$blob" blob
for verb in "pack -o o.sworn" "import --store none"; do
	# shellcheck disable=SC2086 # words
	refused 5 'blob.*not in the store.*; name the store' "a missing blob" $verb thin/traces/*.sworn
done
mv blob "$blob"
for path in "$WORK/no/such/o.sworn" "$WORK/elsewhere" /proc/o.sworn; do
	expect 3 "no place to write" pack thin/traces/*.sworn -o "$path"
	says "$path" "no place to write"
done
# Two files that say they are the same trace.
python3 -B "$tools/forge.py" first.sworn unsigned.sworn nothing > /dev/null
python3 -B - "$tools" unsigned.sworn packed.sworn twin.sworn << 'END_OF_PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
from forge import decode, encode, frame, labelled, split
from mutate import rechain
frames, other = ([[kind, whole] for kind, _, whole in split(open(path, "rb").read())] for path in sys.argv[2:4])
protected, unprotected, payload, _ = decode(frames[0][1], 8)[0]
header = decode(payload)[0]
header[1] = decode(decode(other[0][1], 8)[0][2])[0][1]
payload = encode(header)
frames[0][1] = frame("HEADER", encode([protected, unprotected, payload, labelled("sworn/1/unsigned", protected, payload)]))
open(sys.argv[4], "wb").write(rechain(frames))
END_OF_PYTHON
expect 0 "the other one is whole by itself" verify --allow-unsigned twin.sworn
refused 5 'different traces with one id' "two traces of one id" import --store none packed.sworn twin.sworn
expect 5 "a trace of an id that is taken" import --store imported twin.sworn
says 'another trace with this id' "an id that is taken"
# A store in which somebody made links.
ln -s /etc/passwd imported/traces/link.sworn
expect 4 "a link in a store" verify --store imported @link
ln -sfn ../../../etc/passwd imported/latest
expect 4 "latest points out of the store" replay --store imported
finish
