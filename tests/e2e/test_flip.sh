#!/bin/bash
# One flipped bit anywhere in a trace is found: `sworn verify` exits with 5 for some 300 positions in
# frames of every kind, `sworn replay` for a dozen of them, and neither says identical or ok.
. "$(dirname "$(realpath "$0")")/lib.sh"

have flip python3 zstd || finish
check_program flipped -- "$GUESTS/args_env" one two
ok_so_far || finish
# Signals and several processes: more kinds of events.
check_program flipped_more -- "$GUESTS/shared_exec"
ok_so_far || finish

cat > "$WORK/flip.py" <<'END'
import os, subprocess, sys
sworn, forge, trace, copy, wanted = *sys.argv[1:5], int(sys.argv[5])
frames = [line.split() for line in
          subprocess.run([sys.executable, "-B", forge, trace, "--frames"], capture_output=True, text=True, check=True).stdout.splitlines()]
kinds = {kind for _, _, kind in frames}
missing = {"HEADER", "INFO", "LINK", "BLOB", "EVENTS", "SUMMARY", "INDEX", "SEAL", "CHECKPOINT"} - kinds
if missing:
    sys.exit(f"the trace has no frame of kind {missing}")
each = max(3, wanted // len(frames))
positions = []
for offset, length, kind in frames:
    offset, length = int(offset), int(length)
    count = min(length, each if kind in ("LINK", "BLOB") else max(each, 12))
    positions += sorted({offset + i * (length - 1) // max(1, count - 1) for i in range(count)})
if len(positions) > 2 * wanted:
    positions = positions[::len(positions) // wanted]
with open(trace, "rb") as file:
    data = file.read()
with open(copy, "wb") as file:
    file.write(data)
bad = 0
for number, position in enumerate(positions):
    bit = 1 << number % 8
    with open(copy, "r+b") as file:
        file.seek(position)
        file.write(bytes([data[position] ^ bit]))
    verbs = ["verify", "replay"] if number % (len(positions) // 12) == 0 else ["verify"]
    for verb in verbs:
        run = subprocess.run([sworn, verb, copy], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        said = (run.stdout + run.stderr).decode(errors="replace")
        if run.returncode != 5 or "identical" in said:
            bad += 1
            print(f"{verb} exits with {run.returncode} for bit {bit:#x} of byte {position} of {trace}: {said.strip()[-200:]}")
    with open(copy, "r+b") as file:
        file.seek(position)
        file.write(data[position:position + 1])
print(f"{len(positions)} positions in {len(frames)} frames, {bad} not refused")
sys.exit(bad > 0 or len(positions) < wanted // 2)
END
for name in flipped flipped_more; do
	if python3 -B "$WORK/flip.py" "$SWORN" "$E2E/../tools/forge.py" "$TRACES/$name.sworn" "$WORK/copy.sworn" 150; then
		pass
	else
		fail "$name" "a changed bit was not found"
	fi
done
# The last flip was taken back: the copy is whole again and must be accepted.
if "$SWORN" verify "$WORK/copy.sworn" > /dev/null 2>&1; then pass; else fail flip "the restored copy is refused"; fi
finish
