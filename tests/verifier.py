#!/usr/bin/python3
"""A second verifier of Sworn traces, written from docs/FORMAT.md alone.

usage: verifier.py [--store DIR] [--table N] [--key PUBLIC-KEY]... [--trust FILE]... TRACE...

Prints one line for each trace, `TRACE: WORD: REASON`, with the words of `sworn verify` (ok, truncated, repaired, corrupt, newer,
pointer, unsigned, untrusted), and one for each trailer; exits with the code of `sworn verify`: 3 when the worst is a newer one or a pointer, 5 for all others
that are not ok. --key is a recorder's, for any tenant and time; --trust names a trust file. A trace of a call table that is newer than --table is newer;
without it every table will do. Executes nothing. Needs python3-cbor2, libzstd and the openssl program.
"""
import calendar
import hashlib
import os
import re
import struct
import sys
import time

from sworn_format import (ARCHIVE, ATTESTER, CHUNK, CONTENT_MAX, LINK_KINDS, MAGICS, RAW_MAX, RECORDER, U32, U64, ZEROS, ZSTD_MAGIC,
                          Envelope, Event, H, Input, Merkle, Refused, commit, decode, decompress, encode, kid_of, require, sha256, take)

WORDS = {"ok": 0, "truncated": 5, "repaired": 5, "corrupt": 5, "newer": 3, "pointer": 3, "unsigned": 5, "untrusted": 5}
EVENTS_MAX = (17 << 20) + (128 << 10)
RECORD_MAX = 16 << 20
BLOB_MAX = 1 << 36
TEXT_MAX, ARGV_MAX, LIST_MAX = 4096, 262144, 65536
TRAILERS_MAX = 64
LEVELS = ("x86-64-v2", "x86-64-v3", "x86-64-v4")
SEAL_MAGIC, TRAILER_MAGIC = 0x184D2A56, 0x184D2A58
TYPE = "application/vnd.sworn.%s+cbor"
PURPOSES = ["tenant-root", "issuer", "token", "recorder", "archive", "decider", "log", "attester", "holder", "shredder"]


class Other(Refused):
    """Refused, and not because it is corrupt."""

    def __init__(self, word, reason):
        super().__init__(reason)
        self.word = word


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


CHECKPOINT = {0: digest, 1: digest, 2: is_uint, 3: is_uint, 4: is_uint, 5: is_uint}
SIGNATURE = {0: lambda v: is_uint(v, 1) and v == 1, 1: digest, 2: is_uint}
ATTESTATION = {0: lambda v: is_uint(v, 1) and v == 1, 1: digest, 2: one_of(2), 3: digest,
               4: lambda v: isinstance(v, list) and len(v) == 4 and all(map(is_uint, v)), 5: digest, 6: digest,
               7: lambda v: is_bytes(v, 16), 8: is_uint}
SUMMARY = {0: lambda v: isinstance(v, list) and all(isinstance(x, str) for x in v), 1: is_list, 2: is_list, 3: is_text}


class Key:
    """A line of a trust file."""

    def __init__(self, purpose, public, tenants=None, start=0, end=U64):
        self.purpose, self.public, self.tenants, self.start, self.end = purpose, public, tenants, start, end
        self.kid = kid_of(purpose, public)

    def state(self, purpose, tenant, start, end):
        if self.purpose != purpose:
            return "other purpose"
        if self.tenants is not None and tenant not in self.tenants:
            return "other tenant"
        return "trusted" if start >= self.start and end < self.end else "expired"


def trust_time(text, absent):
    if text == "-":
        return absent
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ" if "T" in text else "%Y-%m-%d"))


def trust_file(path):
    keys = []
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            purpose, public, tenants, start, end = words[:5]
            if not re.fullmatch("[0-9a-f]{64}", public):
                raise ValueError("%s: not a trust file" % path)
            keys.append(Key(PURPOSES.index(purpose) + 1, bytes.fromhex(public),
                            None if tenants == "*" else [bytes.fromhex(tenant) for tenant in tenants.split(",")],
                            trust_time(start, 0), trust_time(end, U64)))
    return keys


def judge(keys, kid, *claim):
    """Who signed: the state of trust, in the words of `sworn verify`, and the key."""
    state, signer = "unsigned" if kid == ZEROS else "unknown key", None
    for key in keys:
        if key.kid == kid and state != "trusted":
            state, signer = key.state(*claim), key
    return state, signer


