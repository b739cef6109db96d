#!/usr/bin/env python3
"""Damages a trace in thousands of ways and looks at what `sworn verify` and `sworn replay` say.

    mutate.py SWORN TRACE DIRECTORY COUNT [SEED]

Three kinds of damage take turns. `bytes`: the file is changed as it is, so a hash cannot fit any more, and
only exit status 5 will do. `frames`: frames are changed and every link and seal is made to fit again, so
the grammar, the limits and the content have to be checked. `events`: records are changed in a trace that
fits in every hash, which verify may accept and replay has to find out. The latter two are not signed, and accepted so. Whatever the damage: no signal, no sanitizer
report, no more than MEMORY_MAX and SECONDS_MAX, and a status that the manual has. A failure prints its number and leaves
its trace in DIRECTORY; the same SEED repeats it.
"""
import os
import random
import resource
import struct
import subprocess
import sys
import time

import forge
import signing
from forge import CALL, CHECKPOINT, Trace, commit, decode, digest, encode, envelope, frame, labelled, merkle, split, unsigned, zstd

MEMORY_MAX = 400 << 20
SECONDS_MAX = 40
OK, DIVERGED, UNKNOWN, INTEGRITY = 0, 1, 3, 5
TURN, MEMORY = 2, 11  # kinds of events
NUMBERS = [0, 1, 23, 24, 255, 4095, 4096, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 47) - 4096, 1 << 47,
           (1 << 63) - 1, 1 << 63, (1 << 64) - 4096, (1 << 64) - 1]
# Deterministic CBOR heads that promise more than any file has, and deep nesting.
BOMBS = [bytes([major << 5 | 27]) + b"\xff" * 8 for major in (2, 3, 4, 5)] + [
    bytes([0x5a]) + b"\xff" * 4, b"\x81" * 70000, b"\xa1\x00" * 70000, b"\x9b" + struct.pack(">Q", 1 << 32), b"\xbf", b"\x5f"]


def rechain(frames, keep=()):
    """The frames [kind, bytes] with links that fit them. LINK fields in `keep` stay as they are."""
    out, leaves, events, last, header = b"", [], 0, bytes(32), bytes(32)
    stored = seal = b""
    for kind, whole in frames:
        if kind == "HEADER":
            if len(frames) > 1 and frames[1][0] == "INFO":
                whole = header_of(whole, frames[1][1])
            last = header = labelled("sworn/1/header", digest(whole))
        elif kind == "LINK":
            link, _ = decode(whole, 8)
            fresh = {0: len(leaves), 2: len(stored), 3: digest(stored), 4: events, 7: last}
            link.update({key: value for key, value in fresh.items() if key not in keep})
            if stored[:4] != b"\x28\xb5\x2f\xfd" and link[1] != 2 and 6 not in keep:
                link[6] = len(stored) - 8
            events = (events + link[5]) % (1 << 64)
            leaves.append(encode(link))
            last = labelled("sworn/1/link", leaves[-1])
            whole = frame(kind, leaves[-1])
        elif kind == "SEAL":
            summary = [w for k, w in frames if k == "SUMMARY"]
            whole = frame(kind, seal_of(whole, {0: header, 1: last, 2: len(leaves), 3: events, 4: len(out), 5: merkle(leaves),
                                                8: commit("limits-of-proof", digest(summary[-1])) if summary else bytes(32)}))
            seal = whole
        elif kind in ("CHECKPOINT", "TRAILER") and forge.SIGNER:
            whole = behind(kind, whole, {0: header, 1: last, 2: len(leaves), 3: events, 4: len(out)}, seal)
        stored = whole
        out += whole
    return out


def behind(kind, whole, fields, seal):
    """A CHECKPOINT or TRAILER that fits, if it was one."""
    try:
        if kind == "TRAILER":
            return signing.resigned(whole, signing.seal_id(seal))
        return frame(kind, envelope(whole, lambda checkpoint: checkpoint.update(fields)))
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError):
        return whole


def header_of(whole, info):
    return frame("HEADER", envelope(whole, lambda header: header.update({7: commit("private", digest(info))})))


def seal_of(whole, fields):
    return envelope(whole, lambda manifest: manifest.update(fields))


