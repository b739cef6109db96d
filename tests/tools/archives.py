#!/usr/bin/env python3
"""Makes archives, good and bad, for two verifiers to judge.

    archives.py DIRECTORY COUNT SEED TRACE...

Each archive is one of the TRACEs as it is, or changed: bytes (no hash fits any more), frames (all links and the seal fit again), records, the
fields of HEADER, INFO, SUMMARY and SEAL, with hashes that fit, or what stands behind the seal. Of a signed TRACE all signatures fit again, too, most of the time those
of somebody who is trusted; DIRECTORY/trust says who is. The same SEED makes the same archives. Prints one line for each: its
path and what was done.
"""
import os
import random
import sys

import forge
from forge import decode, encode, frame, labelled, split
from mutate import NUMBERS, mutate_bytes, mutate_events, mutate_frames, rechain
from signing import ATTESTER, NOBODY, RECORDER, TENANT_A, TENANT_B, Signer, is_signed, owned, seal_id, statement, trailer, trust_line


def envelope(whole, kind, payload):
    if forge.SIGNER:
        return frame(kind, forge.SIGNER.envelope(kind.lower(), payload))
    (protected, unprotected, _, _), _ = decode(whole, 8)
    payload = encode(payload)
    return frame(kind, encode([protected, unprotected, payload, labelled("sworn/1/unsigned", protected, payload)]))


def changed(rng, value):
    """Another value: of the same kind most of the time."""
    if isinstance(value, int):
        return rng.choice([value + 1, value ^ 1, rng.choice(NUMBERS), -1, b"", ""])
    if isinstance(value, bytes):
        flipped = bytes([value[0] ^ 1]) + value[1:] if value else b"\0"
        return rng.choice([flipped, bytes(len(value)), value[:-1], value + b"x", 0, []])
    if isinstance(value, str):
        return rng.choice([value + "x", "pmu", "x" * 4097, b"", 7, value.encode() or b"x"])
    if isinstance(value, list):
        return rng.choice([value + ["pmu"], value + ["quantum"], ["x86-64-v3"], ["pmu", "x86-64-v4"], value[1:], value * 2, [[]], 0, {}])
    return rng.choice([{**value, 3: 1}, {**value, 2: 3}, {**value, 4: 0}, {}, 0])


def change_map(rng, item):
    key = rng.choice(sorted(item))
    what = rng.randrange(8)
    if what == 0:
        del item[key]
    elif what == 1:
        item[rng.choice([12, 13, 14, 23])] = rng.choice([0, 1, bytes(32), [], {}])
    else:
        item[key] = changed(rng, item[key])
    return key


def change_fields(rng, data):
    """One field of one of the frames that hold no events; everything that depends on it fits again."""
    frames = [[kind, whole] for kind, _, whole in split(data)]
    kind = rng.choice(["HEADER", "INFO", "SUMMARY", "SEAL", "SEAL", "INDEX"])
    at = next(i for i, (found, _) in enumerate(frames) if found == kind)
    whole = frames[at][1]
    if kind in ("INFO", "SUMMARY", "INDEX"):
        item, _ = decode(whole, 8)
        key = change_map(rng, item)
        frames[at][1] = frame(kind, encode(item))
        return f"field {key} of {kind}", rechain(frames)
    data = rechain(frames)
    item, _ = decode(decode(whole, 8)[0][2])
    key = change_map(rng, item)
    frames[at][1] = envelope(whole, kind, item)
    if kind == "SEAL":
        return f"field {key} of {kind}", b"".join(whole for _, whole in frames)
    return f"field {key} of {kind}", rechain(frames)


