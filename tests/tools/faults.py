#!/usr/bin/env python3
"""Lets calls of libc fail, one in each run, while sworn records, replays and verifies.

    faults.py SWORN PRELOAD DIRECTORY EACH SEED COMMAND...

PRELOAD is the library of tests/preload. Of every function EACH calls are chosen, with each error that it may have. A
recording has to go on as if nothing had happened, or end with 125, a message that names what to do, no
guest left, and a trace that is a prefix or not there. A replay or a check of a good trace says what it
always says, or that it could not tell (3), or that nothing could be written: never that the trace is bad.
"""
import ctypes
import errno
import os
import random
import struct
import subprocess
import sys
import time

POINTS = {"malloc": [errno.ENOMEM], "mmap": [errno.ENOMEM], "open": [errno.EMFILE, errno.EACCES],
          "write": [errno.ENOSPC, errno.EIO, errno.EINTR, 0], "read": [errno.EIO, errno.EINTR, 0], "fsync": [errno.EIO],
          "ftruncate": [errno.ENOSPC], "rename": [errno.EACCES], "memfd": [errno.EMFILE], "fork": [errno.EAGAIN],
          "thread": [errno.EAGAIN], "wait": [errno.EINTR], "guest_read": [errno.ENOMEM],
          "unlink": [errno.EACCES]}
SECONDS_MAX = 30


def run(arguments, preload, **variables):
    """Status, stdout, stderr of a run with the library; a process left behind is an error."""
    environment = {**os.environ, "LD_PRELOAD": preload, **variables}
    with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment) as process:
        try:
            out, err = process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None, b"", b"hangs"
    end = time.monotonic() + 1
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG | 0x40000000)
        except ChildProcessError:
            return process.returncode, out, err
        if not pid:
            if time.monotonic() > end:
                return None, out, err + b" a guest lives on"
            time.sleep(0.001)


def plain(sworn, *arguments):
    return subprocess.run([sworn, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=100, check=False).returncode


def chosen(preload, rng, each, directory, arguments):
    """All faults of one run: (point, number, error)."""
    path = os.path.join(directory, "counts")
    run(arguments, preload, FAULT_COUNT=path)
    with open(path, "rb") as file:
        counts = struct.unpack(f"{len(POINTS)}q", file.read())
    for (point, errors), count in zip(POINTS.items(), counts):
        numbers = range(1, count + 1)
        for number in numbers if count <= each else sorted(rng.sample(numbers, each)):
            for error in errors:
                # What cannot be written into a guest's memory is EIO too, and a difference.
                if (point, error) == ("write", errno.EIO) and "replay" in arguments:
                    continue
                yield point, number, error


def check_record(sworn, trace, outcome, whole):
    status, out, err = outcome
    if status == 0:
        if out != whole:
            return "the command printed something else"
        unsigned = ["--allow-unsigned"] if b"the trace will not be signed: " in err else []
        if plain(sworn, "verify", *unsigned, trace) or plain(sworn, "replay", *unsigned, trace):
            return "the trace is not good"
        if b"the trace will not be signed: \n" in err or (unsigned and plain(sworn, "verify", trace) != 5):
            return "that it is unsigned is not said"
        return None
    if status != 125:
        return "another status"
    if b"sworn record: " not in err or b"; " not in err:
        return "no message with what to do"
    # When the command came to its end, only the last step may be missing.
    ended = b"ended, but its trace" in err
    if os.path.exists(trace) and not (ended and plain(sworn, "verify", trace) == 0):
        return "an unfinished trace has the final name"
    if os.path.exists(trace + ".partial") and plain(sworn, "verify", trace + ".partial") not in ((0, 5) if ended else (5,)):
        return "what is left is not truncated"
    return None


def main():
    sworn, preload, directory, each, seed, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    rng = random.Random(int(seed))
    good, trace = os.path.join(directory, "good.sworn"), os.path.join(directory, "fault.sworn")
    whole = subprocess.run([sworn, "record", "-o", good, "--", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, check=True).stdout
    runs = bad = ended = 0
    for verb, arguments in (("record", ["-o", trace, "--", *command]), ("replay", [good]), ("verify", [good])):
        for point, number, error in chosen(preload, rng, int(each), directory, [sworn, verb, *arguments]):
            for path in (trace, trace + ".partial"):
                if verb == "record" and os.path.exists(path):
                    os.unlink(path)
            outcome = run([sworn, verb, *arguments], preload, FAULT=f"{point}:{number}:{error}")
            fault = None
            if verb == "record":
                fault = check_record(sworn, trace, outcome, whole)
            # A keystore that cannot be looked into vouches for nobody.
            elif outcome[0] == 5 and (point, error) == ("open", errno.EACCES) and b": untrusted" in outcome[1]:
                pass
            elif outcome[0] not in (0, 3) or (outcome[0] == 3 and not (outcome[1] + outcome[2]).strip()):
                fault = "another status, or no message"
            runs += 1
            ended += outcome[0] != 0
            if fault:
                bad += 1
                print(f"{verb} with FAULT={point}:{number}:{error}: {fault}: status {outcome[0]}: "
                      f"{(outcome[1] + outcome[2]).decode(errors='replace').strip()[-300:]}", flush=True)
    print(f"{runs} faults, {ended} ended the run, {bad} not taken as they should be")
    sys.exit(bad > 0 or ended == 0)


if __name__ == "__main__":
    main()
