#!/usr/bin/python3
"""A second reader of Sworn traces, written from docs/FORMAT.md alone.

usage: reader.py [--store DIR] [--key PUBLIC-KEY] TRACE     lists the events as `sworn verify --list` does

Checks all that the format says a reader checks, as verifier.py does, and exits 1 with one line on stderr otherwise. Whose signature the HEADER has
is checked with --key only.
"""
import sys

from sworn_format import RECORDER
from verifier import Other, Refused, Verifier


def read(data, store, key):
    verifier = Verifier(data, store, None, lambda event: sys.stdout.write(event.line() + "\n"))
    verifier.read()
    if key is not None:
        verifier.envelope.check(RECORDER, key)


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
            read(file.read(), store, key)
    except (Other, Refused, OSError) as error:
        sys.stdout.flush()
        sys.stderr.write("%s: %s\n" % (arguments[0], error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
