#!/usr/bin/python3
"""A second verifier of Sworn traces, written from docs/FORMAT.md alone.

usage: verifier.py [--store DIR] [--table N] TRACE...

Prints one line for each trace, `TRACE: WORD: REASON`, with the words of `sworn verify` (ok, truncated, repaired, corrupt, newer,
pointer), and exits with its code: 5 when one is truncated, repaired or corrupt, else 3 when one is newer, else 0. A trace of a
call table that is newer than --table is newer; without it every table will do. Judges unsigned traces only: signatures are
reader.py's. Executes nothing. Needs python3-cbor2 and libzstd.
"""
import ctypes
import hashlib
import os
import struct
import sys

from reader import (CHUNK, CONTENT_MAX, LINK_KINDS, MAGICS, RAW_MAX, U32, U64, ZEROS, ZSTD_MAGIC, Event, H, Input, Merkle,
                    Refused, commit, decode, encode, require, sha256, take)

WORDS = {"ok": 0, "truncated": 5, "repaired": 5, "corrupt": 5, "newer": 3, "pointer": 3}
EVENTS_MAX = (17 << 20) + (128 << 10)
RECORD_MAX = 16 << 20
BLOB_MAX = 1 << 36
TEXT_MAX, ARGV_MAX, LIST_MAX = 4096, 262144, 65536
LEVELS = ("x86-64-v2", "x86-64-v3", "x86-64-v4")
SEAL_MAGIC = 0x184D2A56
zstd = ctypes.CDLL("libzstd.so.1")
zstd.ZSTD_decompress.restype = zstd.ZSTD_isError.restype = ctypes.c_size_t
zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
zstd.ZSTD_isError.argtypes = [ctypes.c_size_t]


class Other(Refused):
    """Refused, and not because it is corrupt."""

    def __init__(self, word, reason):
        super().__init__(reason)
        self.word = word


def decompress(data, raw):
    out = ctypes.create_string_buffer(max(raw, 1))
    length = zstd.ZSTD_decompress(out, raw, data, len(data))
    require(not zstd.ZSTD_isError(length) and length == raw, "a zstd frame does not decompress")
    return out.raw[:raw]


def is_uint(value, maximum=U64):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= maximum


def is_bytes(value, length):
    return isinstance(value, bytes) and len(value) == length


def is_text(value):
    return isinstance(value, str) and len(value) <= TEXT_MAX


def is_argument(value):
    return isinstance(value, bytes) and 0 not in value


def shaped(item, checks):
    """A map that has all these keys, and values that pass."""
    require(isinstance(item, dict) and list(item) == list(checks), "other keys than there have to be")
    for key, check in checks.items():
        require(check(item[key]), "field %d has another value than it may" % key)
    return item


def digest(value):
    return is_bytes(value, 32)


def one_of(maximum):
    return lambda value: is_uint(value, maximum)


HEADER = {0: is_uint, 1: lambda v: is_bytes(v, 16), 2: lambda v: is_bytes(v, 16), 3: digest, 4: digest, 5: digest, 6: digest,
          7: digest, 8: is_uint}
LINK = {0: is_uint, 1: one_of(4), 2: is_uint, 3: digest, 4: is_uint, 5: is_uint, 6: is_uint, 7: digest, 9: is_uint, 10: is_uint}
INFO = {0: one_of(U32), 1: is_text, 2: lambda v: isinstance(v, list) and len(v) <= ARGV_MAX and all(map(is_argument, v)),
        3: is_argument, 4: one_of(1), 5: one_of(1), 6: is_uint, 7: is_text, 8: is_text, 9: is_text, 10: is_text, 11: is_uint,
        12: is_uint, 13: is_text}
MANIFEST = {0: digest, 1: digest, 2: is_uint, 3: is_uint, 4: is_uint, 5: digest, 6: digest, 7: digest, 8: digest, 9: one_of(2),
            10: lambda v: isinstance(v, dict) and list(v) == [0, 1, 2, 3] and v[0] in (0, 1) and v[1] in (0, 1) and
            is_uint(v[2], 2) and is_uint(v[3], 2), 11: is_uint}


