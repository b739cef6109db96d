#!/usr/bin/env python3
"""Changes one thing in a trace and makes every link, index entry, hash and seal fit again.

What comes out is unsigned, since nobody else has the keys: whoever accepts it without a signature has a trace
that only a replay can refute. docs/FORMAT.md is the specification. Needs the zstd program.

    forge.py TRACE OUT WHAT [--call NAME] [--containing TEXT]
    forge.py TRACE --frames             prints offset, length and kind of every frame

WHAT names the change. Those of a call take the first event of --call (default read) that has an OUT
payload with TEXT in it: bytes (its first letter), address (moved out of the buffer), code (moved into
the program's text), longer (than the result), length (one byte more than the buffer has), result, ip,
drop. Others: checkpoint, state, status, and nothing, which only takes the signatures away.
"""
import argparse
import hashlib
import os
import struct
import subprocess
import sys
import tempfile

KINDS = {0x184D2A50: "HEADER", 0x184D2A51: "INFO", 0x184D2A52: "LINK", 0x184D2A53: "BLOB",
         0x184D2A54: "SUMMARY", 0x184D2A55: "INDEX", 0x184D2A56: "SEAL", 0x184D2A57: "CHECKPOINT",
         0x184D2A58: "TRAILER", 0xFD2FB528: "EVENTS"}
MAGIC = {name: magic for magic, name in KINDS.items()}
CALLS = {"read": 0, "pread64": 17, "write": 1}
CALL, EXEC, CHECKPOINT, END = 0, 3, 9, 12
OUT = 2
PROT_EXEC = 4


def encode(value):
    """Deterministic CBOR of int, bytes, str, list and dict."""
    def head(major, number):
        for size, code, form in ((24, None, None), (1 << 8, 24, ">B"), (1 << 16, 25, ">H"), (1 << 32, 26, ">I")):
            if number < size:
                return bytes([major << 5 | (number if code is None else code)]) + (
                    b"" if code is None else struct.pack(form, number))
        return bytes([major << 5 | 27]) + struct.pack(">Q", number)

    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(encode, value))
    return head(5, len(value)) + b"".join(encode(key) + encode(value[key]) for key in sorted(value))


def decode(data, at=0):
    """One value at `at`, and where it ends."""
    major, number = data[at] >> 5, data[at] & 31
    at += 1
    if number >= 24:
        size = 1 << (number - 24)
        number = int.from_bytes(data[at:at + size], "big")
        at += size
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        piece = bytes(data[at:at + number])
        return (piece if major == 2 else piece.decode()), at + number
    items = []
    for _ in range(number * (2 if major == 5 else 1)):
        item, at = decode(data, at)
        items.append(item)
    return (items if major == 4 else dict(zip(items[::2], items[1::2]))), at


def digest(data):
    return hashlib.sha256(data).digest()


def labelled(label, *parts):
    return digest(encode([label, *parts]))


def commit(what, value):
    return labelled("sworn/1/commit", what, b"", value)


def zstd(data, *options):
    """Runs the zstd program on a file, so that the frame says how long its content is."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return subprocess.run(["zstd", "-q", "-c", *options, file.name], stdout=subprocess.PIPE, check=True).stdout


def zstd_length(data, at):
    """Length of the zstd frame at `at`: RFC 8878 section 3.1.1, without a dictionary."""
    descriptor = data[at + 4]
    single = descriptor >> 5 & 1
    size = (0, 2, 4, 8)[descriptor >> 6] or (1 if single else 0)
    end = at + 5 + (0 if single else 1) + size
    while True:
        block = int.from_bytes(data[end:end + 3], "little")
        end += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
        if block & 1:
            return end + (4 if descriptor & 4 else 0) - at


def split(data):
    """The frames: [kind, offset, whole frame]."""
    frames, at = [], 0
    while at < len(data):
        magic, length = struct.unpack_from("<II", data, at)
        kind = KINDS[magic]
        size = zstd_length(data, at) if kind == "EVENTS" else 8 + length
        frames.append([kind, at, data[at:at + size]])
        at += size
    return frames


def frame(kind, content):
    return struct.pack("<II", MAGIC[kind], len(content)) + content


def merkle(leaves):
    """RFC 9162 section 2.1.1."""
    if not leaves:
        return digest(b"")
    if len(leaves) == 1:
        return digest(b"\0" + leaves[0])
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return digest(b"\1" + merkle(leaves[:half]) + merkle(leaves[half:]))


SIGNER = None  # who signs what is made (signing.py); None: nobody


def envelope(whole, change):
    """The content of a HEADER or SEAL frame, its payload changed by a function, without a signature or with the SIGNER's."""
    (protected, unprotected, payload, _), _ = decode(whole, 8)
    fields, _ = decode(payload)
    name = decode(protected)[0][16].split(".")[-1].split("+")[0]
    if SIGNER and name == "header":
        fields.update({2: SIGNER.tenant, 3: bytes(32)})
    change(fields)
    if SIGNER:
        return SIGNER.envelope(name, fields)
    protected = encode({**decode(protected)[0], 4: bytes(32)})
    payload = encode(fields)
    return encode([protected, unprotected, payload, labelled("sworn/1/unsigned", protected, payload)])


def unsigned(data):
    """The same trace without signatures, checkpoints and trailers."""
    return Trace(data).sealed()


