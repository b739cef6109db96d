#!/bin/bash
# Traces of two tenants before one gate: each is judged by the keys and blobs of its own tenant, and the reports are tables by
# tenant, in both modes. --tenant chooses; --keystore and --trust work for all verbs of the gate.
. "$(dirname "$0")/lib.sh"
. "$E2E/gate.sh"

have tenants python3 || finish
cd "$WORK" || exit 1
mkdir -p temporary traces/{alpha,beta} checkout
export TMPDIR=$WORK/temporary
keys=(--keystore "$WORK/keys")
sworn tenant create alpha "${keys[@]}" > "$LOG/alpha" 2>&1 && sworn tenant create beta "${keys[@]}" > "$LOG/beta" 2>&1 ||
	fail setup "no tenants: $(cat "$LOG/alpha" "$LOG/beta")"

# id NAME: the tenant's id
id()
{
	sworn tenant list --json "${keys[@]}" | python3 -c "import json, sys
print([t['tenant'] for t in json.load(sys.stdin) if t['name'] == '$1'][0])"
}
alpha=$(id alpha) beta=$(id beta)

cd checkout || exit 1
echo 'echo $1; echo $1 > made' > say.sh
for name in alpha/one alpha/two beta/one beta/two; do
	sworn record "${keys[@]}" --tenant "${name%/*}" --seed 1 --workdir-as /desk -o "../traces/$name.sworn" -- sh say.sh "$name" \
		> "$LOG/output" 2> "$LOG/errors" || fail setup "$name was not recorded: $(tail -n 1 "$LOG/errors")"
done

for mode in replay rerun; do
	gate "$mode" 0 run --mode "$mode" "${keys[@]}" -j 2 --report ../report.json --junit ../junit.xml ../traces
	says "$mode" "^tenant alpha \\($alpha\\): 2 traces: 2 identical$"
	says "$mode" "^tenant beta \\($beta\\): 2 traces: 2 identical$"
	says "$mode" "^beta \\($beta\\) +2 +2 +0$"
	report "$mode" ../report.json "
		[t['tenant'] for t in r['tenants']] == ['$alpha', '$beta']
		[t['label'].split(' ')[0] for t in r['tenants']] == ['alpha', 'beta']
		all(t['traces'] == t['identical'] == 2 and t['code'] == 0 for t in r['tenants'])
		r['left_out'] == 0"
	python3 - ../junit.xml > "$LOG/junit" 2>&1 <<-'END' && pass || fail "$mode" "$(tail -n 1 "$LOG/junit")"
		import sys, xml.etree.ElementTree as tree

		suites = tree.parse(sys.argv[1]).getroot().findall("testsuite")
		assert [s.get("tests") for s in suites] == ["2", "2"], suites
		assert ["alpha" in s.get("name") for s in suites] == [True, False]
		assert all(s.get("name").split("tenant ")[1] == case.get("classname") for s in suites for case in s)
	END

	# Others do not know these keys.
	gate "${mode}_strange" 5 run --mode "$mode" ../traces/alpha
	says "${mode}_strange" 'untrusted: .*unknown key'

	gate "${mode}_chosen" 0 run --mode "$mode" "${keys[@]}" --tenant beta --report ../report.json ../traces
	says "${mode}_chosen" '^2 traces of other tenants left out$'
	report "${mode}_chosen" ../report.json "[t['label'].split(' ')[0] for t in r['tenants']] == ['beta'] and r['left_out'] == 2"
	gate "${mode}_both" 0 run --mode "$mode" "${keys[@]}" --tenant "$alpha" --tenant beta --shard 2/2 ../traces
	says "${mode}_both" ' 2 of 2 traces identical'
	gate "${mode}_none" 4 run --mode "$mode" "${keys[@]}" --tenant "${alpha//[0-9]/f}" ../traces
	says "${mode}_none" 'no trace was selected, 4 of other tenants were left out'
	gate "${mode}_typo" 2 run --mode "$mode" "${keys[@]}" --tenant bata ../traces
	says "${mode}_typo" 'the name most like it is beta'

	# A key speaks for the tenants that it is trusted for, for no other one.
	sworn key export "${keys[@]}" --tenant alpha > ../trust 2> "$LOG/export" || fail export "$(cat "$LOG/export")"
	sworn key export "${keys[@]}" --tenant beta 2>> "$LOG/export" | sed "s/$beta/$alpha/; s/ beta$/ other/" >> ../trust
	gate "${mode}_foreign" 5 run --mode "$mode" --trust ../trust --report ../report.json ../traces
	says "${mode}_foreign" "key is not trusted for tenant $beta; nothing of it was executed"
	report "${mode}_foreign" ../report.json "
		[t['code'] for t in r['tenants']] == [0, 5]
		[t['runs'] for t in r['traces']] == [1, 1, 0, 0]"
done