def is_list(value):
    return isinstance(value, list) and len(value) <= LIST_MAX and all(map(is_text, value))


SUMMARY = {0: lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v), 1: is_list, 2: is_list, 3: is_text}


class Verifier:
    def __init__(self, data, store, table):
        self.data, self.store, self.table = data, store, table
        self.at = self.links = self.events = self.units = 0
        self.merkle = Merkle()
        self.blocks, self.blobs = [], []
        self.names, self.needed = set(), set()
        self.blob = self.end = None

    def short(self):
        """The file ends too early: cut off, unless it has a seal at its end."""
        tail = self.data[-(8 + CONTENT_MAX["SEAL"]):]
        for i in range(len(tail) - 7):
            if tail[i:i + 8] == struct.pack("<II", SEAL_MAGIC, len(tail) - i - 8):
                return Refused("a frame is longer than the file, which has a seal at its end")
        return Other("truncated", "the file ends at byte %d without a seal" % len(self.data))

    def need(self, end, start):
        if end - start > EVENTS_MAX and len(self.data) - start >= EVENTS_MAX:
            raise Refused("a frame is over the limit of its kind")
        if end > len(self.data):
            raise self.short()

    def zstd_end(self, at):
        """Where the zstd frame at `at` ends, and the content size that it states, or None (RFC 8878 section 3.1.1)."""
        data, start = self.data, at
        self.need(at + 5, start)
        descriptor = data[at + 4]
        require(not descriptor & 8, "a reserved bit of a zstd frame")
        single, flag = descriptor >> 5 & 1, descriptor >> 6
        width = (single, 2, 4, 8)[flag]
        head = at + 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3]
        self.need(head + width, start)
        require(single or 10 + (data[at + 5] >> 3) <= 31, "a window over the limit")
        size = int.from_bytes(data[head:head + width], "little") + (256 if width == 2 else 0) if width else None
        here, last = head + width, False
        while not last:
            self.need(here + 3, start)
            block = int.from_bytes(data[here:here + 3], "little")
            last, kind = block & 1, block >> 1 & 3
            require(kind != 3, "a reserved kind of zstd block")
            here += 3 + (1 if kind == 1 else block >> 3)
            self.need(here, start)
        here += 4 if descriptor >> 2 & 1 else 0
        self.need(here, start)
        return here, size

    def frame(self):
        """The frame at self.at: (kind, whole bytes, content)."""
        data, at = self.data, self.at
        if len(data) - at < 8:
            raise self.short()
        magic, length = struct.unpack_from("<II", data, at)
        if magic == ZSTD_MAGIC:
            self.at, self.stated = self.zstd_end(at)
            return "EVENTS", data[at:self.at], data[at:self.at]
        require(magic in MAGICS, "not a frame of this format")
        kind = MAGICS[magic]
        require(length <= CONTENT_MAX[kind], "a frame is over the limit of its kind")
        if length > len(data) - at - 8:
            raise self.short()
        self.at += 8 + length
        return kind, data[at:self.at], data[at + 8:self.at]

    def linked(self, kinds):
        """A frame of one of these kinds and its LINK."""
        start = self.at
        kind, whole, content = self.frame()
        stated = getattr(self, "stated", None)
        require(kind in kinds, "a frame is not where the grammar has it")
        link_kind, _, link_bytes = self.frame()
        require(link_kind == "LINK", "a frame has no LINK behind it")
        link = shaped(decode(link_bytes), LINK)
        require(link[0] == self.links and link[7] == self.prev and link[4] == self.events, "a LINK does not continue the chain")
        require(LINK_KINDS[link[1]] == kind and link[2] == len(whole), "a LINK is of another frame")
        if kind == "EVENTS":
            require(0 < link[5] <= link[6] <= RAW_MAX, "a LINK counts other events")
        else:
            require(link[5] == 0 and (link[6] <= CHUNK if kind == "BLOB" else link[6] == len(content)), "a LINK counts otherwise")
        require(link[3] == sha256(whole), "a frame does not match its hash")
        self.prev = H("sworn/1/link", link_bytes)
        self.merkle.append(link_bytes)
        self.links += 1
        self.stated = stated
        return start, kind, whole, content, link

    def envelope(self, content, typ):
        item = decode(content)
        require(isinstance(item, list) and len(item) == 4 and item[1] == {} and
                all(isinstance(item[i], bytes) for i in (0, 2, 3)), "no envelope")
        protected, _, payload, sig = item
        require(decode(protected) == {1: -8, 4: ZEROS, 16: typ} and len(sig) == 32, "another envelope")
        require(sig == H("sworn/1/unsigned", protected, payload), "an envelope does not match its own hash")
        return decode(payload)

    def read_header(self):
        try:
            kind, whole, content = self.frame()
        except Other:
            raise
        except Refused:
            if self.data.startswith(b"version https://git-lfs.github.com/spec/"):
                raise Other("pointer", "a Git LFS pointer, not the trace itself") from None
            raise
        require(kind == "HEADER", "no HEADER frame")
        header = self.envelope(content, "application/vnd.sworn.header+cbor")
        require(isinstance(header, dict) and is_uint(header.get(0)) and header[0] > 0, "no header")
        if header[0] > 1:
            raise Other("newer", "version %d of the format" % header[0])
        shaped(header, HEADER)
        if any(header[key] != ZEROS for key in (4, 5, 6)):
            raise Other("newer", "a field of a newer format")
        require(header[3] == ZEROS, "a key, and no signature")
        self.header_hash = self.prev = H("sworn/1/header", sha256(whole))
        return header

    def read(self):
        header = self.read_header()
        _, _, whole, content, _ = self.linked(("INFO",))
        require(header[7] == commit("private", sha256(whole)), "INFO is not the one that the header names")
        info = shaped(decode(content), INFO)
        if self.table is not None and info[0] > self.table:
            raise Other("newer", "table %d" % info[0])
        self.read_frames()
        _, _, _, content, _ = self.linked(("INDEX",))
        index = self.check_index(decode(content))
        self.read_seal()
        self.check_store(index[2])

    def read_frames(self):
        while True:
            kinds = ("EVENTS", "BLOB", "SUMMARY") if self.links > 1 else ("EVENTS", "BLOB")
            start, kind, whole, content, link = self.linked(kinds)
            require(self.blob is None or kind == "BLOB", "a blob ends before its last chunk")
            if kind == "EVENTS":
                self.read_block(start, content, link)
            elif kind == "BLOB":
                self.read_chunk(start, content, link)
            else:
                self.limits = commit("limits-of-proof", sha256(whole))
                words = shaped(decode(content), SUMMARY)[0]
                words = words[1:] if words[:1] == ["pmu"] else words
                if len(words) > 1 or not all(word in LEVELS for word in words):
                    raise Other("newer", "it requires %s" % " ".join(words))
                return

    def read_block(self, start, content, link):
        require(self.end is None, "there are events behind END")
        require(self.stated == link[6], "a zstd frame has another size than its LINK says")
        self.blocks.append([start, self.events])
        source = Input(decompress(content, link[6]))
        for _ in range(link[5]):
            before = source.at
            require(self.end is None, "there are events behind END")
            event = Event(self.events, take(source))
            require(source.at - before <= RECORD_MAX, "a record over the limit")
            self.events += 1
            self.note(event)
        require(source.at == link[6], "a block holds more than its events")

    def note(self, event):
        for mapping in event.record.get(10, []):
            if 5 in mapping:
                self.needed.add(mapping[5])
        self.units += event.kind == "exec"
        if event.kind == "end":
            require(event.record.get(14, 0) == self.units, "END counts other units than there are")
            self.end = event.record

    def read_chunk(self, start, content, link):
        source = Input(content)
        head = shaped(take(source), {0: digest, 1: one_of(BLOB_MAX), 2: is_uint})
        name, size, offset = head[0], head[1], head[2]
        require(name != ZEROS and offset % CHUNK == 0 and (offset < size or offset == size == 0), "the head of a BLOB")
        require(link[6] == min(CHUNK, size - offset), "a chunk of a blob has the wrong length")
        if offset == 0:
            require(name not in self.names, "a blob is in the file twice")
            self.blob = [name, size, 0, hashlib.sha256()]
            self.blobs.append([name, size, start])
        require(self.blob and self.blob[:3] == [name, size, offset], "the chunks of a blob are not in order")
        inner = Verifier(content[source.at:], None, None)
        try:
            end, stated = inner.zstd_end(0) if inner.data[:4] == struct.pack("<I", ZSTD_MAGIC) else (None, None)
        except Other:
            end = None
        require(end == len(inner.data) and stated == link[6], "a zstd frame has another size than its LINK says")
        self.blob[3].update(decompress(inner.data, link[6]))
        self.blob[2] += link[6]
        if self.blob[2] == size:
            require(commit("blob", self.blob[3].digest()) == name, "a blob has other bytes than its name says")
            self.names.add(name)
            self.blob = None

    def check_index(self, index):
        shaped(index, {0: lambda v: v == self.blocks, 1: lambda v: v == self.blobs, 2: lambda v: isinstance(v, list)})
        for entry in index[2]:
            require(isinstance(entry, list) and len(entry) == 2 and digest(entry[0]) and is_uint(entry[1], BLOB_MAX), "an INDEX entry")
        return index

    def check_store(self, stored):
        listed = {entry[0] for entry in stored}
        require(len(listed) == len(stored), "the INDEX lists a blob twice")
        for name, size in stored:
            try:
                with open(os.path.join(self.store or "", "blobs/sha256", name.hex()), "rb") as file:
                    content = file.read()
            except OSError as error:
                raise Refused("a blob is not in the store") from error
            require(len(content) == size and sha256(content) == name, "a blob of the store has other bytes")
        for name in self.needed - listed:
            require(commit("blob", name) in self.names, "an event names a blob that is neither in the file nor listed")

    def read_seal(self):
        start = self.at
        kind, _, content = self.frame()
        require(kind == "SEAL", "no SEAL behind the INDEX")
        seal = self.envelope(content, "application/vnd.sworn.seal+cbor")
        derived = isinstance(seal, dict) and 12 in seal
        shaped(seal, {**MANIFEST, 12: digest} if derived else MANIFEST)
        expected = [self.header_hash, self.prev, self.links, self.events, start, self.merkle.root()]
        require([seal[k] for k in range(6)] == expected and seal[8] == self.limits, "the seal is of something else")
        require(self.at == len(self.data), "there are bytes behind the seal")
        if seal[9] == 2:
            raise Other("newer", "redacted")
        state = outputs = ZEROS
        if self.end is not None:
            state = commit("state", self.end.get(16, ZEROS))
            outputs = commit("outputs", H("sworn/1/outputs", encode(self.end.get(17, []))))
        require(seal[6] == state and seal[7] == outputs, "the seal is of another state or other outputs")
        if seal[9] == 1:
            raise Other("repaired" if derived else "truncated", "a sealed prefix")
        require(self.end is not None, "the seal says complete, but there is no END")


def verify(data, store=None, table=None):
    """The word for a trace, and why."""
    try:
        Verifier(data, store, table).read()
    except Other as error:
        return error.word, str(error)
    except Refused as error:
        return "corrupt", str(error)
    return "ok", ""


def main(arguments):
    options = {"--store": None, "--table": None}
    while len(arguments) > 1 and arguments[0] in options:
        options[arguments[0]], arguments = arguments[1], arguments[2:]
    if not arguments:
        sys.stderr.write(__doc__)
        return 2
    codes = set()
    for path in arguments:
        with open(path, "rb") as file:
            word, reason = verify(file.read(), options["--store"], int(options["--table"]) if options["--table"] else None)
        print("%s: %s%s" % (path, word, ": " + reason if reason else ""))
        codes.add(WORDS[word])
    return next((code for code in (5, 3) if code in codes), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
