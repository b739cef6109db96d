#!/usr/bin/env python3
"""Kills the verbs that write into stores, and lets their calls fail, at every place where they change a file.

    store_faults.py SWORN PRELOAD DIRECTORY EACH SEED TRACE

PRELOAD is the library of tests/preload; TRACE is self-contained. Of every function EACH calls are chosen: before one the process is
killed, or it fails with each error. Then every trace in the store is whole, @latest names one, the file asked for is whole or not there, and the verb
does what it should when it is run again. A failure exits with 3 and says what to do.
"""
import errno
import os
import random
import shutil
import struct
import subprocess
import sys

from faults import POINTS

KILL = -9
ERRORS = {"write": [KILL, errno.ENOSPC, 0], "fsync": [KILL, errno.EIO], "rename": [KILL, errno.EACCES], "unlink": [KILL, errno.EACCES],
          "ftruncate": [KILL, errno.ENOSPC], "open": [KILL, errno.EMFILE], "malloc": [errno.ENOMEM]}
SECONDS_MAX = 60


class Place:
    """A directory with a store of two recordings, one of them cut off, and the verbs to try in it."""

    def __init__(self, sworn, preload, directory, trace):
        self.sworn, self.preload, self.directory = sworn, preload, directory
        self.store, self.good, self.out = (os.path.join(directory, name) for name in ("store", "store.good", "out.sworn"))
        self.trace, self.cut = trace, os.path.join(directory, "cut.sworn")
        with open(trace, "rb") as file, open(self.cut, "wb") as out:
            out.write(file.read()[:-300])
        for command in (["true"], ["sh", "-c", "echo two"]):
            subprocess.run([sworn, "record", "--store", self.good, "--", *command], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    def fresh(self):
        shutil.rmtree(self.store, ignore_errors=True)
        shutil.copytree(self.good, self.store, symlinks=True)
        for path in (self.out, self.out + ".new"):
            if os.path.exists(path):
                os.unlink(path)

    def verbs(self):
        store = ["--store", self.store]
        return {"pack": ["pack", *store, "-o", self.out], "unpack": ["unpack", *store, self.trace],
                "import": ["import", *store, self.trace], "repair": ["repair", *store, self.cut],
                "rm": ["rm", *store, "@latest"], "record": ["record", *store, "--", "true"]}

    def run(self, arguments, **variables):
        run = subprocess.run([self.sworn, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env={**os.environ, **({"LD_PRELOAD": self.preload, **variables} if variables else {})},
                             timeout=SECONDS_MAX, check=False)
        return run.returncode, run.stdout + run.stderr

    def traces(self):
        folder = os.path.join(self.store, "traces")
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".sworn")]

    def broken(self):
        """What is not whole, or nothing."""
        paths = self.traces() + [path for path in [self.out] if os.path.exists(path)]
        if paths and (found := self.run(["verify", "--allow-repaired", "--allow-unsigned", *paths]))[0]:
            return found[1].decode(errors="replace")[-300:]
        latest = os.path.join(self.store, "latest")
        if os.path.islink(latest) and not os.path.exists(latest):
            return "latest names nothing"
        return None

    def wrong(self, verb, arguments, fault):
        point, number, error = fault
        self.fresh()
        before = len(self.traces())
        code, said = self.run(arguments, FAULT=f"{point}:{number}:{error}")
        if error == KILL and code != KILL or error != KILL and code not in ((0, 125) if verb == "record" else (0, 3)):
            return f"exits with {code}: {said[-300:]}"
        if code > 0 and b"; " not in said:
            return f"does not say what to do: {said[-300:]}"
        if broken := self.broken():
            return broken
        if verb != "rm" and len(self.traces()) < before:
            return "a trace is gone"
        code, said = self.run(arguments)
        if code:
            return f"run again it exits with {code}: {said[-300:]}"
        code, said = self.run(["rm", "--store", self.store, "--unused"])
        left = [name for _, _, names in os.walk(self.store) for name in names if name.endswith(".new") or name.startswith(".")]
        if code or left:
            return f"left behind {left}: {said[-300:]}"
        return self.broken()

    def chosen(self, rng, each, arguments):
        path = os.path.join(self.directory, "counts")
        self.fresh()
        self.run(arguments, FAULT_COUNT=path)
        with open(path, "rb") as file:
            counts = dict(zip(POINTS, struct.unpack(f"{len(POINTS)}q", file.read())))
        for point, errors in ERRORS.items():
            numbers = range(1, counts[point] + 1)
            for number in numbers if counts[point] <= each else sorted(rng.sample(numbers, each)):
                for error in errors:
                    yield point, number, error


def main():
    sworn, preload, directory, each, seed, trace = sys.argv[1:]
    place, rng = Place(sworn, preload, directory, trace), random.Random(int(seed))
    runs = bad = 0
    for verb, arguments in place.verbs().items():
        for fault in place.chosen(rng, int(each), arguments):
            wrong = place.wrong(verb, arguments, fault)
            runs += 1
            if wrong:
                bad += 1
                print(f"{verb} with FAULT={':'.join(map(str, fault))}: {wrong}", flush=True)
    print(f"{runs} faults and kills, {bad} left something that is not whole")
    sys.exit(bad > 0 or runs < 20)


if __name__ == "__main__":
    main()