# A name of the trust file chooses too, where it is that of one tenant.
sworn key export "${keys[@]}" --tenant beta > ../trust 2> /dev/null
gate by_name 0 run --mode replay --trust ../trust --tenant beta ../traces
says by_name "^tenant beta \\($beta\\): 2 traces"

# What one tenant's code does wrong is said of that tenant.
sed -i '1i [ "$1" = beta/two ] && echo more' say.sh
gate changed 1 run --mode rerun --keystore ../keys --report ../report.json --keep ../kept ../traces
says changed "^changed: ../traces/beta/two.sworn \\(tenant beta \\($beta\\)\\)"
says changed "^alpha \\($alpha\\) +2 +2 +0 +0$"
says changed "^beta \\($beta\\) +2 +1 +1 +1$"
report changed ../report.json "[t['code'] for t in r['tenants']] == [0, 1]"
sworn verify "${keys[@]}" --tenant beta ../kept/*.sworn > "$LOG/kept" 2>&1 && pass ||
	fail kept "the new trace is not signed by the tenant of the old one: $(head -n 2 "$LOG/kept")"

# All verbs of the gate trust alike.
gate list 0 list "${keys[@]}" --tenant beta ../traces
says list "seeded +../traces/beta/two.sworn  tenant beta \\($beta\\)  sh say.sh beta/two"
! grep -q alpha/ "$LOG/list.out" && pass || fail list "it lists another tenant's"
gate explain_strange 5 explain ../traces/beta/two.sworn
says explain_strange 'untrusted'
gate explain 0 explain "${keys[@]}" ../traces/beta/two.sworn
gate explain_allowed 0 explain --allow-untrusted ../traces/beta/two.sworn
gate explain_other 4 explain "${keys[@]}" --tenant alpha ../traces/beta/two.sworn
gate diff_strange 5 diff ../traces/beta/one.sworn ../traces/beta/two.sworn
gate diff 1 diff "${keys[@]}" ../traces/beta/one.sworn ../traces/beta/two.sworn
gate run_only 2 list --mode replay ../traces
says run_only 'this option is for .sworn gate run.: mode'

# What lies in a tenant's store is found by its name there, and its blobs from anywhere.
sworn record "${keys[@]}" --tenant alpha --seed 2 --workdir-as /desk -- sh say.sh stored > "$LOG/output" 2> "$LOG/errors" ||
	fail store "recording: $(tail -n 1 "$LOG/errors")"
thin=$(readlink -f "../keys.tenants/$alpha/latest")
name=@$(basename "$thin" .sworn)
cp "$thin" ../elsewhere.sworn
for mode in replay rerun; do
	for trace in "$name" @latest; do
		gate "${mode}_stored" 0 run --mode "$mode" "${keys[@]}" --tenant beta --tenant alpha "$trace"
		says "${mode}_stored" "^tenant alpha \\($alpha\\): 1 trace: 1 identical"
		gate "${mode}_not_stored" 4 run --mode "$mode" "${keys[@]}" "$trace"
		gate "${mode}_store" 0 run --mode "$mode" "${keys[@]}" --store "../keys.tenants/$alpha" "$trace"
	done
	gate "${mode}_path" 0 run --mode "$mode" "${keys[@]}" "$thin" ../elsewhere.sworn
	says "${mode}_path" ' 2 of 2 traces identical'
done
gate explain_stored 0 explain "${keys[@]}" --tenant alpha "$name"
gate list_stored 0 list "${keys[@]}" --tenant alpha "$name"

# A keystore with a passphrase signs the new traces of a rerun only with it.
echo 'a long passphrase' > ../passphrase
locked=(--keystore "$WORK/locked")
sworn key init --passphrase-file ../passphrase "${locked[@]}" > "$LOG/locked" 2>&1 || fail locked "$(cat "$LOG/locked")"
sworn record "${locked[@]}" --passphrase-file ../passphrase --workdir-as /desk -o ../locked.sworn -- sh say.sh x \
	> "$LOG/output" 2> "$LOG/errors" || fail locked "recording: $(tail -n 1 "$LOG/errors")"
gate locked_replay 0 run --mode replay "${locked[@]}" ../locked.sworn
gate locked 0 run --mode rerun "${locked[@]}" --passphrase-file ../passphrase ../locked.sworn
gate locked_none 3 run --mode rerun "${locked[@]}" ../locked.sworn
says locked_none 'run 1 was not recorded: .*passphrase'
chmod 755 ../locked
for verb in "run --mode replay" "run --mode rerun" list explain; do
	# shellcheck disable=SC2086 # these are words
	gate "open_${verb// /_}" 3 $verb "${locked[@]}" ../locked.sworn
	says "open_${verb// /_}" "nothing was checked: .*has mode 0755.*type: chmod 700"
done

[ -z "$(ls -A "$TMPDIR")" ] && pass || fail temporary "left behind: $(find "$TMPDIR" | head -n 5 | tr '\n' ' ')"
finish
