#!/bin/bash
# What record and replay tell: the JSON report with its keys on every way out, the text of a
# divergence with the guest's symbols, exit codes and what to do next.
. "$(dirname "$(realpath "$0")")/lib.sh"

have report python3 zstd cc || finish
export LIMIT=30

cat > "$WORK/prog.c" <<'END'
#include <fcntl.h>
#include <unistd.h>

__attribute__((noinline)) static long inner(int fd)
{
	char bytes[64];
	long n = read(fd, bytes, sizeof(bytes));

	return n + write(1, bytes, n); /* line 9 */
}

__attribute__((noinline)) long outer(const char *path)
{
	int fd = open(path, O_RDONLY);
	long n = inner(fd); /* line 15 */

	return n + close(fd);
}

int main(void)
{
	return outer("data") == 0; /* line 22 */
}
END
(cd "$WORK" && cc -g -O1 -fno-optimize-sibling-calls -o prog prog.c && echo 'a needle here' > data) || exit 1
cd "$WORK" || exit 1

# expect NAME STATUS COMMAND...: runs it into NAME.out and NAME.err
expect()
{
	local name=$1 wanted=$2 status=0

	shift 2
	"$@" > "$LOG/$name.out" 2> "$LOG/$name.err" < /dev/null || status=$?
	[ "$status" -eq "$wanted" ] || {
		fail "$name" "exit status $status, not $wanted: $*"
		tail -n 12 "$LOG/$name.out" "$LOG/$name.err" | sed 's/^/    /'
		return 1
	}
	pass
}

# report NAME FILE TEST: Python expressions over the report `r`, one per line, must all hold, as must
# the set of keys
report()
{
	if python3 - "$2" "$3" > "$LOG/$1.check" 2>&1 <<'END'
import json, sys

with open(sys.argv[1]) as file:
    r = json.load(file)
KEYS = {"": "schema kind tool trace tenant domain argv seed recorded events units exit state_hash outputs requires "
            "assumptions isolation usage verdict code checked divergence",
        "tool": "version", "trace": "path digest bytes seal", "outputs": "stdout stderr",
        "usage": "wall_ns cpu_ns bytes", "exit": "code signal",
        "divergence": "tenant unit thread event call where expected actual previous backtrace"}
for name, keys in KEYS.items():
    found = r if name == "" else r[name]
    if found is None and name in ("exit", "divergence"):
        continue
    wanted = set(keys.split()) | ({"status"} if name == "" and r["kind"] == "record" else set())
    assert set(found) == wanted, f"{name}: {sorted(set(found) ^ wanted)}"
assert {"events", "of"} <= set(r["checked"])
assert r["recorded"] is None or {"start", "clock", "epoch"} <= set(r["recorded"])
assert r["schema"] == 1 and r["tenant"] == "0" * 32
for line in sys.argv[2].splitlines():
    assert not line.strip() or eval(line.strip()), f"{line.strip()}: {json.dumps(r, indent=1)}"
END
	then
		pass
	else
		fail "$1" "the report $2 is not as it must be:"
		sed 's/^/    /' "$LOG/$1.check"
	fi
}

# says NAME FILE PATTERN: the file has a line that matches
says()
{
	grep -qE -- "$3" "$LOG/$2" && pass && return
	fail "$1" "$2 does not say '$3':"
	sed 's/^/    /' "$LOG/$2"
}

# A good recording and a good replay.
expect record 0 sworn record --report record.json -o t.sworn -- ./prog || finish
report record record.json '
	r["kind"] == "record" and r["status"] == "ok" and r["verdict"] == "recorded" and r["code"] == 0
	r["argv"] == ["./prog"] and r["exit"] == {"code": 0, "signal": None}
	r["trace"]["path"].endswith("t.sworn") and r["trace"]["bytes"] == __import__("os").path.getsize("t.sworn")
	r["trace"]["digest"] == "sha256:" + __import__("hashlib").sha256(open("t.sworn", "rb").read()).hexdigest()
	r["outputs"]["stdout"] == "sha256:" + __import__("hashlib").sha256(b"a needle here\n").hexdigest()
	r["usage"]["bytes"] == r["trace"]["bytes"] and r["usage"]["wall_ns"] > 0 and r["usage"]["cpu_ns"] > 0
	r["domain"] == "ambient" and r["divergence"] is None'
