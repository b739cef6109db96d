#!/bin/bash
# `sworn twin`: the same command recorded several times comes out identical, or the first difference is named with its
# source; usage, failures, and nothing left behind.
. "$(dirname "$0")/lib.sh"

cd "$WORK" || exit 1
mkdir -p temporary
export TMPDIR=$WORK/temporary
chmod 755 "$WORK" "$TMPDIR"

# twin NAME STATUS ARGUMENT...: runs it into NAME.out, NAME.err and NAME.json in the log
twin()
{
	local name=$1 wanted=$2 status=0

	shift 2
	rm -f "$LOG/$name.json"
	sworn twin --report "$LOG/$name.json" "$@" > "$LOG/$name.out" 2> "$LOG/$name.err" || status=$?
	[ "$status" -eq "$wanted" ] && pass && return
	fail "$name" "exit status $status, not $wanted: sworn twin $*"
	tail -n 25 "$LOG/$name.out" "$LOG/$name.err" | sed 's/^/    /'
	return 1
}

# says NAME PATTERN: its output has a line that matches
says()
{
	grep -qE -- "$2" "$LOG/$1.out" "$LOG/$1.err" && pass && return
	fail "$1" "nothing says '$2':"
	sed 's/^/    /' "$LOG/$1.out" "$LOG/$1.err"
}

# report NAME TEST: Python expressions over the report `r`, one per line, must hold, as must the set of keys
report()
{
	if python3 - "$LOG/$1.json" "$2" > "$LOG/$1.check" 2>&1 <<'END'
import json, sys

with open(sys.argv[1]) as file:
    r = json.load(file)
KEYS = {"": "schema kind tool argv seed runs events units exit state_hash verdict code checked difference",
        "checked": "events of pairs reason",
        "difference": "runs source subject assumption event unit thread call where values events previous"}
RUN = "run trace recorded code varied busy nice user directory cpu start events"
for name, keys in KEYS.items():
    found = r if name == "" else r[name]
    if found is not None:
        assert set(found) == set(keys.split()), f"{name}: {sorted(set(found) ^ set(keys.split()))}"
for run in r["runs"]:
    assert set(run) == set(RUN.split()), run
assert r["schema"] == 1 and r["kind"] == "twin"
for line in sys.argv[2].splitlines():
    assert not line.strip() or eval(line.strip()), f"{line.strip()}: {json.dumps(r, indent=1)}"
END
	then
		pass
	else
		fail "$1" "the report is not as it must be:"
		sed 's/^/    /' "$LOG/$1.check"
	fi
}

# differs NAME SOURCE SUBJECT: the report names them; the kept traces are there and differ as they should
differs()
{
	report "$1" "
		r['verdict'] == 'different' and r['code'] == 1 and r['exit'] is None
		r['difference']['source'] == '$2'
		'$3' in (r['difference']['subject'] or '')
		len(r['difference']['previous']) == min(5, r['difference']['event'])
		all(__import__('os').path.exists(run['trace']) for run in r['runs'])"
	says "$1" "^different: run 1 and run 2, .*source: $2"
	# Each run signs with the keys that it finds, and where it runs as another user that is another's, or none.
	sworn verify --allow-untrusted --allow-unsigned temporary/sworn-twin-*/run-[12].sworn > "$LOG/$1.verify" 2>&1 || fail "$1" "the kept traces are not whole"
	rm -rf temporary/sworn-twin-*
}

