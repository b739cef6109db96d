"""Signs what forge.py, mutate.py and archives.py make, with keys that follow from the number of their owner: those of tools/tamper_make.h.
Needs libsodium. docs/FORMAT.md is the specification.
"""
import ctypes
import ctypes.util

import forge
from forge import decode, encode, frame, labelled

RECORDER, ARCHIVE, ATTESTER = 4, 5, 8
TENANT_A, TENANT_B, NOBODY = 1, 2, 3
TYPE = "application/vnd.sworn.%s+cbor"
sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")


class Key:
    def __init__(self, purpose, seed, claimed=None):
        public, self.secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        sodium.crypto_sign_seed_keypair(public, self.secret, seed)
        self.public = public.raw
        self.kid = claimed.kid if claimed else labelled("sworn/1/kid", purpose, self.public)

    def sign(self, message):
        signature = ctypes.create_string_buffer(64)
        sodium.crypto_sign_detached(signature, None, message, ctypes.c_ulonglong(len(message)), self.secret)
        return signature.raw

    def envelope(self, name, fields):
        protected, payload = encode({1: -8, 4: self.kid, 16: TYPE % name}), encode(fields)
        signature = self.sign(encode(["Signature1", protected, b"", payload]))
        return encode([protected, {}, payload, signature])


def owned(purpose, owner):
    return Key(purpose, bytes([owner, purpose]).ljust(32, b"\0"))


def trust_line(purpose, owner):
    """A line of a trust file: the key counts for its own tenant."""
    return "%s %s %s - -" % ({RECORDER: "recorder", ATTESTER: "attester"}[purpose], owned(purpose, owner).public.hex(),
                             bytes([owner]).ljust(16, b"\0").hex())


class Signer:
    """Who makes an archive: with the recorder key of `owner`, which says to be that of `claimed`, for `tenant`."""

    def __init__(self, rng, tenant, owner, claimed):
        self.recorder = Key(RECORDER, bytes([owner, RECORDER]).ljust(32, b"\0"), owned(RECORDER, claimed))
        self.archive = Key(ARCHIVE, rng.randbytes(32))
        self.tenant = bytes([tenant]).ljust(16, b"\0")

    def envelope(self, name, fields):
        if name == "header" and fields.get(3) == bytes(32):
            fields[3] = self.archive.public
        return (self.recorder if name == "header" else self.archive).envelope(name, fields)


def is_signed(data):
    return decode(decode(data, 8)[0][0])[0][4] != bytes(32)


def seal_id(whole):
    protected, _, payload, signature = decode(whole, 8)[0]
    return labelled("sworn/1/seal", protected, payload, signature)


def trailer(owner, name, fields, carried=None):
    """A TRAILER frame with a statement of that owner."""
    key = owned(ATTESTER, owner)
    return frame("TRAILER", encode([(carried or key).public, key.envelope(name, fields)]))


def statement(rng, seal):
    """A name and fields that are right."""
    at = rng.randrange(1 << 31)
    if rng.randrange(2):
        return "signature", {0: 1, 1: seal, 2: at}
    return "attestation", {0: 1, 1: seal, 2: rng.randrange(3), 3: bytes(32), 4: [rng.randrange(1 << 20) for _ in range(4)], 5: rng.randbytes(32),
                           6: rng.randbytes(32), 7: bytes(16), 8: at}


def resigned(whole, seal):
    """The trailer for an archive that now has this seal."""
    (_, content), _ = decode(whole, 8)
    protected, _, payload, _ = decode(content)[0]
    name = decode(protected)[0][16].split(".")[-1].split("+")[0]
    return trailer(TENANT_A, name, {**decode(payload)[0], 1: seal})


forge.SIGNER = None
