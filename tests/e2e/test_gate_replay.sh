#!/bin/bash
# `sworn gate run --mode replay` and `sworn gate list`: verdicts, codes and reports for whole, damaged, forged and
# missing traces; command lines that make no sense.
. "$(dirname "$0")/lib.sh"
. "$E2E/gate.sh"

cd "$WORK" || exit 1
mkdir -p good/inner bad
echo 'a needle in the data' > data
sworn record --schedule seeded --seed 1 -o good/one.sworn -- sed p data > /dev/null 2>&1 || fail setup "recording"
sworn record --schedule seeded --seed 2 -o good/inner/two.sworn -- sh -c 'echo two >&2; exit 3' > /dev/null 2>&1
cp good/one.sworn bad/cut.sworn
truncate -s -40 bad/cut.sworn
cp good/one.sworn bad/flipped.sworn
printf '\377' | dd of=bad/flipped.sworn bs=1 seek=3000 conv=notrunc 2> /dev/null
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 1\n' 0 > pointer.sworn
python3 -B "$E2E/../tools/forge.py" good/one.sworn forged.sworn bytes --containing needle > "$LOG/forge" 2>&1 ||
	fail forge "$(cat "$LOG/forge")"

gate good 0 run --mode replay -j 2 --report good.json --junit good.xml good good/one.sworn
says good '^replay: the code of this checkout was not run'
says good '^tenant default: 2 traces: 2 identical'
[ "$(head -n 1 "$LOG/good.out" | cut -d: -f1)" = replay ] && pass || fail good "the first line does not name the mode"
report good good.json "
	r['verdict'] == 'identical' and r['code'] == 0 and r['code_was_run'] is False
	[t['verdict'] for t in r['traces']] == ['identical'] * 2
	all(t['checked']['events'] == t['checked']['of'] > 10 and t['runs'] == 1 for t in r['traces'])"
python3 -c 'import sys, xml.etree.ElementTree as e; r = e.parse("good.xml").getroot()
assert len(r.findall("testsuite/testcase")) == 2 and not r.findall(".//failure") and not r.findall(".//error")' &&
	pass || fail good "the JUnit report"

# Nobody else can sign it, so it is refused; where that is allowed its replay finds out.
gate unsigned 5 run --mode replay --report unsigned.json forged.sworn
says unsigned 'unsigned: .*; nothing of it was executed'
report unsigned unsigned.json "r['traces'][0]['runs'] == 0"
gate forged 1 run --mode replay --allow-unsigned --report forged.json --junit forged.xml good forged.sworn
says forged '^diverged: forged.sworn \(tenant default\)'
says forged '^  expected '
says forged '^  actual '
says forged '^  reproduce  sworn gate run --mode replay --allow-unsigned forged.sworn$'
[ "$(grep -nm 1 '^diverged' "$LOG/forged.out" | cut -d: -f1)" -lt "$(grep -nm 1 ' identical ' "$LOG/forged.out" | cut -d: -f1)" ] &&
	pass || fail forged "the failure does not come first"
report forged forged.json "
	r['code'] == 1 and r['counts']['diverged'] == 1 and r['counts']['identical'] == 2
	[t['changes_found'] for t in r['traces']] == [0, 0, 1]
	'event' in r['traces'][2]['changes'][0]['event']
	'eedle' in r['traces'][2]['changes'][0]['expected']
	r['traces'][2]['divergence']['call'] == 'write'"
python3 -c 'import xml.etree.ElementTree as e
r = e.parse("forged.xml").getroot(); assert len(r.findall(".//failure")) == 1
assert r.find("testsuite").get("failures") == "1" and r.find("testsuite").get("errors") == "0"' &&
	pass || fail forged "the JUnit report"

# Nothing of a trace that is not whole is executed; its code is the strongest but for usage.
gate damaged 5 run --mode replay --allow-unsigned --report damaged.json good forged.sworn bad
says damaged '^refused: bad/cut.sworn'
says damaged 'truncated: .*; nothing of it was executed'
says damaged 'corrupt: .*; nothing of it was executed'
report damaged damaged.json "r['code'] == 5 and [t['runs'] for t in r['traces']] == [1, 1, 1, 0, 0]"

# What was repaired is a prefix, and told as one where it is accepted at all.
sworn repair -o repaired.sworn bad/cut.sworn > "$LOG/repair" 2>&1 || fail repaired "$(tail -n 1 "$LOG/repair")"
gate repaired 5 run --mode replay repaired.sworn
gate repaired_allowed 0 run --mode replay --allow-repaired --allow-unsigned repaired.sworn
says repaired_allowed 'repaired.sworn  \(identical prefix\)$'

gate pointer 3 run --mode replay pointer.sworn good
says pointer 'git lfs pull'
gate nothing 4 run --mode replay missing.sworn good
says nothing 'missing.sworn'
mkdir -p empty
gate empty 4 run --mode replay empty
says empty 'no \*.sworn'
gate shard 0 run --mode replay --shard 2/2 good
says shard '1 of 1 trace identical'
gate shards 4 run --mode replay --shard 3/3 good
says shards 'no trace was selected'
gate mixed 1 run --mode replay --allow-unsigned pointer.sworn missing.sworn forged.sworn


for arguments in "run good" "run --mode guess good" "run --mode replay" "run --mode replay -j 0 good" \
	"run --mode replay --shard 3/2 good" "run --mode replay --timeout x good" "frobnicate" "" \
	"run --mode replay --report x --junit x good" "run --mode replay --junit good/one.sworn good" \
	"run --mode replay --report good/one.sworn good" "run --mode replay --report no/such/x good"; do
	# shellcheck disable=SC2086 # these are words
	gate usage 2 $arguments
	says usage 'sworn gate: .*(;|explains)'
done
sworn verify good/one.sworn > /dev/null && pass || fail usage "a report took the place of a trace"

gate typo 2 rum --mode replay good
says typo 'the nearest is .sworn gate run.'
for verb in "verify" "replay" "audit ps" "gate explain" "gate list" "pack -o x" "unpack" "repair -o x" "import"; do
	status=0
	# shellcheck disable=SC2086 # these are words
	sworn $verb pointer.sworn > "$LOG/pointer" 2>&1 < /dev/null || status=$?
	[ "$status" -eq 3 ] && grep -q 'git lfs pull' "$LOG/pointer" && pass || fail pointer "sworn $verb exits with $status: $(cat "$LOG/pointer")"
done

gate list 0 list good
says list "seeded    good/inner/two.sworn  tenant default  sh -c 'echo two >&2; exit 3'"
gate list_bad 4 list empty

finish