class Trace:
    """A decoded trace: frames as they are, less what only signatures give a meaning; events as maps."""

    def __init__(self, data):
        self.frames = [frame for frame in split(data) if frame[0] not in ("CHECKPOINT", "TRAILER")]
        self.events = []  # [frame number, record]
        for number, (kind, _, whole) in enumerate(self.frames):
            if kind != "EVENTS":
                continue
            raw, at = zstd(whole, "-d"), 0
            while at < len(raw):
                record, at = decode(raw, at)
                self.events.append([number, record])

    def block(self, number):
        return b"".join(encode(record) for where, record in self.events if where == number)

    def sealed(self):
        """All frames again, with everything that depends on the events computed anew."""
        out, moved, leaves = b"", {}, []
        last = events = 0
        for number, (kind, offset, whole) in enumerate(self.frames):
            moved[offset] = len(out)
            if kind == "HEADER":
                whole = frame(kind, envelope(whole, lambda fields: fields.update({3: bytes(32)})))
                last = header = labelled("sworn/1/header", digest(whole))
            elif kind == "EVENTS":
                raw = self.block(number)
                if raw != zstd(whole, "-d"):
                    whole = zstd(raw, "-1", "--check", "--single-thread")
            elif kind == "INDEX":
                whole = frame(kind, self.index(whole, moved))
            elif kind == "LINK":
                link, _ = decode(whole, 8)
                before = self.frames[number - 1][0]
                if before == "EVENTS":
                    link[6] = len(self.block(number - 1))
                    link[5] = sum(1 for where, _ in self.events if where == number - 1)
                link[2], link[3], link[4], link[7] = len(stored), digest(stored), events, last
                events += link[5]
                leaves.append(encode(link))
                last = labelled("sworn/1/link", leaves[-1])
                whole = frame(kind, leaves[-1])
            elif kind == "SEAL":
                whole = frame(kind, self.seal(whole, {0: header, 1: last, 2: len(leaves), 3: events,
                                                      4: len(out), 5: merkle(leaves)}))
            stored = whole
            out += whole
        return out

    def index(self, whole, moved):
        index, _ = decode(whole, 8)
        first, at = {}, 0
        for kind, offset, _ in self.frames:
            if kind == "EVENTS":
                first[offset] = at
                number = next(i for i, f in enumerate(self.frames) if f[1] == offset)
                at += sum(1 for where, _ in self.events if where == number)
        index[0] = [[moved[offset], first[offset]] for offset, _ in index[0]]
        index[1] = [[name, size, moved[offset]] for name, size, offset in index[1]]
        return encode(index)

    def seal(self, whole, fields):
        end = self.events[-1][1]
        if end.get(0) == END:
            fields[6] = commit("state", end.get(16, bytes(32)))
            fields[7] = commit("outputs", labelled("sworn/1/outputs", encode(end.get(17, []))))
        return envelope(whole, lambda manifest: manifest.update(fields))

    def find(self, call, text):
        """First event of the call with TEXT in an OUT payload: index and payload."""
        for i, (_, record) in enumerate(self.events):
            if record.get(0, CALL) != CALL or record.get(4, 0) != CALLS[call]:
                continue
            for payload in record.get(9, []):
                if payload[1] == OUT and text in payload[3]:
                    return i, payload
        sys.exit(f"forge: no {call} with {text!r} in its OUT payload")


def flip(value):
    return bytes([value[0] ^ 1]) + value[1:]


def change(trace, what, call, text):
    """Applies one change; says which event it is in."""
    if what == "nothing":
        return 0
    if what in ("checkpoint", "state", "status"):
        kind = CHECKPOINT if what == "checkpoint" else END
        i, record = next((i, r) for i, (_, r) in enumerate(trace.events) if r.get(0, CALL) == kind)
        if what == "status":
            record[13] = record.get(13, 0) ^ 0x100
        else:
            record[16] = flip(record[16])
        return i
    i, payload = trace.find(call, text)
    record = trace.events[i][1]
    if what == "bytes":
        at = payload[3].index(text)
        payload[3] = payload[3][:at] + flip(payload[3][at:])
    elif what == "address":
        payload[2] -= 1 << 20
    elif what == "code":
        mappings = next(r[10] for _, r in trace.events if r.get(0, CALL) == EXEC)
        payload[2] = next(m[0] for m in mappings if m.get(2, 0) & PROT_EXEC)
    elif what == "longer":
        payload[3] += b"!" * 100
    elif what == "length":
        payload[3] = payload[3].ljust(record[5][2] + 1, b"!")
    elif what == "result":
        record[6] -= 1
    elif what == "ip":
        record[2] += 1
    elif what == "drop":
        del trace.events[i]
    else:
        sys.exit(f"forge: no change is called {what}")
    return i


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace")
    parser.add_argument("out", nargs="?")
    parser.add_argument("what", nargs="?")
    parser.add_argument("--frames", action="store_true")
    parser.add_argument("--call", default="read", choices=sorted(CALLS))
    parser.add_argument("--containing", default="")
    options = parser.parse_args()
    with open(options.trace, "rb") as file:
        data = file.read()
    if options.frames:
        for kind, offset, whole in split(data):
            print(offset, len(whole), kind)
        return
    if not options.what:
        parser.error("OUT and WHAT are missing")
    is_signed = decode(decode(data, 8)[0][0])[0][4] != bytes(32)
    trace = Trace(data)
    if trace.sealed() != (unsigned(trace.sealed()) if is_signed else data):
        sys.exit("forge: this trace does not come out as it was before any change")
    number = change(trace, options.what, options.call, options.containing.encode())
    with open(options.out, "wb") as file:
        file.write(trace.sealed())
    os.chmod(options.out, 0o644)
    print(number)


if __name__ == "__main__":
    main()
