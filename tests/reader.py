#!/usr/bin/python3
"""A second reader of Sworn traces, written from docs/FORMAT.md alone.

usage: reader.py [--store DIR] [--key PUBLIC-KEY] TRACE     lists the events as `sworn verify --list` does

Checks all that the format says a reader checks and exits 1 with one line on stderr otherwise; the HEADER's signature with
--key only.
Needs python3-cbor2 and the zstd command.
"""
import hashlib
import os
import struct
import subprocess
import sys

import cbor2

MAGICS = {0x184D2A50 + i: name for i, name in enumerate(
    ["HEADER", "INFO", "LINK", "BLOB", "SUMMARY", "INDEX", "SEAL", "CHECKPOINT"])}
ZSTD_MAGIC = 0xFD2FB528
LINK_KINDS = ["INFO", "EVENTS", "BLOB", "SUMMARY", "INDEX"]
CONTENT_MAX = {"HEADER": 4096, "INFO": 16 << 20, "LINK": 512, "BLOB": (1 << 20) + (64 << 10),
               "SUMMARY": 16 << 20, "INDEX": 64 << 20, "SEAL": 4096, "CHECKPOINT": 4096}
RAW_MAX = 17 << 20
CHUNK = 1 << 20
U32, U64 = (1 << 32) - 1, (1 << 64) - 1
ZEROS = bytes(32)


class Refused(Exception):
    pass


def require(condition, text):
    if not condition:
        raise Refused(text)


def sha256(data):
    return hashlib.sha256(data).digest()


def well_formed(item):
    """Whether the item is of the subset that the format allows."""
    if isinstance(item, bool):
        return False
    if isinstance(item, int):
        return -(1 << 63) <= item <= U64
    if isinstance(item, bytes):
        return True
    if isinstance(item, str):
        return all(0x20 <= ord(c) <= 0x7E for c in item)
    if isinstance(item, list):
        return all(well_formed(x) for x in item)
    if isinstance(item, dict):
        return all(isinstance(k, int) and not isinstance(k, bool) and 0 <= k <= 23 and
                   well_formed(v) for k, v in item.items())
    return False


def encode(item):
    return cbor2.dumps(item, canonical=True)