def shaken(rng, data):
    """Bytes, damaged: a bit, a byte, a piece less, more, or of something else."""
    if not data:
        return rng.choice(BOMBS)
    at = rng.randrange(len(data))
    length = rng.choice([1, 2, 8, 100, len(data)])
    return rng.choice([
        lambda: data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:],
        lambda: data[:at] + rng.randbytes(1) + data[at + 1:],
        lambda: data[:at] + data[at + length:],
        lambda: data[:at] + data[at:at + length] + data[at:],
        lambda: data[:at],
        lambda: data[:at] + rng.choice(BOMBS) + data[at:],
        lambda: data[:at] + rng.choice(BOMBS),
        lambda: data[:at] + struct.pack(rng.choice(["<Q", ">Q"]), rng.choice(NUMBERS)) + data[at + 8:]])()


def mutate_bytes(rng, data):
    frames = [whole for _, _, whole in split(data)]
    i, j = rng.randrange(len(frames)), rng.randrange(len(frames))
    choice = rng.randrange(7)
    if choice == 0:
        return "cut", data[:rng.randrange(len(data))]
    if choice == 1:
        return "cut behind a frame", b"".join(frames[:i])
    if choice == 2:
        return "a frame less", b"".join(frames[:i] + frames[i + 1:])
    if choice == 3:
        return "a frame twice", b"".join(frames[:i + 1] + frames[i:])
    if choice == 4 and frames[i] != frames[j]:
        frames[i], frames[j] = frames[j], frames[i]
        return "frames swapped", b"".join(frames)
    if choice == 5:
        size = rng.choice([value for value in NUMBERS if value < 1 << 32])
        frames[i] = frames[i][:4] + struct.pack("<I", size) + frames[i][8:]
        return "the length of a frame", b"".join(frames)
    frames[i] = shaken(rng, frames[i])
    return "bytes of a frame", b"".join(frames)


def bomb(rng):
    """A zstd frame that grows far beyond what its place allows."""
    raw = bytes(1 << rng.choice([21, 24, 26]))
    return zstd(raw, "-1", "--check", "--single-thread"), len(raw)


def mutate_frames(rng, data):
    frames = [[kind, whole] for kind, _, whole in split(unsigned(data))]
    i = rng.randrange(len(frames))
    kind, whole = frames[i]
    choice = rng.randrange(6)
    if choice == 0:
        i = rng.choice([k for k, (kind, _) in enumerate(frames) if kind in ("EVENTS", "BLOB")])
        whole, length = bomb(rng)
        if frames[i][0] == "BLOB":
            head = decode(frames[i][1], 8)[1]
            whole = frame("BLOB", frames[i][1][8:head] + whole)
        frames[i][1] = whole
        link, _ = decode(frames[i + 1][1], 8)
        link[6] = rng.choice([length, link[6], 1 << 20, (1 << 64) - 1])
        frames[i + 1][1] = frame("LINK", encode(link))
        return "a bomb", rechain(frames)
    if choice == 1:
        i = rng.choice([k for k, (kind, _) in enumerate(frames) if kind == "LINK"])
        link, _ = decode(frames[i][1], 8)
        key = rng.choice(list(link))
        if isinstance(link[key], int):
            link[key] = rng.choice(NUMBERS)
        else:
            link[key] = rng.randbytes(rng.choice([0, 31, 32, 33]))
        frames[i][1] = frame("LINK", encode(link))
        return f"field {key} of a LINK", rechain(frames, (key,))
    if choice == 2 and kind not in ("HEADER", "LINK", "SEAL"):
        return "a frame and its LINK less", rechain(frames[:i] + frames[i + 2:])
    if choice == 3 and kind not in ("HEADER", "LINK", "SEAL"):
        return "a frame and its LINK twice", rechain(frames[:i + 2] + frames[i:])
    if choice == 4 and kind in ("EVENTS", "BLOB") and i + 3 < len(frames):
        frames[i:i + 4] = frames[i + 2:i + 4] + frames[i:i + 2]
        return "frames swapped with their LINKs", rechain(frames)
    if kind in ("HEADER", "LINK", "SEAL"):
        i = 1
        kind, whole = frames[i]
    frames[i][1] = frame(kind, shaken(rng, whole[8:])) if kind != "EVENTS" else whole[:4] + shaken(rng, whole[4:])
    return f"the content of {kind}", rechain(frames)