def newer(rng, data):
    """What a later version might write: another version, table or word."""
    frames = [[kind, whole] for kind, _, whole in split(data)]
    kind = rng.choice(["HEADER", "INFO", "SUMMARY"])
    at = next(i for i, (found, _) in enumerate(frames) if found == kind)
    whole = frames[at][1]
    if kind == "HEADER":
        header, _ = decode(decode(whole, 8)[0][2])
        key = rng.choice([0, 3, 4, 5, 6])
        header[key] = 2 if key == 0 else rng.randbytes(32)
        frames[at][1] = envelope(whole, kind, header)
    else:
        item, _ = decode(whole, 8)
        item[0] = 1000 if kind == "INFO" else item[0] + ["quantum"]
        frames[at][1] = frame(kind, encode(item))
    return f"a newer {kind}", rechain(frames)


def change_behind(rng, data):
    """Another trailer, or one that is not right."""
    frames = [[kind, whole] for kind, _, whole in split(data)]
    body = rechain(frames)
    seal = seal_id(next(whole for kind, _, whole in split(body) if kind == "SEAL"))
    owner = rng.choice([TENANT_A, TENANT_A, TENANT_B, NOBODY])
    name, fields = statement(rng, seal)
    choice = rng.randrange(10)
    if choice == 0:
        fields[1] = rng.randbytes(32)
    elif choice == 1:
        return "a trailer twice", body + 2 * trailer(owner, name, fields)
    elif choice == 2:
        return "a trailer with another key", body + trailer(owner, name, fields, owned(RECORDER, owner))
    elif choice == 3:
        change_map(rng, fields)
    elif choice == 4:
        return "damaged trailer", body + mutate_bytes(rng, trailer(owner, name, fields))[1]
    elif choice == 5:
        pieces = [whole for _, _, whole in split(body)]
        at = rng.randrange(len(pieces))
        return "a trailer inside", b"".join(pieces[:at]) + trailer(owner, name, fields) + b"".join(pieces[at:])
    elif choice == 6:
        count = rng.choice([63, 64, 65])
        return "%d trailers" % count, body + b"".join(trailer(owner, "signature", {0: 1, 1: seal, 2: at}) for at in range(count))
    return "a trailer", body + trailer(owner, name, fields)


def signed(rng, data):
    """Who signs what is made of this one; None when nobody signed it."""
    if not is_signed(data):
        return None
    makers = [(TENANT_A, TENANT_A, TENANT_A)] * 8 + [(TENANT_B,) * 3, (TENANT_A, TENANT_B, TENANT_B), (TENANT_A, NOBODY, NOBODY),
                                                     (TENANT_A, NOBODY, TENANT_A)]
    return Signer(rng, *rng.choice(makers))


def archive(rng, data):
    choice = rng.randrange(27)
    forge.SIGNER = signed(rng, data)
    if choice > 22:
        return change_behind(rng, data)
    if choice == 20:
        return newer(rng, data)
    if choice == 21:
        return "more behind the end", data + rng.choice([b"x", bytes(8), data, frame("INFO", b""), split(data)[-1][2]])
    if choice == 22:
        return "cut behind a frame", b"".join(whole for _, _, whole in split(data)[:rng.randrange(20)])
    if choice == 0:
        return "as it is", rechain([[kind, whole] for kind, _, whole in split(data)])
    if choice < 6:
        return mutate_bytes(rng, data)
    if choice < 12:
        return mutate_frames(rng, data)
    if choice < 15:
        return mutate_events(rng, data)[:2]
    return change_fields(rng, data)


def main():
    directory, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(os.path.join(directory, "trust"), "w", encoding="ascii") as file:
        for owner in (TENANT_A, TENANT_B):
            file.write(trust_line(RECORDER, owner) + "\n" + trust_line(ATTESTER, owner) + "\n")
    traces = []
    for path in sys.argv[4:]:
        with open(path, "rb") as file:
            traces.append(file.read())
    for number in range(count):
        rng = random.Random(seed << 32 | number)
        what, data = archive(rng, traces[number % len(traces)])
        path = os.path.join(directory, "%05d.sworn" % number)
        with open(path, "wb") as file:
            file.write(data)
        print(path, what)


if __name__ == "__main__":
    main()