nothing_left()
{
	[ -z "$(ls -A temporary)" ] && pass && return
	fail "$1" "left behind: $(find temporary | head -n 5 | tr '\n' ' ')"
	rm -rf temporary/*
}

# Identical, and what the report says then.
twin same 0 -n 3 -- /bin/true
says same '^identical: 3 runs of [0-9]+ events, 1 unit, state sha256:[0-9a-f]{64}, exit status 0$'
says same '^  run 2 .*busy processes.*niceness.*started later'
report same '
	r["verdict"] == "identical" and r["code"] == 0 and r["exit"] == {"code": 0, "signal": None}
	r["argv"] == ["/bin/true"] and len(r["runs"]) == 3 and r["checked"]["pairs"] == 2
	r["checked"]["events"] == r["checked"]["of"] == r["events"] > 10 and r["difference"] is None
	all(run["recorded"] and run["trace"] is None and run["events"] == r["events"] for run in r["runs"])
	r["runs"][0]["varied"] == [] and r["runs"][2]["varied"] == ["load", "time", "cpu", "nice"]
	r["runs"][1]["start"] >= r["runs"][0]["start"] + 1000000000
	r["runs"][1]["busy"] > 0 and r["runs"][0]["nice"] == 0 < r["runs"][1]["nice"]
	r["state_hash"].startswith("sha256:")'
nothing_left same
twin hello 0 -- echo hello
twin seed 0 --vary none --seed 7 -- /bin/true
report seed 'r["seed"] == "7"'
twin fails 0 --vary none -- /bin/false
says fails 'exit status 1$'
report fails 'r["exit"] == {"code": 1, "signal": None}'
twin killed 0 --vary none -- sh -c 'kill -9 $$'
report killed 'r["exit"] == {"code": None, "signal": 9}'
echo first > input
twin input 0 --vary none -- sh -c 'read line; test "$line" = first' < input
report input 'r["exit"]["code"] == 0'
twin append 0 --vary none -- /usr/bin/python3 -c 'import fcntl, os
for fd, flag in (0, os.O_NONBLOCK), (1, os.O_APPEND), (2, os.O_APPEND):
	flags = fcntl.fcntl(fd, fcntl.F_GETFL)
	fcntl.fcntl(fd, fcntl.F_SETFL, flags | flag)' < input
sworn twin --vary none -- /bin/true > "$LOG/plain.out" 2> "$LOG/plain.err" || fail plain "without a report: $?"
[ "$(head -c 10 "$LOG/plain.out")" = identical: ] && [ ! -s "$LOG/plain.err" ] || fail plain "the first word is not the verdict"
sworn twin --vary none --report - -- /bin/true 2> "$LOG/dash.err" | python3 -c 'import json, sys; json.load(sys.stdin)' ||
	fail dash "--report - is no JSON"

# Threads and processes: the seed alone decides their order.
for guest in race many_threads many_processes; do
	twin "seeded_$guest" 0 -- "$GUESTS/$guest"
	nothing_left "seeded_$guest"
done

# Sources of differences.
twin clock 1 --vary none --clock real -- date
differs clock clock ''
echo one > counter
twin file 1 --vary none -- sh -c 'read line < counter; echo "x$line" > counter'
differs file file counter
says file 'events before, the same in both:'
says file '^  next: diff <\(sworn verify'
# One processor: CPUID tells its number, where no processor is named.
first_cpu=$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//')
all_cpus=$(taskset -cp $$ | sed 's/.*: *//')
taskset -cp "$first_cpu" $$ > /dev/null
twin proc 1 --vary time --schedule observed --clock virtual -- sh -c 'read line < /proc/uptime; echo "$line"'
differs proc proc /proc/uptime
twin order 1 --vary load --schedule observed --clock virtual -- "$GUESTS/race"
differs order order ''
taskset -cp "$all_cpus" $$ > /dev/null

# Another directory, environment and, from root, user behind --workdir-as. The directory itself stays as it is.
mkdir -p project && echo content > project/data && cd project || exit 1
namespaces=yes
[ "$(id -u)" -eq 0 ] || unshare -Urm true 2> /dev/null || namespaces=
[[ ,${SWORN_WITHOUT:-}, != *,userns,* ]] || namespaces=
if [ "$namespaces" ]; then
	export PATH=/usr/local/bin:/usr/bin:/bin
	# shellcheck disable=SC2016 # for the guest's shell
	twin workdir 0 -n 3 --workdir-as /work -- sh -c 'pwd; env; ls -la; id; echo more >> data; cat data; echo "$HOME" > made; ls -l made'
	report workdir '
		r["runs"][0]["directory"] != r["runs"][1]["directory"] and r["runs"][2]["user"] == 0
		{"directory", "environment"} <= set(r["runs"][1]["varied"]) and r["exit"]["code"] == 0
		("user" in r["runs"][1]["varied"]) == (__import__("os").getuid() == 0) and "user" not in r["runs"][2]["varied"]'
	[ "$(ls)" = data ] && [ "$(cat data)" = content ] && pass || fail workdir "the directory was changed: $(ls)"
	nothing_left workdir
	twin place 0 --workdir-as /work --vary none -- sh -c 'echo more >> data'
	[ "$(wc -l < data)" -eq 3 ] && pass || fail place "without copies the runs did not work in the directory itself"
	if [ "$(id -u)" -eq 0 ]; then
		echo secret > ../secret && chmod 600 ../secret
		twin user 1 --workdir-as /work --vary user,directory -- cat "$WORK/secret"
		cd .. && differs user user "$WORK/secret" && cd project || exit 1
		says user '^  next: --vary without user'
	else
		skip user "only root can become another user"
	fi
	cd ../temporary || exit 1
	mkdir -p below
	TMPDIR=$PWD/below twin itself 3 --workdir-as /work -- /bin/true
	says itself 'would go into itself.*TMPDIR'
	rm -rf below
else
	skip workdir "this user gets no mount namespace"
fi
cd "$WORK" || exit 1

# Kept traces.
twin keep 0 --vary none -n 3 --keep kept -- /bin/true
sworn verify kept/run-1.sworn kept/run-2.sworn kept/run-3.sworn > "$LOG/kept" 2>&1 || fail keep "the traces are not whole"
sworn replay kept/run-3.sworn > "$LOG/kept" 2>&1 || fail keep "a kept trace does not replay"
nothing_left keep

# No answer is never a good one.
twin missing 3 --vary none -- ./no-such-program
says missing '^could not tell: run 1 of 2 was not recorded: .*not found'
report missing 'r["verdict"] == "could not tell" and r["code"] == 3 and "not found" in r["checked"]["reason"] and r["exit"] is None'
echo text > plain && twin plain 3 --vary none -- ./plain
nothing_left missing
for arguments in '' '--' 'true' '-n 1 -- true' '-n x -- true' '-n 2000 -- true' '--vary moon -- true' '--vary user -- true' '-o t.sworn -- true' \
	'--store s -- true' '--keep' '--no-such-option -- true' '--seed'; do
	status=0
	# shellcheck disable=SC2086 # words
	sworn twin $arguments > "$LOG/usage.out" 2> "$LOG/usage.err" || status=$?
	[ "$status" -eq 2 ] && [ ! -s "$LOG/usage.out" ] && [ -s "$LOG/usage.err" ] && pass ||
		fail usage "sworn twin $arguments: exit status $status, $(cat "$LOG/usage.out" "$LOG/usage.err")"
done
sworn twin --report no/such/report -- touch ran > "$LOG/unwritable" 2>&1
[ $? -eq 2 ] && [ ! -e ran ] && pass || fail unwritable "a report that cannot be written does not stop it"
nothing_left usage

# A signal in the middle: the guest, the recorder, the busy processes and the files are gone.
spinner=spin$$ # no other run of this test has the name
cp /bin/sh "$spinner"
for signal in INT TERM; do
	rm -f started
	env --default-signal=INT timeout -s KILL 100 "$SWORN" twin --report ended.json -- \
		sh -c 'test -e started && exec "./$0" -c "while :; do :; done"; : > started' "$spinner" > "$LOG/ended.out" 2>&1 &
	outer=$!
	for _ in $(seq 1200); do
		pid=$(pgrep -P "$outer" -x sworn) && kill -0 "$pid" && pgrep -x "$spinner" > /dev/null && break
		sleep 0.05
	done
	[ "$pid" ] || { fail "$signal" "it ended by itself: $(head -n 5 "$LOG/ended.out")" && kill "$outer" && continue; }
	children=$(pgrep -P "$pid" | tr '\n' ' ')
	kill -$signal "$pid"
	wait "$outer" 2> /dev/null
	status=$?
	[ "$status" -eq $((128 + $(kill -l $signal))) ] && pass || fail "$signal" "exit status $status"
	for child in $children; do
		[ -e "/proc/$child" ] && fail "$signal" "process $child is left: $(tr '\0' ' ' < "/proc/$child/cmdline")"
	done
	pgrep -x "$spinner" > /dev/null && fail "$signal" "the command is left"
	[ "$(wc -w <<< "$children")" -gt 1 ] && pass || fail "$signal" "there was no load: $children"
	nothing_left "$signal"
	python3 -c 'import json; r = json.load(open("ended.json")); assert r["verdict"] == "could not tell" and r["code"] == 3' ||
		fail "$signal" "the report is not left as it was begun"
done
finish
