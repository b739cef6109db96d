# gate.sh: sourced by the tests of `sworn gate`, after lib.sh.
# shellcheck shell=bash
# shellcheck disable=SC2329 # functions of the tests that source this
unset GITHUB_ACTIONS GITHUB_STEP_SUMMARY

# gate NAME STATUS ARGUMENT...: runs `sworn gate` into NAME.out and NAME.err in the log
gate()
{
	local name=$1 wanted=$2 status=0

	shift 2
	LIMIT=280 sworn gate "$@" > "$LOG/$name.out" 2> "$LOG/$name.err" < /dev/null || status=$?
	[ "$status" -eq "$wanted" ] && pass && return
	fail "$name" "exit status $status, not $wanted: sworn gate ${*@Q}"
	tail -n 40 "$LOG/$name.out" "$LOG/$name.err" | sed 's/^/    /'
	return 1
}

# says NAME PATTERN: its output has a line that matches
says()
{
	grep -qE -- "$2" "$LOG/$1.out" "$LOG/$1.err" && pass && return
	fail "$1" "nothing says '$2':"
	sed 's/^/    /' "$LOG/$1.out" "$LOG/$1.err"
}

# first NAME PATTERN...: the lines of the first difference match, in this order: where, expected, actual
first()
{
	local name=$1 field pattern

	shift
	for field in where expected actual; do
		pattern=$1
		shift
		grep -m 1 "^  $field " "$LOG/$name.out" | grep -qE -- "^  $field +$pattern" && pass && continue
		fail "$name" "the first difference does not have $field $pattern:"
		sed 's/^/    /' "$LOG/$name.out"
	done
}

# report NAME FILE TEST: Python expressions over the report `r`, one per line, must hold
report()
{
	python3 - "$2" "$3" > "$LOG/$1.check" 2>&1 <<'END' && pass && return
import json, sys

with open(sys.argv[1]) as file:
    r = json.load(file)
KEYS = "schema kind tool mode code_was_run with repeat left_out counts tenants usage verdict code traces"
TRACE = ("path digest tenant argv recorded verdict code reason checked units isolation runs wall_ns changes changes_found "
         "inputs_changed inputs_changed_found with_used divergence kept reproduce")
assert set(r) == set(KEYS.split()), sorted(set(r) ^ set(KEYS.split()))
for trace in r["traces"]:
    assert set(trace) == set(TRACE.split()), sorted(set(trace) ^ set(TRACE.split()))
assert r["schema"] == 1 and r["kind"] == "gate"
assert r["counts"]["traces"] == len(r["traces"]) == sum(t["traces"] for t in r["tenants"])
for line in sys.argv[2].splitlines():
    assert not line.strip() or eval(line.strip()), f"{line.strip()}: {json.dumps(r, indent=1)}"
END
	fail "$1" "the report is not as it must be:"
	sed 's/^/    /' "$LOG/$1.check"
}
