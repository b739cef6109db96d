"""The pieces of the trace format that the second reader and the second verifier have in common, written from docs/FORMAT.md alone:
CBOR, hashes, zstd, the Merkle tree, envelopes and their signatures, events. Needs python3-cbor2, libzstd, and the openssl program.
"""
import atexit
import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile

import cbor2

MAGICS = {0x184D2A50 + i: name for i, name in enumerate(
    ["HEADER", "INFO", "LINK", "BLOB", "SUMMARY", "INDEX", "SEAL", "CHECKPOINT", "TRAILER"])}
ZSTD_MAGIC = 0xFD2FB528
LINK_KINDS = ["INFO", "EVENTS", "BLOB", "SUMMARY", "INDEX"]
CONTENT_MAX = {"HEADER": 4096, "INFO": 16 << 20, "LINK": 512, "BLOB": (1 << 20) + (64 << 10),
               "SUMMARY": 16 << 20, "INDEX": 64 << 20, "SEAL": 4096, "CHECKPOINT": 4096, "TRAILER": 1024}
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


zstd = ctypes.CDLL("libzstd.so.1")
zstd.ZSTD_decompress.restype = zstd.ZSTD_isError.restype = ctypes.c_size_t
zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
zstd.ZSTD_isError.argtypes = [ctypes.c_size_t]


def decompress(data, raw):
    out = ctypes.create_string_buffer(max(raw, 1))
    length = zstd.ZSTD_decompress(out, raw, data, len(data))
    require(not zstd.ZSTD_isError(length) and length == raw, "a zstd frame does not decompress")
    return out.raw[:raw]


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
# Encodings of y of the points of small order, without the sign.
SMALL_ORDER = {0, 1, P - 1} | {int.from_bytes(bytes.fromhex(y), "little") for y in (
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")}
SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: what is in front of the 32 bytes of a public key


@functools.lru_cache(maxsize=None)
def scratch():
    """A directory in memory for what openssl reads."""
    path = tempfile.mkdtemp(prefix="sworn-verifier.", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    atexit.register(shutil.rmtree, path, True)
    return path


@functools.lru_cache(maxsize=65536)
def openssl_accepts(public, message, sig):
    """RFC 8032's check, by the openssl program, which takes the encodings that check_signature() refuses before."""
    paths = [os.path.join(scratch(), name) for name in ("key", "message", "signature")]
    for path, content in zip(paths, (SPKI + public, message, sig)):
        with open(path, "wb") as file:
            file.write(content)
    run = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths[0], "-rawin", "-in", paths[1],
                          "-sigfile", paths[2]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if run.returncode not in (0, 1):
        raise RuntimeError("openssl cannot check signatures: %s" % run.stderr.decode(errors="replace"))
    return run.returncode == 0


def is_strict(point):
    y = int.from_bytes(point, "little") & ((1 << 255) - 1)
    return y < P and y not in SMALL_ORDER


def check_signature(public, message, sig):
    require(len(sig) == 64 and is_strict(public) and is_strict(sig[:32]) and int.from_bytes(sig[32:], "little") < L,
            "a signature that is not strict")
    require(openssl_accepts(public, message, sig), "a signature is wrong")


RECORDER, ARCHIVE, ATTESTER = 4, 5, 8


def kid_of(purpose, public):
    return H("sworn/1/kid", purpose, public)


class Envelope:
    """COSE_Sign1 of one type. An unsigned one is checked; who signed one remains to be."""

    def __init__(self, content, *types):
        item = decode(content)
        require(isinstance(item, list) and len(item) == 4 and item[1] == {} and
                all(isinstance(item[i], bytes) for i in (0, 2, 3)), "no envelope")
        self.protected, _, self.payload, self.sig = item
        require(len(self.payload) <= 3072, "a payload over the limit")
        head = decode(self.protected)
        require(isinstance(head, dict) and list(head) == [1, 4, 16] and head[1] == -8 and head[16] in types and
                isinstance(head[4], bytes) and len(head[4]) == 32, "another envelope")
        self.type, self.kid = head[16], head[4]
        self.is_signed = self.kid != ZEROS
        require(len(self.sig) == (64 if self.is_signed else 32), "a signature of another length")
        require(self.is_signed or self.sig == H("sworn/1/unsigned", self.protected, self.payload),
                "an envelope does not match its own hash")

    def check(self, purpose, public):
        require(self.kid == kid_of(purpose, public), "signed by another key")
        check_signature(public, encode(["Signature1", self.protected, b"", self.payload]), self.sig)

    def named(self, label):
        return H(label, self.protected, self.payload, self.sig)


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