class Verifier:
    def __init__(self, data, store, table, each=None):
        self.data, self.store, self.table, self.each = data, store, table, each
        self.trailers, self.ended = [], 0
        self.at = self.links = self.events = self.units = 0
        self.merkle = Merkle()
        self.blocks, self.blobs = [], []
        self.names, self.needed = set(), set()
        self.blob = self.end = None

    def short(self):
        """The file ends too early: cut off, unless it has a seal at its end."""
        tail = self.data[-(8 + CONTENT_MAX["SEAL"] + TRAILERS_MAX * (8 + CONTENT_MAX["TRAILER"])):]
        if any(self.is_end(tail, i) for i in range(len(tail) - 7)):
            return Refused("a frame is longer than the file, which has a seal at its end")
        return Other("truncated", "the file ends at byte %d without a seal" % len(self.data))

    @staticmethod
    def is_end(tail, at):
        """Whether a SEAL starts there, and it and trailers fill the rest."""
        wanted, most = SEAL_MAGIC, CONTENT_MAX["SEAL"]
        while at < len(tail):
            if len(tail) - at < 8:
                return False
            magic, length = struct.unpack_from("<II", tail, at)
            if magic != wanted or length > most or length > len(tail) - at - 8:
                return False
            at += 8 + length
            wanted, most = TRAILER_MAGIC, CONTENT_MAX["TRAILER"]
        return True

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

    def by_archive(self, content, name, checks):
        """The payload of an envelope that the archive's key signed, if there is one."""
        envelope = Envelope(content, TYPE % name)
        require(envelope.is_signed == (self.archive_key != ZEROS), "a mixture of signed and unsigned")
        if envelope.is_signed:
            envelope.check(ARCHIVE, self.archive_key)
        payload = decode(envelope.payload)
        return envelope, shaped(payload, checks(payload) if callable(checks) else checks)

    def is_chained(self):
        """Whether the first LINK names the header, whose signature may be anybody's."""
        at = self.at
        try:
            self.frame()
            kind, _, content = self.frame()
            if kind != "LINK":
                return False
            try:
                return shaped(decode(content), LINK)[7] == self.header_hash
            except Refused:
                return True
        except Refused:
            return False
        finally:
            self.at = at

    def require_known(self, known, reason):
        if not known:
            raise Other("newer", reason) if self.is_chained() else Refused("the header is damaged")

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
        self.header_hash = self.prev = H("sworn/1/header", sha256(whole))
        self.envelope = Envelope(content, TYPE % "header")
        header = decode(self.envelope.payload)
        require(isinstance(header, dict) and is_uint(header.get(0)) and header[0] > 0, "no header")
        self.require_known(header[0] == 1, "version %d of the format" % header[0])
        shaped(header, HEADER)
        self.require_known(all(header[key] == ZEROS for key in (4, 5, 6)), "a field of a newer format")
        self.archive_key = header[3]
        require(self.envelope.is_signed == (self.archive_key != ZEROS), "half signed")
        return header

    def read(self):
        header = self.header = self.read_header()
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
                self.read_checkpoint()
            elif kind == "BLOB":
                self.read_chunk(start, content, link)
            else:
                self.limits = commit("limits-of-proof", sha256(whole))
                words = shaped(decode(content), SUMMARY)[0]
                words = words[1:] if words[:1] == ["pmu"] else words
                if len(words) > 1 or not all(word in LEVELS for word in words):
                    raise Other("newer", "it requires %s" % " ".join(words))
                return

    def read_checkpoint(self):
        start = self.at
        if self.data[start:start + 4] != struct.pack("<I", 0x184D2A57):
            return
        _, _, content = self.frame()
        require(self.archive_key != ZEROS, "a checkpoint that nobody signed")
        _, checkpoint = self.by_archive(content, "checkpoint", CHECKPOINT)
        require([checkpoint[k] for k in range(5)] == [self.header_hash, self.prev, self.links, self.events, start],
                "a CHECKPOINT is of another place")

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
            if self.each:
                self.each(event)
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
        envelope, seal = self.by_archive(
            content, "seal", lambda item: {**MANIFEST, 12: digest} if isinstance(item, dict) and 12 in item else MANIFEST)
        self.seal_id, self.ended = envelope.named("sworn/1/seal"), seal[11]
        expected = [self.header_hash, self.prev, self.links, self.events, start, self.merkle.root()]
        require([seal[k] for k in range(6)] == expected and seal[8] == self.limits, "the seal is of something else")
        try:
            self.read_trailers()
        except Other as error:
            raise Refused("a trailer is cut off") from error
        if seal[9] == 2:
            raise Other("newer", "redacted")
        state = outputs = ZEROS
        if self.end is not None:
            state = commit("state", self.end.get(16, ZEROS))
            outputs = commit("outputs", H("sworn/1/outputs", encode(self.end.get(17, []))))
        require(seal[6] == state and seal[7] == outputs, "the seal is of another state or other outputs")
        if seal[9] == 1:
            raise Other("repaired" if 12 in seal else "truncated", "a sealed prefix")
        require(self.end is not None, "the seal says complete, but there is no END")


    def read_trailers(self):
        while self.at < len(self.data):
            kind, _, content = self.frame()
            require(kind == "TRAILER", "there are bytes behind the seal")
            item = decode(content)
            require(isinstance(item, list) and len(item) == 2 and digest(item[0]) and isinstance(item[1], bytes), "no trailer")
            envelope = Envelope(item[1], TYPE % "signature", TYPE % "attestation")
            is_signature = envelope.type == TYPE % "signature"
            statement = shaped(decode(envelope.payload), SIGNATURE if is_signature else ATTESTATION)
            require(envelope.is_signed, "a trailer that nobody signed")
            envelope.check(ATTESTER, item[0])
            require(statement[1] == self.seal_id, "a trailer is of another trace")
            trailer = ("signature" if is_signature else "attestation", envelope.kid, statement)
            require(trailer not in self.trailers, "a trailer is there twice")
            require(len(self.trailers) < TRAILERS_MAX, "there are more trailers than a trace may have")
            self.trailers.append(trailer)

    def judged(self, word, keys):
        """What a whole or truncated trace comes to, given who signed it."""
        started = self.header[8]
        state, key = judge(keys, self.envelope.kid, RECORDER, self.header[2], started, max(started, self.ended))
        if key is not None:
            self.envelope.check(key.purpose, key.public)
        if state == "unsigned":
            return (word, "") if word != "ok" else ("unsigned", "nobody signed it")
        return (word, "") if state == "trusted" else ("untrusted", state)

    def statements(self, keys):
        """Of each trailer its kind, who signed it and whether they are trusted, and when."""
        for kind, kid, statement in self.trailers:
            at = statement[2 if kind == "signature" else 8]
            yield kind, kid.hex(), judge(keys, kid, ATTESTER, self.header[2], at, at)[0], at