[ "$(wc -l < "$LOG/record.err")" -eq 1 ] || fail record "more than one line on stderr"
expect verify 0 sworn verify --report verify.json t.sworn
expect replay 0 sworn replay --report replay.json t.sworn
report replay replay.json '
	r["kind"] == "replay" and r["verdict"] == "identical" and r["code"] == 0 and r["divergence"] is None
	r["checked"]["events"] == r["checked"]["of"] == r["events"] > 0 and r["units"] == 1
	r["isolation"].startswith("replay: ")
	all(r[key] == json.load(open("record.json"))[key] for key in ("trace", "argv", "seed", "recorded", "events", "units", "exit", "state_hash", "outputs", "requires", "assumptions", "domain"))
	r["trace"] == json.load(open("verify.json"))["trace"] and r["state_hash"] == json.load(open("verify.json"))["state_hash"]'
says replay replay.out '^tenant default: ([0-9]+) of \1 events, 1 unit, [0-9]+ checkpoints, state sha256:[0-9a-f]{64}, isolation \(.+\): identical$'
expect dash 0 sworn replay --report - t.sworn
report dash "$LOG/dash.out" 'r["verdict"] == "identical"'
says dash dash.err 'identical$'
expect signal 137 sworn record --report signal.json -o s.sworn -- sh -c 'kill -9 $$'
report signal signal.json 'r["exit"] == {"code": None, "signal": 9} and r["code"] == 137 and r["status"] == "ok"'

# A divergence: who, where, what, the five events before and the stack with its lines.
python3 -B "$E2E/../tools/forge.py" t.sworn forged.sworn bytes --containing needle > "$LOG/forge" || finish
expect diverged 1 sworn replay --allow-unsigned --report diverged.json forged.sworn
report diverged diverged.json '
	r["verdict"] == "diverged" and r["code"] == 1 and r["exit"] is None and r["state_hash"] is None
	r["checked"]["events"] == r["divergence"]["event"] == int(open("log/forge").read()) + 1 < r["events"]
	(r["divergence"]["unit"], r["divergence"]["thread"], r["divergence"]["call"]) == (1, 1, "write")
	r["divergence"]["where"].startswith("argument 1") and r["divergence"]["actual"].startswith("oeedle")
	r["divergence"]["expected"].startswith("needle") and len(r["divergence"]["previous"]) == 5
	r["divergence"]["previous"][3].endswith("openat(AT_FDCWD, \"data\", 0, 0) = 3")
	r["divergence"]["previous"][4].endswith("read(3, \"a oeedle here\\n\", 64) = 14")
	__import__("re").fullmatch(r"#0 0x[0-9a-f]+ \w*write\+0x[0-9a-f]+ \(libc.*\)", r["divergence"]["backtrace"][0])
	__import__("re").fullmatch(r"#1 0x[0-9a-f]+ inner at .*prog\.c:9 \(prog\)", r["divergence"]["backtrace"][1])
	__import__("re").fullmatch(r"#2 0x[0-9a-f]+ outer at .*prog\.c:15 \(prog\)", r["divergence"]["backtrace"][2])
	__import__("re").fullmatch(r"#3 0x[0-9a-f]+ main at .*prog\.c:22 \(prog\)", r["divergence"]["backtrace"][3])'
says diverged diverged.out '^tenant default: [0-9]+ of [0-9]+ events, .*: diverged$'
says diverged diverged.out 'first difference at event [0-9]+: tenant default, unit 1, thread 1, write$'
says diverged diverged.out '^    #1 0x[0-9a-f]+ inner at .*prog\.c:9 \(prog\)$'
says diverged diverged.out '^  next: '

