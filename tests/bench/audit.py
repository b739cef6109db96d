#!/usr/bin/env python3
"""What the questions of `sworn audit` cost on long traces: seconds, processor time and memory of each.

    audit.py [--calls N] [--keep DIR] [QUESTION...]

SWORN names the binary, GUESTS the directory of the guest programs. Records two traces of N calls (2,000,000): one that does the same over and
over, and one in which every eighth call makes another file. Then each question is asked once. Exit status 1 when a run goes wrong.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
QUESTIONS = ["info", "ps", "exec", "files", "net", "signals", "env", "timeline", "stats", "events", "show 1000", "cat fd:1:1", "grep nothing", "diff"]


def run(command, directory, allowed=(0,)):
    """Seconds, processor seconds, and the most memory in MB."""
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        said = process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        sys.exit(f"audit bench: {' '.join(command)} exits with {process.returncode}: {said[-500:]}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000000)
    parser.add_argument("--keep", metavar="DIR", help="where the traces are, or stay")
    parser.add_argument("questions", nargs="*", metavar="QUESTION", default=QUESTIONS)
    options = parser.parse_args()
    sworn, guests = os.path.realpath(os.environ["SWORN"]), os.path.realpath(os.environ["GUESTS"])
    with tempfile.TemporaryDirectory(prefix="sworn-bench.") as directory:
        place = os.path.realpath(options.keep) if options.keep else directory
        os.makedirs(place, exist_ok=True)
        os.environ["SWORN_KEYSTORE"] = os.path.join(place, "keys")
        files = os.path.join(directory, "files")
        subprocess.run(["cc", "-O1", "-o", files, os.path.join(HERE, "files.c")], check=True)
        print(f"{'trace':<10}{'question':<16}{'s':>8}{'cpu s':>8}{'MB':>8}{'events/s':>12}")
        for name, program in (("getppid", os.path.join(guests, "getppid")), ("files", files)):
            trace = os.path.join(place, name + ".sworn")
            work = os.path.join(directory, "in-" + name)
            os.mkdir(work)
            if not os.path.exists(trace):
                run([sworn, "record", "-o", trace, "--", program, str(options.calls)], work)
            for question in options.questions:
                words = question.split() + ([trace] if question == "diff" else [])
                wall, cpu, memory = run([sworn, "audit", *words, trace], work, (0, 4))
                print(f"{name:<10}{question:<16}{wall:>8.2f}{cpu:>8.2f}{memory:>8.0f}{options.calls / cpu:>12.0f}", flush=True)


if __name__ == "__main__":
    main()
