#!/bin/bash
# `sworn doctor`: every check in both forms, what SWORN_WITHOUT switches off, and the exit codes.
. "$(dirname "$(realpath "$0")")/lib.sh"

have doctor python3 || finish

# doctor NAME STATUS ARGUMENT...: runs it, leaves $LOG/NAME.out and $LOG/NAME.err
doctor()
{
	local name=$1 wanted=$2 status=0

	shift 2
	sworn doctor "$@" > "$LOG/$name.out" 2> "$LOG/$name.err" < /dev/null || status=$?
	if [ "$status" -eq "$wanted" ]; then
		pass
	else
		fail "$name" "exit status $status, not $wanted: $(cat "$LOG/$name.err")"
	fi
}

doctor text 0
doctor json 0 --json
if python3 - "$LOG/text.out" "$LOG/json.out" << 'END_OF_PYTHON'; then pass; else fail json "text and JSON do not agree"; fi
import json, sys
text = open(sys.argv[1]).read()
report = json.load(open(sys.argv[2]))
assert report["schema"] == 1 and report["kind"] == "doctor" and report["code"] == 0, report
assert report["verdict"] in ("ready", "limited") and text.splitlines()[-1].startswith(report["verdict"] + ":")
assert report["host"]["kernel"].startswith("Linux ") and report["host"]["cpus"] >= 1 and report["host"]["stop_ns"] > 0
names = [check["name"] for check in report["checks"]]
assert names == ["ptrace", "seccomp", "tsc", "pmu", "userns", "landlock", "personality", "uffd", "cgroup"], names
for check in report["checks"]:
    line = next(line for line in text.splitlines() if line.startswith(check["name"] + " "))
    assert line.split()[1] == check["state"] + ":", (line, check)
    assert check["detail"] and (check["state"] == "ok") == (check["cost"] is None) == (check["remedy"] is None), check
gaps = sum(check["state"] != "ok" for check in report["checks"])
assert (report["verdict"] == "ready") == (gaps == 0), report
END_OF_PYTHON

export SWORN_WITHOUT=pmu,userns,uffd,personality,landlock,cgroup
doctor without 0
for name in pmu userns uffd personality landlock cgroup; do
	if grep -q "^$name *off: " "$LOG/without.out"; then pass; else fail without "$name is not off"; fi
done
grep -q '^limited: ' "$LOG/without.out" || fail without "the verdict is not limited"
SWORN_WITHOUT=pmx doctor unknown 2
unset SWORN_WITHOUT

doctor option 2 --jsn
doctor argument 2 now
[ ! -s "$LOG/argument.out" ] && grep -q now "$LOG/argument.err" || fail argument "the argument is not named on stderr"

# No tracing, no verdict but this one.
"${BUILD:-$(dirname "$GUESTS")}/tools/poor_host" --no-trace "$SWORN" doctor > "$LOG/unable" 2>&1 < /dev/null
if [ $? -eq 3 ] && grep -q '^ptrace *missing: ' "$LOG/unable" && grep -q '^unable: ' "$LOG/unable"; then
	pass
else
	fail unable "without ptrace it must exit with 3: $(cat "$LOG/unable")"
fi
finish