# A difference that nothing shows but the state: the page and the bytes, in the mapping that holds them.
cat > silent.c <<'END'
#include <fcntl.h>
#include <unistd.h>

static char before[5000], kept[64];

int main(void)
{
	before[0] = 1;
	return read(open("data", O_RDONLY), kept, sizeof(kept)) == 14 ? 0 : before[0];
}
END
cc -O1 -no-pie -o silent silent.c || exit 1
kept=$(nm silent | awk '$3 == "kept" { print $1 }')
expect silent 0 sworn record -o silent.sworn -- ./silent
expect silent_good 0 sworn replay silent.sworn
python3 -B "$E2E/../tools/forge.py" silent.sworn other.sworn bytes --containing needle > "$LOG/forge" || finish
expect silent_forged 1 sworn replay --allow-unsigned --report silent.json other.sworn
KEPT=$kept report silent_forged silent.json '
	r["divergence"]["where"].startswith("memory at 0x%x " % (int(__import__("os").environ["KEPT"], 16) & ~4095))
	"bytes at 0x%x:" % (int(__import__("os").environ["KEPT"], 16) & ~511) in r["divergence"]["actual"]
	r["divergence"]["expected"].startswith("tag 0x") and r["divergence"]["actual"].startswith("tag 0x")
	r["divergence"]["expected"] != r["divergence"]["actual"][:len(r["divergence"]["expected"])]'
python3 -B "$E2E/../tools/forge.py" t.sworn dropped.sworn drop --containing needle > "$LOG/forge" || finish
expect dropped 1 sworn replay --allow-unsigned dropped.sworn
says dropped dropped.out '^    expected  write\(1, "a needle here\\n", 14\)$'
says dropped dropped.out '^    actual    read\(3, 0x[0-9a-f]+, 64\)$'

# Symbols gone, the files of the program gone: addresses, and the same verdict.
strip -o prog.stripped prog
mv prog prog.full && mv prog.stripped prog
expect stripped 0 sworn record -o t2.sworn -- ./prog
rm prog && mv prog.full prog
python3 -B "$E2E/../tools/forge.py" t2.sworn forged2.sworn bytes --containing needle > "$LOG/forge" || finish
expect stripped 1 sworn replay --allow-unsigned --report stripped.json forged2.sworn
report stripped stripped.json '__import__("re").fullmatch(r"#1 0x[0-9a-f]+ prog\+0x[0-9a-f]+", r["divergence"]["backtrace"][1])'

# Other ways out.
head -c 20000 t.sworn > cut.sworn
expect cut 5 sworn replay --report cut.json cut.sworn
report cut cut.json 'r["verdict"] == "truncated" and r["code"] == 5 and r["checked"]["reason"] and r["argv"] in ([], ["./prog"])'
says cut cut.out '^  next: '
python3 -B "$E2E/../tools/forge.py" t.sworn code.sworn code --containing needle > "$LOG/forge" || finish
expect refused 5 sworn replay --allow-unsigned --report refused.json code.sworn
report refused refused.json 'r["verdict"] == "refused" and r["code"] == 5 and "read(3" in r["checked"]["reason"]'
expect missing 4 sworn replay --report missing.json nowhere.sworn
report missing missing.json 'r["verdict"] == "no trace" and r["code"] == 4 and r["trace"]["path"] == "nowhere.sworn" and r["recorded"] is None'
expect not_found 127 sworn record --report not_found.json -o n.sworn -- ./no-such-program
report not_found not_found.json 'r["status"] == "not_found" and r["code"] == 127 and r["exit"] is None and r["verdict"] == "failed"'
expect not_executable 126 sworn record --report not_executable.json -o n.sworn -- ./data
report not_executable not_executable.json 'r["status"] == "not_executable" and r["code"] == 126'
expect no_place 125 sworn record --report no_place.json -o no/such/place.sworn -- touch ran
report no_place no_place.json 'r["status"] == "setup" and "no/such/place.sworn" in r["checked"]["reason"]'
expect no_counter 125 env SWORN_WITHOUT=pmu timeout -s KILL 30 "$SWORN" record --preempt pmu --report no_counter.json -o n.sworn -- touch ran
report no_counter no_counter.json 'r["status"] == "needs_pmu" and r["code"] == 125 and r["verdict"] == "failed"'
says no_counter no_counter.err 'needs_pmu.*record with'