def changed(rng, value):
    """A value of a record, changed."""
    if isinstance(value, int):
        return rng.choice([value ^ 1, value + 1, max(value - 1, 0), value ^ 1 << rng.randrange(40), rng.choice(NUMBERS)])
    if isinstance(value, bytes):
        return shaken(rng, value)[:1 << 18]
    if isinstance(value, dict):
        key = rng.choice(list(value)) if value else 0
        return {**value, key: changed(rng, value.get(key, 0))}
    if not value:
        return [rng.choice(NUMBERS)]
    i = rng.randrange(len(value))
    return rng.choice([lambda: value[:i] + value[i + 1:], lambda: value + [value[i]],
                       lambda: value[:i] + [changed(rng, value[i])] + value[i + 1:],
                       lambda: value[:i] + [changed(rng, value[i])] + value[i + 1:]])()


def mutate_events(rng, data):
    trace = Trace(data)
    events = trace.events
    i = rng.randrange(len(events))
    record = other = events[i][1]
    choice = rng.randrange(10)
    if choice == 0:
        del events[i]
        what = "dropped"
    elif choice == 1:
        events.insert(i, [events[i][0], dict(record)])
        what = "doubled"
    elif choice == 2 and i:
        other = events[i - 1][1]
        events[i][1], events[i - 1][1] = other, record
        what = "swapped"
    elif choice == 3:
        j = rng.randrange(len(events))
        events[i][1] = dict(events[j][1])
        what = f"replaced by {j}"
    else:
        key = rng.choice(list(record) or [0])
        record[key] = changed(rng, record.get(key, 0))
        what = f"field {key} changed"
        if record[key] == 0:
            del record[key]
    # What came from outside may be anything else as well: a result, bytes, a siginfo. Turns, states and
    # foreign writes may come earlier, later or twice, where they name the same places.
    kinds = {moved.get(0, CALL) for moved in (record, other)}
    if what.startswith("field"):
        return f"event {i} {what}", trace.sealed(), record.get(0, CALL) != CALL or key not in (2, 3, 4, 5)
    return f"event {i} {what}", trace.sealed(), bool(kinds & {TURN, CHECKPOINT, MEMORY})


def limits():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(sworn, verb, path):
    """Exit status, what was said, resident memory and seconds."""
    start = time.monotonic()
    with subprocess.Popen([sworn, verb, "--allow-unsigned", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          preexec_fn=limits) as process:
        try:
            said, _ = process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            return None, b"timeout", SECONDS_MAX
    return process.returncode, said, time.monotonic() - start


def wrong(sworn, path, allowed):
    """What is wrong with how the trace is taken, or nothing."""
    for verb, statuses in allowed.items():
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        status, said, seconds = run(sworn, verb, path)
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        text = said.decode(errors="replace")
        if status not in statuses or "Sanitizer" in text or "runtime error" in text or "Assertion" in text:
            return f"{verb} exits with {status} after {seconds:.1f} s: {text.strip()[-400:]}"
        if status and not text.strip():
            return f"{verb} exits with {status} and says nothing"
        if memory > before and memory << 10 > MEMORY_MAX:
            return f"{verb} took {memory >> 10} MiB"
    return None


def mutation(rng, data, number):
    """What was done, the trace, and the statuses allowed for each verb."""
    if number % 4 < 2:
        what, out = mutate_bytes(rng, data)
        return what, out, {"verify": {INTEGRITY}, **({"replay": {INTEGRITY}} if number % 40 == 0 else {})}
    if number % 4 == 2:
        what, out = mutate_frames(rng, data)
        return what, out, {"verify": {OK, UNKNOWN, INTEGRITY}}
    what, out, harmless = mutate_events(rng, data)
    return what, out, {"verify": {OK, INTEGRITY},
                       "replay": {DIVERGED, UNKNOWN, INTEGRITY} | ({OK} if harmless else set())}


def main():
    sworn, path, directory, count = *sys.argv[1:4], int(sys.argv[4])
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    with open(path, "rb") as file:
        data = file.read()
    if rechain([[kind, whole] for kind, _, whole in split(data)]) != data or Trace(data).sealed() != data:
        sys.exit("mutate: this trace does not come out as it was before any change")
    bad = same = 0
    for number in range(count):
        rng = random.Random(seed << 32 | number)
        what, out, allowed = mutation(rng, data, number)
        if out == data:
            same += 1
            continue
        place = os.path.join(directory, f"mutated-{seed}-{number}.sworn")
        with open(place, "wb") as file:
            file.write(out)
        fault = wrong(sworn, place, allowed)
        if fault:
            bad += 1
            print(f"{place}: {what}: {fault}", flush=True)
        else:
            os.unlink(place)
    print(f"{count - same} changed traces, {bad} not taken as they should be")
    sys.exit(bad > 0 or same > count // 10)


if __name__ == "__main__":
    main()
