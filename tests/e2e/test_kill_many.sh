#!/bin/bash
# A recorder killed at KILLS random moments of a workload of several processes: within a second all of its
# guests are gone, what is left is truncated or not there, and replays as far as it goes.
. "$(dirname "$(realpath "$0")")/lib.sh"

have kill_many python3 || finish

cat > "$WORK/busy.sh" <<'END'
(while :; do seq 1 300 | sort -r | tail -n 1; done) &
(while :; do :; done) &
"$1" > /dev/null
sleep 1000 &
for i in $(seq 1 1000000); do echo "$i"; done
END

if python3 - "$SWORN" "$TRACES/killed.sworn" "${KILLS:-50}" "${SEED:-1}" bash "$WORK/busy.sh" "$GUESTS/many_threads" \
	> "$LOG/kills" 2>&1 << 'END_OF_PYTHON'
import ctypes, os, random, signal, subprocess, sys, time

assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
sworn, trace, count, seed, *command = sys.argv[1:]
random.seed(int(seed))
partial = trace + ".partial"
worst = replayed = absent = 0

def check(verb, *options):
    run = subprocess.run([sworn, verb, *options, partial], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, timeout=100)
    return run.returncode, run.stdout.decode(errors="replace")

for number in range(int(count)):
    if os.path.exists(partial):
        os.unlink(partial)
    delay = random.uniform(0, 1.5 if number % 5 == 0 else 0.4)
    process = subprocess.Popen([sworn, "record", "--schedule", "observed", "-o", trace, "--", *command], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    process.kill()
    start = time.monotonic()
    process.wait()
    while True:  # whatever lost its parent is a child of this process now
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG | 0x40000000)  # __WALL
        except ChildProcessError:
            break
        if not pid:
            assert time.monotonic() < start + 5, f"kill {number} after {delay:.3f} s: guests live on five seconds later"
            time.sleep(0.001)
    worst = max(worst, time.monotonic() - start)
    assert not os.path.exists(trace), f"kill {number} after {delay:.3f} s: an unfinished trace has the final name"
    if not os.path.exists(partial):
        absent += 1
        continue
    status, said = check("verify")
    assert status == 5 and "truncated" in said, f"kill {number} after {delay:.3f} s: verify exits with {status}: {said}"
    whole = check("verify", "--allow-truncated")[0]
    status, said = check("replay", "--allow-truncated")
    expected = "identical prefix" if whole == 0 else "truncated"
    assert status == whole and expected in said, f"kill {number} after {delay:.3f} s: replay exits with {status}: {said}"
    replayed += whole == 0
print(f"{replayed} prefixes replayed, {absent} kills before there was a trace; all gone after {worst * 1000:.0f} ms at worst")
assert replayed > 0
END_OF_PYTHON
then
	pass
	tail -n 1 "$LOG/kills"
else
	fail kill_many "$(tail -n 4 "$LOG/kills"); the rest is kept in $TRACES"
fi
finish