# A full disk.
mkdir small
if unshare -rm mount -t tmpfs -o size=300k none small 2> /dev/null; then
	expect disk 125 timeout -s KILL 60 unshare -rm sh -c \
		'mount -t tmpfs -o size=300k none small && exec "$0" record --report disk.json -o small/d.sworn -- ./prog' "$SWORN"
	report disk disk.json 'r["status"] == "disk_full" and r["code"] == 125 and r["verdict"] == "failed" and r["events"] > 0'
	says disk disk.err '(event [0-9]+|completed): No space.*--store'
else
	skip disk "no file system of its own can be mounted"
fi

# A report that cannot be written stops everything before it starts; one that fails later is no success.
expect unwritable 2 sworn record --report no/such/report -o u.sworn -- touch ran
says unwritable unwritable.err 'no/such/report.*--report'
expect unwritable 2 sworn replay --report no/such/report t.sworn
if [ -e ran ] || [ -e u.sworn ]; then
	fail unwritable "the command ran all the same"
fi
expect kept 2 sworn record --report t.sworn -- touch ran
expect kept 2 sworn replay --report t.sworn t.sworn
expect kept 3 sworn verify --report t.sworn t.sworn
expect kept 0 sworn verify t.sworn
expect full 125 sworn record --report /dev/full -o full.sworn -- ./prog
expect full 3 sworn replay --report /dev/full t.sworn
says full full.err 'No space'

# Options.
for option in --stop-at --inspect --bogus; do
	expect option 2 sworn replay $option t.sworn
	says option option.err "$option.*--help"
done
expect option 2 sworn record --bogus -- ./prog
says option option.err '--bogus.*--help'
expect jobs 0 sworn replay -j 4 t.sworn
expect jobs 2 sworn replay -j 0 t.sworn
expect help 0 sworn replay --help
says help help.out '--jobs N .*N workers'

# Ended from outside, the report says that it is not known.
expect long 0 sworn record -o long.sworn -- sh -c 'i=0; while [ $i -lt 400000 ]; do i=$((i + 1)); done'
"$SWORN" replay --report killed.json long.sworn > /dev/null 2>&1 &
for _ in $(seq 500); do
	[ -s killed.json ] && break
	sleep 0.01
done
kill -KILL $! && wait $! 2> /dev/null
report killed killed.json 'r["verdict"] in ("could not tell", "identical") and (r["code"] == 3 or r["verdict"] == "identical")'

# What needs a counter, where there is none.
if counts_branches; then
	for _ in 1 2 3 4 5; do
		sworn record --schedule observed --report pmu.json -o pmu.sworn -- "$GUESTS/race" > /dev/null 2>&1 < /dev/null
		grep -q '"requires":\["pmu"\]' pmu.json && break
	done
	if grep -q '"requires":\["pmu"\]' pmu.json; then
		expect pmu 3 env SWORN_WITHOUT=pmu timeout -s KILL 30 "$SWORN" replay --report pmu2.json pmu.sworn
		report pmu pmu2.json 'r["verdict"] == "could not tell" and r["code"] == 3 and r["requires"] == ["pmu"]'
		says pmu pmu.out '^  next: .*--preempt calls'
	else
		skip pmu "no turn was cut"
	fi
else
	skip pmu "no hardware counter"
fi
finish