def verify(data, store=None, table=None, keys=(), each=None):
    """The word for a trace, why, and what its trailers say."""
    verifier = Verifier(data, store, table, each)
    try:
        try:
            verifier.read()
            word, reason = verifier.judged("ok", keys)
        except Other as error:
            word, reason = error.word, str(error)
            if word in ("truncated", "repaired") and hasattr(verifier, "header"):
                word, why = verifier.judged(word, keys)
                reason = why or reason
    except Refused as error:
        return "corrupt", str(error), []
    return word, reason, list(verifier.statements(keys)) if word == "ok" else []


def main(arguments):
    store = table = None
    keys = []
    while len(arguments) > 1 and arguments[0] in ("--store", "--table", "--key", "--trust"):
        option, value, *arguments = arguments
        if option == "--store":
            store = value
        elif option == "--table":
            table = int(value)
        else:
            keys += [Key(RECORDER, bytes.fromhex(value))] if option == "--key" else trust_file(value)
    if not arguments:
        sys.stderr.write(__doc__)
        return 2
    codes = set()
    for path in arguments:
        with open(path, "rb") as file:
            word, reason, statements = verify(file.read(), store, table, keys)
        print("%s: %s%s" % (path, word, ": " + reason if reason else ""))
        for statement in statements:
            print("  %s by %s (%s) at %d" % statement)
        codes.add(WORDS[word])
    return next((code for code in (5, 3) if code in codes), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