class Input:
    """Bytes with a position, for cbor2's decoder."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def read(self, n):
        piece = self.data[self.at:self.at + n]
        self.at += len(piece)
        return piece


def take(source):
    """One deterministic item from an Input."""
    start = source.at
    try:
        item = cbor2.CBORDecoder(source).decode()
    except Exception as error:
        raise Refused("malformed CBOR: %s" % error)
    require(well_formed(item) and encode(item) == source.data[start:source.at],
            "CBOR that is not deterministic")
    return item


def decode(data):
    source = Input(data)
    item = take(source)
    require(source.at == len(data), "bytes behind an item")
    return item


def H(label, *parts):
    return sha256(encode([label, *parts]))


def commit(what, value):
    return H("sworn/1/commit", what, b"", value)


def unzstd(data, raw):
    """Decompresses whole zstd frames whose contents are `raw` bytes in all."""
    run = subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, check=False)
    require(run.returncode == 0 and len(run.stdout) == raw, "a zstd frame does not decompress")
    return run.stdout


def zstd_length(data, at):
    """Stored length of the zstd frame at `at`, and the content size it states (RFC 8878)."""
    require(len(data) - at >= 6, "truncated")
    descriptor = data[at + 4]
    single, size_flag = descriptor >> 5 & 1, descriptor >> 6
    size_bytes = [single, 2, 4, 8][size_flag]
    dictionary = [0, 1, 2, 4][descriptor & 3]
    head = at + 5 + (0 if single else 1) + dictionary
    require(size_bytes and head + size_bytes <= len(data), "no content size")
    size = int.from_bytes(data[head:head + size_bytes], "little") + (256 if size_bytes == 2 else 0)
    here = head + size_bytes
    last = False
    while not last:
        require(here + 3 <= len(data), "truncated")
        block = int.from_bytes(data[here:here + 3], "little")
        last, kind, length = block & 1, block >> 1 & 3, block >> 3
        here += 3 + (1 if kind == 1 else length)
    here += 4 if descriptor >> 2 & 1 else 0
    require(here <= len(data), "truncated")
    return here - at, size


class Merkle:
    def __init__(self):
        self.leaves = []

    def append(self, data):
        self.leaves.append(sha256(b"\0" + data))

    def root(self):
        def tree(leaves):
            if len(leaves) == 1:
                return leaves[0]
            k = 1
            while 2 * k < len(leaves):
                k *= 2
            return sha256(b"\1" + tree(leaves[:k]) + tree(leaves[k:]))
        return tree(self.leaves) if self.leaves else sha256(b"")


P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
# Encodings of y of the points of small order, without the sign.
SMALL_ORDER = {0, 1, P - 1} | {int.from_bytes(bytes.fromhex(y), "little") for y in (
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")}


def add(a, b):
    """Points of the curve as x, y, z, xy/z (RFC 8032 section 5.1.4)."""
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def point_of(data):
    sign, y = data[31] >> 7, int.from_bytes(data, "little") & ((1 << 255) - 1)
    require(y < P and y not in SMALL_ORDER, "a point that is not allowed")
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    require((x * x - square) % P == 0, "no point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point_of(bytes([0x58]) + bytes([0x66]) * 31)


def check_signature(public, message, sig):
    require(len(sig) == 64, "a signature of another length")
    a, r, s = point_of(public), point_of(sig[:32]), int.from_bytes(sig[32:], "little")
    require(s < L, "S is not reduced")
    h = int.from_bytes(hashlib.sha512(sig[:32] + public + message).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, a))
    require((left[0] * right[2] - right[0] * left[2]) % P == 0 and
            (left[1] * right[2] - right[1] * left[2]) % P == 0, "a signature is wrong")


RECORDER, ARCHIVE = 4, 5


def open_envelope(content, typ, purpose, public):
    """The payload; `public` is the key that has to have signed it, zeros for none, or None for any that is not known."""
    envelope = decode(content)
    require(isinstance(envelope, list) and len(envelope) == 4 and envelope[1] == {}, "no envelope")
    protected, _, payload, sig = envelope
    head = fields(decode(protected), 1, 4, 16)
    require(head[1] == -8 and head[16] == typ and len(head[4]) == 32, "another envelope")
    if head[4] == ZEROS:
        require(not public or public == ZEROS, "it is not signed")
        require(sig == H("sworn/1/unsigned", protected, payload), "the envelope's hash is wrong")
    elif public is not None:
        require(public != ZEROS and head[4] == H("sworn/1/kid", purpose, public), "signed by another key")
        check_signature(public, encode(["Signature1", protected, b"", payload]), sig)
    return decode(payload), head[4]


def fields(item, *keys):
    require(isinstance(item, dict) and list(item) == list(keys), "wrong keys")
    return item


class Trace:
    def __init__(self, data, store, key):
        self.data, self.store, self.key = data, store, key
        self.at = 0
        self.links, self.events = 0, 0
        self.merkle = Merkle()
        self.blocks, self.blobs = [], []  # what INDEX has to say
        self.names, self.needed = set(), set()
        self.blob = None  # (name, size, done, hash) of the one being read
        self.end = None
        self.units = 0

    def frame(self):
        """Reads the frame at self.at: (kind, whole bytes, content)."""
        data, at = self.data, self.at
        require(len(data) - at >= 8, "truncated")
        magic, length = struct.unpack_from("<II", data, at)
        if magic == ZSTD_MAGIC:
            stored, _ = zstd_length(data, at)
            self.at += stored
            return "EVENTS", data[at:at + stored], data[at:at + stored]
        require(magic in MAGICS, "unknown frame")
        kind = MAGICS[magic]
        require(length <= CONTENT_MAX[kind], "a frame is too long")
        require(length <= len(data) - at - 8, "truncated")
        self.at += 8 + length
        return kind, data[at:at + 8 + length], data[at + 8:at + 8 + length]

    def linked(self):
        """Reads a frame and its LINK and checks one against the other."""
        start = self.at
        kind, whole, content = self.frame()
        link_kind, _, link_bytes = self.frame()
        require(link_kind == "LINK", "no LINK")
        link = fields(decode(link_bytes), 0, 1, 2, 3, 4, 5, 6, 7, 9, 10)
        require(link[0] == self.links and link[7] == self.prev and link[4] == self.events,
                "the chain is broken")
        require(link[1] < 5 and LINK_KINDS[link[1]] == kind and link[2] == len(whole),
                "the link is of another frame")
        require(link[3] == sha256(whole), "a frame does not match its hash")
        require((link[5] > 0) == (kind == "EVENTS"), "a link counts other events")
        if kind in ("INFO", "SUMMARY", "INDEX"):
            require(link[6] == len(content), "a link has another raw-length")
        self.prev = H("sworn/1/link", link_bytes)
        self.merkle.append(link_bytes)
        self.links += 1
        return start, kind, whole, content, link

    def read(self):
        kind, whole, content = self.frame()
        require(kind == "HEADER", "not a trace")
        header, kid = open_envelope(content, "application/vnd.sworn.header+cbor", RECORDER, self.key)
        fields(header, *range(9))
        require(header[0] == 1 and all(header[k] == ZEROS for k in (4, 5, 6)), "newer format")
        self.archive_key = header[3]
        require(len(self.archive_key) == 32 and (kid == ZEROS) == (self.archive_key == ZEROS), "half signed")
        self.header_hash = self.prev = H("sworn/1/header", sha256(whole))
        _, kind, whole, content, _ = self.linked()
        require(kind == "INFO" and header[7] == commit("private", sha256(whole)), "another INFO")
        fields(decode(content), *range(14))
        self.read_frames()
        _, kind, _, content, _ = self.linked()
        require(kind == "INDEX", "no INDEX")
        self.check_index(decode(content))
        self.read_seal()

    def read_frames(self):
        while True:
            start, kind, whole, content, link = self.linked()
            require(self.blob is None or kind == "BLOB", "a blob is not complete")
            if kind == "EVENTS":
                self.read_block(start, content, link)
                self.read_checkpoint()
            elif kind == "BLOB":
                self.read_chunk(start, content, link)
            else:
                require(kind == "SUMMARY" and self.links > 2, "not in the grammar")
                summary = fields(decode(content), 0, 1, 2, 3)
                words = summary[0][1:] if summary[0][:1] == ["pmu"] else summary[0]
                require(words in ([], ["x86-64-v2"], ["x86-64-v3"], ["x86-64-v4"]), "newer format")
                self.limits = commit("limits-of-proof", sha256(whole))
                return

    def read_checkpoint(self):
        start = self.at
        kind, _, content = self.frame()
        if kind != "CHECKPOINT":
            self.at = start
            return
        require(self.archive_key != ZEROS, "a checkpoint that nobody signed")
        checkpoint, _ = open_envelope(content, "application/vnd.sworn.checkpoint+cbor", ARCHIVE, self.archive_key)
        fields(checkpoint, *range(6))
        require([checkpoint[k] for k in range(5)] == [self.header_hash, self.prev, self.links, self.events, start],
                "another checkpoint")

    def read_block(self, start, content, link):
        _, size = zstd_length(content, 0)
        require(size == link[6] <= RAW_MAX, "a block has another size")
        self.blocks.append([start, self.events])
        source = Input(unzstd(content, size))
        for _ in range(link[5]):
            require(self.end is None, "events behind the end")
            event = Event(self.events, take(source))
            self.note(event)
            sys.stdout.write(event.line() + "\n")
            self.events += 1
        require(source.at == size, "a block holds more than its events")

    def note(self, event):
        for mapping in event.record.get(10, []):
            if 5 in mapping:
                self.needed.add(mapping[5])
        self.units += event.kind == "exec"
        if event.kind == "end":
            require(event.record.get(14, 0) == self.units, "another number of units")
            self.end = event.record

    def read_chunk(self, start, content, link):
        source = Input(content)
        head = fields(take(source), 0, 1, 2)
        name, size, offset = head[0], head[1], head[2]
        zstd = content[source.at:]
        stored, raw = zstd_length(zstd, 0)
        require(stored == len(zstd) and raw == link[6] == min(CHUNK, size - offset) and
                size <= 1 << 36, "a chunk has the wrong length")
        if offset == 0:
            require(self.blob is None and name not in self.names, "a blob is there twice")
            self.blob = [name, size, 0, hashlib.sha256()]
            self.blobs.append([name, size, start])
        require(self.blob and self.blob[:3] == [name, size, offset], "chunks are out of order")
        self.blob[3].update(unzstd(zstd, raw))
        self.blob[2] += raw
        if self.blob[2] == size:
            require(commit("blob", self.blob[3].digest()) == name, "a blob has other bytes")
            self.names.add(name)
            self.blob = None

    def check_index(self, index):
        fields(index, 0, 1, 2)
        require(index[0] == self.blocks and index[1] == self.blobs, "another INDEX")
        listed = {digest for digest, _ in index[2]}
        require(len(listed) == len(index[2]), "a blob is listed twice")
        for digest, size in index[2]:
            require(self.store, "a thin trace: name its store with --store")
            with open(os.path.join(self.store, "blobs/sha256", digest.hex()), "rb") as file:
                content = file.read()
            require(len(content) == size and sha256(content) == digest, "a blob has other bytes")
        for digest in self.needed - listed:
            require(commit("blob", digest) in self.names, "a blob is missing")

    def read_seal(self):
        start = self.at
        kind, _, content = self.frame()
        require(kind == "SEAL", "no SEAL")
        seal, _ = open_envelope(content, "application/vnd.sworn.seal+cbor", ARCHIVE, self.archive_key)
        fields(seal, *range(13 if len(seal) == 13 else 12))
        state = outputs = ZEROS
        if self.end is not None:
            state = commit("state", self.end.get(16, ZEROS))
            outputs = commit("outputs", H("sworn/1/outputs", encode(self.end.get(17, []))))
        expected = [self.header_hash, self.prev, self.links, self.events, start,
                    self.merkle.root(), state, outputs, self.limits]
        require([seal[k] for k in range(9)] == expected, "another seal")
        fields(seal[10], 0, 1, 2, 3)
        require(seal[9] == 0 and self.end is not None, "truncated: a sealed prefix")
        require(self.at == len(self.data), "bytes behind the seal")


def number(maximum):
    return lambda v: isinstance(v, int) and 0 < v <= maximum


def string(low, high):
    return lambda v: isinstance(v, bytes) and low <= len(v) <= high


def is_digest(v):
    return isinstance(v, bytes) and len(v) == 32 and v != ZEROS


def is_path(v):
    return isinstance(v, bytes) and len(v) < 4096 and 0 not in v


def is_siginfo(v):
    return isinstance(v, bytes) and 1 <= len(v) <= 128 and v[-1] != 0


def array(maximum, check):
    return lambda v: isinstance(v, list) and 0 < len(v) <= maximum and all(check(x) for x in v)


def is_payload(v):
    return (isinstance(v, list) and len(v) == 4 and isinstance(v[0], int) and 0 <= v[0] <= 14 and
            v[1] in (1, 2) and isinstance(v[2], int) and 0 <= v[2] <= U64 and
            isinstance(v[3], bytes))


def struct_check(checks):
    return lambda v: isinstance(v, dict) and all(k in checks and checks[k](x)
                                                 for k, x in v.items())


def is_mapping(v):
    shape = struct_check({0: number(U64), 1: number(U64), 2: number(7), 3: number(0x4103),
                          4: number(2), 5: is_digest, 6: number(U64), 7: number(U64),
                          8: number(U64), 9: is_path})
    return (shape(v) and v.get(0, 0) < v.get(1, 0) and
            v.get(0, 0) % 4096 == v.get(1, 0) % 4096 == 0 and v.get(3, 0) & ~0x4103 == 0)


is_sink = struct_check({0: number(U32), 1: number(4), 2: number(U64), 3: is_digest})

COMMON = {
    0: ("kind", number(12)), 1: ("thread", number(U32)), 2: ("ip", number(U64)),
    3: ("regs", number(U64)), 4: ("nr", number(U32)),
    5: ("args", lambda v: isinstance(v, list) and 1 <= len(v) <= 6 and v[-1] != 0 and
        all(isinstance(x, int) and x >= 0 for x in v)),
    6: ("result", lambda v: isinstance(v, int) and v != 0 and v < 1 << 63),
    7: ("flags", number(15)), 8: ("sink", number(U32)),
    9: ("payloads", array(4096, is_payload)), 10: ("mappings", array(65536, is_mapping)),
    11: ("registers", string(216, 216)), 12: ("vector", string(0, 16384)),
}
# Per kind: name, then the fields from key 13 on; "x" marks a hexadecimal number.
KINDS = [
    ("call",), ("part",),
    ("turn", ("end", number(5)), ("next", number(U32)), ("count", number(U64)),
     ("state", is_digest)),
    ("exec", ("unit", number(U32)), ("process", number(U32)), ("brk", number(U64), "x"),
     ("stack_limit", number(U64), "x"), ("path", is_path)),
    ("clone", ("child", number(U32)), ("tid", number(U32)), ("pid", number(U32)),
     ("clone_flags", number(U64), "x"), ("stack", number(U64), "x"), ("tls", number(U64), "x")),
    ("exit", ("cause", number(4)), ("process_gone", number(1)), ("status", number(U32))),
    ("signal", ("action", number(1)), ("synchronous", number(1)), ("siginfo", is_siginfo),
     ("mask", number(U64), "x")),
    ("sigreturn",),
    ("trap", ("trap", number(5)), ("value", number(U64), "x"), ("aux", number(U32)), ("more", number(U64), "x")),
    ("checkpoint", ("reason", number(3)), ("unit", number(U32)), ("last", number(1)),
     ("hash", is_digest), ("shift", number(52))),
    ("refused",),
    ("memory", ("object", number(U64)), ("length", number(U64)), ("target", number(U32))),
    ("end", ("status", number(U32)), ("units", number(U32)), ("threads", number(U64)),
     ("state", is_digest), ("outputs", array(4096, is_sink))),
]


def prefix(data):
    return sha256(data).hex()[:16]


def escaped(path):
    return "".join(chr(b) if 0x21 <= b <= 0x7E and b not in b"%," else "%%%02x" % b for b in path)


class Event:
    def __init__(self, position, record):
        require(isinstance(record, dict), "a record is no map")
        self.position, self.record = position, record
        kind = record.get(0, 0)
        require(0 not in record or COMMON[0][1](kind), "unknown kind")
        self.kind = KINDS[kind][0]
        self.own = {13 + i: field for i, field in enumerate(KINDS[kind][1:])}
        for key, value in record.items():
            field = COMMON.get(key) or self.own.get(key)
            require(field and field[1](value), "field %d of a %s" % (key, self.kind))
        require(sum(len(p[3]) for p in record.get(9, [])) <= 131072, "too many payload bytes")

    def line(self):
        words = ["%d %s %d" % (self.position, self.kind, self.record.get(1, 0))]
        for key in range(2, 13):
            words += self.common(key)
        for key, field in self.own.items():
            if key in self.record:
                words += self.special(field, self.record[key])
        return " ".join(words)

    def common(self, key):
        name, record = COMMON[key][0], self.record
        always = {4: ("call", "part", "refused"), 6: ("call", "refused")}.get(key, ())
        if key not in record:
            return ["%s=0" % name] if self.kind in always else []
        value = record[key]
        if key in (2, 3):
            return ["%s=0x%x" % (name, value)]
        if key == 5:
            return ["args=" + ",".join("0x%x" % a for a in value)]
        if key == 9:
            return ["payload=%d,%s,0x%x,%d,%s" % (p[0], ("in", "out")[p[1] - 1], p[2], len(p[3]),
                                                  prefix(p[3])) for p in value]
        if key == 10:
            return [self.mapping(m) for m in value]
        if key == 11:
            return ["registers=" + prefix(value)]
        if key == 12:
            return ["vector=%d,%s" % (len(value), prefix(value))]
        return ["%s=%d" % (name, value)]

    @staticmethod
    def mapping(m):
        return "mapping=0x%x-0x%x,%d,0x%x,%s,%s,0x%x,%d,%d%s" % (
            m.get(0, 0), m[1], m.get(2, 0), m.get(3, 0), ("anon", "blob", "shared")[m.get(4, 0)],
            m.get(5, ZEROS).hex()[:16], m.get(6, 0), m.get(7, 0), m.get(8, 0),
            "," + escaped(m[9]) if 9 in m else "")

    @staticmethod
    def special(field, value):
        name = field[0]
        if name == "outputs":
            return ["output=%d,%d,%d,%s" % (s.get(0, 0), s.get(1, 0), s.get(2, 0),
                                            s.get(3, ZEROS).hex()[:16]) for s in value]
        if name == "path":
            return ["path=" + escaped(value)]
        if isinstance(value, bytes):
            return ["%s=%s" % (name, value.hex())]
        return [("%s=0x%x" if field[2:] else "%s=%d") % (name, value)]


def main(arguments):
    store = key = None
    while arguments[:1] in (["--store"], ["--key"]):
        if arguments[0] == "--store":
            store = arguments[1]
        else:
            key = bytes.fromhex(arguments[1])
        arguments = arguments[2:]
    if len(arguments) != 1:
        sys.stderr.write(__doc__)
        return 2
    try:
        with open(arguments[0], "rb") as file:
            Trace(file.read(), store, key).read()
    except (Refused, OSError) as error:
        sys.stdout.flush()
        sys.stderr.write("%s: %s\n" % (arguments[0], error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
