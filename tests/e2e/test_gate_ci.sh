#!/bin/bash
# What a CI sees of `sworn gate`: annotations, summaries and JUnit reports that text from a recorded program cannot take over,
# and nothing that stays when the gate is killed.
. "$(dirname "$0")/lib.sh"
. "$E2E/gate.sh"

have ci python3 || finish
cd "$WORK" || exit 1
mkdir -p traces temporary checkout
export TMPDIR=$WORK/temporary

hostile='::error file=x::taken over%0A::stop-commands::x ##[error]taken over <b>|`x` ]]> &amp;'
marker="marker-$$"
cat > checkout/say.sh <<'END'
printf '%s\n' "before $1" "::warning::$1" "##[group]$1" >&2
printf '\n::set-output name=x::%s\r\n' "$1"
END
echo 'echo nothing' > checkout/spin.sh
cd checkout || exit 1
for i in {1..11}; do
	sworn record --schedule seeded --seed "$i" --workdir-as /desk -o "../traces/say $i::a,b%.sworn" -- sh say.sh "$hostile" \
		> "$LOG/output" 2> "$LOG/errors" || fail setup "recording"
done
sworn record --schedule seeded --seed 1 --workdir-as /desk -o ../spin.sworn -- sh spin.sh "$marker" > "$LOG/output" 2> "$LOG/errors" ||
	fail setup "recording"
sed -i 's/before/after ]]>/; s/name=x/name=y/' say.sh

export GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=$WORK/summary
gate github 1 run --mode rerun -j 2 --junit ../junit.xml --report ../report.json ../traces
[ "$(grep -c '^::error title=sworn gate' "$LOG/github.out")" -eq 10 ] && pass || fail github "not nine annotations and one more line"
says github '^::error title=sworn gate::2 more traces are not identical$'
says github 'title=sworn gate%3A changed ../traces/say 1%3A%3Aa%2Cb%25.sworn::'
! grep -aE '^[[:space:]]*::' "$LOG/github.out" | grep -vqE '^::error title=sworn gate(%3A|::)' && pass ||
	fail github "a program gave a command to the runner"
! grep -aqF '##[' "$LOG/github.out" && pass || fail github "a program gave a command in the older form"
! tr -d '\n' < "$LOG/github.out" | LC_ALL=C grep -aqP '[^\x20-\x7e]' && pass || fail github "a program's control characters came through"
! grep '^::error' "$LOG/github.out" | sed 's/^::error title=[^:]*:://' | grep -qF '::' && pass || fail github ":: in a message"
[ "$(grep -c '^| changed |' ../summary)" -eq 9 ] && pass || fail github "the summary has not nine rows"
grep -qx '2 more' ../summary && pass || fail github "the summary does not say how many more"
! grep -qE '<b>|^::' ../summary && pass || fail github "markup of a program is in the summary"
unset GITHUB_ACTIONS GITHUB_STEP_SUMMARY
gate plain 1 run --mode rerun "../traces/say 1::a,b%.sworn"
! grep -q '^::' "$LOG/plain.out" && pass || fail plain "annotations outside of GitHub"

python3 - ../junit.xml > "$LOG/junit" 2>&1 <<'END' && pass || fail junit "$(tail -n 1 "$LOG/junit")"
import sys, xml.etree.ElementTree as tree

root = tree.parse(sys.argv[1]).getroot()
cases = root.findall("testsuite/testcase")
assert len(cases) == 11 and all(len(case) == 1 and case[0].tag == "failure" for case in cases)
suite = root.find("testsuite")
assert suite.get("tests") == suite.get("failures") == "11" and suite.get("errors") == suite.get("skipped") == "0"
assert "::a,b%.sworn" in cases[0].get("name") and "::set-output name=x::" in "".join(case[0].text for case in cases)
END
report junit ../report.json "r['counts']['changed'] == 11"

# left: what of a killed gate is still there
left()
{
	local process

	for process in /proc/[0-9]*; do
		[ "$process" != "/proc/$$" ] && { tr '\0' ' ' < "$process/cmdline"; } 2> /dev/null | grep -q "$marker" &&
			echo "$process"
	done
	ls -A "$TMPDIR"
	diff "$LOG/mounts" /proc/mounts
}

printf 'sh -c "while :; do :; done" %s &\nwhile :; do :; done\n' "$marker" > spin.sh
cp /proc/mounts "$LOG/mounts"
for signal in KILL TERM KILL INT KILL TERM; do
	"$SWORN" gate run --mode rerun -j 2 --junit ../killed.xml --report ../killed.json ../spin.sworn "../traces/say 1::a,b%.sworn" \
		> "$LOG/killed.out" 2>&1 < /dev/null &
	gate=$!
	sleep "$((RANDOM % 3)).$((RANDOM % 10))"
	kill -s "$signal" "$gate"
	# A shell without job control starts its background processes with SIGINT ignored.
	[ "$signal" != INT ] || kill -s KILL "$gate"
	wait "$gate" 2> /dev/null
	for ((i = 0; i < 200; i++)); do
		[ -z "$(left)" ] && break
		sleep 0.1
	done
	[ -z "$(left)" ] && pass || fail "killed by $signal" "left behind: $(left | head -n 5 | tr '\n' ' ')"
done
report killed ../killed.json "r['verdict'] == 'unfinished' and r['code'] == 3"
[ ! -e ../killed.xml ] && pass || fail killed "half a JUnit report"
[ -z "$(ls ../killed.xml.* 2> /dev/null)" ] && pass || fail killed "a temporary file stayed"

finish
