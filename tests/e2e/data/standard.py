"""What a Python program commonly does: json, hashlib, re, files, temporary directories, compression."""
import collections
import hashlib
import io
import json
import os
import re
import struct
import tempfile
import zlib

data = {"numbers": list(range(2000)), "nested": {"text": "caf\u00e9", "none": None, "real": 1.5}}
text = json.dumps(data, sort_keys=True)
assert json.loads(text) == data
print("json", len(text), hashlib.sha256(text.encode()).hexdigest()[:16])
for name in ("md5", "sha1", "sha512", "blake2b"):
    print(name, hashlib.new(name, b"x" * 1000000).hexdigest()[:16])
packed = zlib.compress(text.encode() * 50)
assert zlib.decompress(packed) == text.encode() * 50
print("zlib", zlib.crc32(packed) != 0)
with tempfile.TemporaryDirectory() as directory:
    for i in range(50):
        with open(os.path.join(directory, f"file{i:02}"), "w", encoding="utf-8") as out:
            out.write("line\n" * i)
    names = sorted(os.listdir(directory))
    sizes = [os.stat(os.path.join(directory, name)).st_size for name in names]
    print("files", len(names), sum(sizes))
words = collections.Counter(re.findall(r"[a-z]+", open("/etc/login.defs", encoding="utf-8").read()))
print("words", words["tcp"] == sum(1 for _ in re.finditer(r"\btcp\b", " ".join(words.elements()))))
buffer = io.BytesIO()
for i in range(1000):
    buffer.write(struct.pack("<IdH", i, i / 3, i & 0xFFFF))
print("struct", hashlib.sha256(buffer.getvalue()).hexdigest()[:16])
print("sorted", sum(sorted((i * 7919) % 10007 for i in range(20000))[::100]))
