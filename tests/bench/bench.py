#!/usr/bin/env python3
"""What recording and replay cost: medians of interleaved runs of programs and a loop of calls.

    bench.py [--runs N] [--json FILE] [NAME...]

SWORN names the binary, GUESTS the directory of the guest programs. Each round runs every program
natively, recorded in both modes (seeded, as by itself, and observed) and replayed from both, one after the other, so that a change of the machine's speed
meets all of them. What signing costs is the median of the differences in processor time between a recording with keys and one of the same seed where no keystore can be
made, which is unsigned for that and does all else alike. Programs that are not installed are named and left out. Exit status 1 when a run goes wrong.
"""
import argparse
import json
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

CALLS = 20000
UNSIGNED = "file/data"  # a data home below a file: nothing can be made there
RATIOS = ("seeded", "observed", "replay_seeded", "replay_observed")
HERE = os.path.dirname(os.path.realpath(__file__))
CALCULATOR = os.path.join(HERE, "..", "e2e", "data", "calculator.c")
BUILD = ".PHONY: all\nall: 1.o 2.o 3.o 4.o 5.o 6.o\n%.o:\n\tgcc -O2 -c -o $@ $(SOURCE)\n"
GIT = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main", "-c", "safe.directory=*"]
PYTHON = """
import hashlib, json
data = json.dumps([{"number": i, "text": str(i) * 5} for i in range(20000)])
print(len(json.loads(data)), hashlib.sha256(data.encode() * 10).hexdigest())
"""


def git(*words):
    return " ".join(["git", *GIT, *words])


def programs(guests):
    """Name, needed program, command. Each starts in an empty directory."""
    python = os.path.realpath(sys.executable)
    commits = f"{git('init -q .')} && for i in 1 2 3 4 5; do seq $i 1000 > f$i; {git('add .')}; {git('commit -q -m $i')}; done; {git('log --stat')}"
    return [
        ("ls", "ls", ["ls", "-lR", "/usr/include"]),
        ("awk", "awk", ["sh", "-c", "seq 1 200000 | awk '{s+=$1} END {print s}'"]),
        ("python", python, [python, "-B", "-c", PYTHON]),
        ("git", "git", ["sh", "-c", commits]),
        ("gcc", "gcc", ["gcc", "-O2", "-o", "calculator", CALCULATOR, "-lm"]),
        ("sort", "sort", ["sh", "-c", "seq 1 300000 | tac | sort --parallel=2 -n | tail -n 1"]),
        ("build", "make", ["make", "-sr", "-j2", "--eval", BUILD, "SOURCE=" + CALCULATOR]),
        ("getppid", os.path.join(guests, "getppid"), [os.path.join(guests, "getppid"), str(CALLS)]),
    ]


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} processors, Linux {platform.release()}"


def processor_time():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def timed(command, directory, data):
    """Seconds that it took, and seconds of processor time, with its data home at `data`."""
    before, start = processor_time(), time.perf_counter()
    run = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, check=False, env={**os.environ, "XDG_DATA_HOME": data})
    seconds, used = time.perf_counter() - start, processor_time() - before
    if run.returncode != 0:
        said = (run.stdout + run.stderr).decode(errors="replace")[-500:]
        raise RuntimeError(f"{' '.join(command)[:200]} exits with {run.returncode}: {said}")
    if (b"will not be signed" in run.stderr) != data.endswith(UNSIGNED):
        raise RuntimeError(f"{' '.join(command)[:200]}: signed, or not signed, and not meant to be")
    return seconds, used


class Program:
    """One program's measured times, in seconds, and the size of its trace."""

    def __init__(self, name, command):
        self.name, self.command = name, command
        self.times = {"native": [], "seeded": [], "unsigned": [], "observed": [], "replay_seeded": [], "replay_observed": []}
        if name == "build":
            self.times["workers"] = []
        self.used = {mode: [] for mode in self.times}
        self.events = self.bytes = 0

    def round(self, sworn, directory):
        trace = os.path.join(directory, "traces", self.name + ".sworn")
        observed = os.path.join(directory, "traces", self.name + ".observed.sworn")
        unsigned = os.path.join(directory, "traces", self.name + ".unsigned.sworn")
        work = os.path.join(directory, "work")
        # One seed for the two that are compared: another one gives another schedule, and other work.
        seed = ["--seed", str(len(self.times["native"]))]
        for mode, command in (("native", self.command),
                              ("seeded", [sworn, "record", *seed, "-o", trace, "--", *self.command]),
                              ("unsigned", [sworn, "record", *seed, "-o", unsigned, "--", *self.command]),
                              ("observed", [sworn, "record", "--schedule", "observed", "-o", observed, "--", *self.command]),
                              ("replay_seeded", [sworn, "replay", trace]),
                              ("replay_observed", [sworn, "replay", observed]),
                              ("workers", [sworn, "replay", "-j", "2", trace])):
            if mode not in self.times:
                continue
            shutil.rmtree(work, ignore_errors=True)
            os.mkdir(work)
            seconds, used = timed(command, work, os.path.join(directory, UNSIGNED if mode == "unsigned" else "data"))
            self.times[mode].append(seconds)
            self.used[mode].append(used)
        self.bytes = os.stat(trace).st_size
        said = subprocess.run([sworn, "verify", trace], env={**os.environ, "XDG_DATA_HOME": os.path.join(directory, "data")}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        self.events = int(re.search(r"\bevents\s+(\d+)", said.stdout)[1])

    def result(self):
        medians = {mode: statistics.median(times) for mode, times in self.times.items()}
        result = {f"{mode}_ms": round(seconds * 1000, 2) for mode, seconds in medians.items()}
        signing = statistics.median(a - b for a, b in zip(self.used["seeded"], self.used["unsigned"]))
        result["signing_cpu_ms"] = round(signing * 1000, 2)
        result["signing_cpu_percent"] = round(100 * signing / statistics.median(self.used["unsigned"]), 2)
        result["seeded_to_observed"] = round(medians["seeded"] / medians["observed"], 2)
        for mode in RATIOS:
            result[f"{mode}_ratio"] = round(medians[mode] / medians["native"], 2)
            if self.name == "getppid":
                result[f"{mode}_us_per_call"] = round((medians[mode] - medians["native"]) * 1e6 / CALLS, 2)
        return {"name": self.name, **result, "events": self.events, "bytes": self.bytes}


def table(results):
    print(f"{'program':<10}{'native ms':>11}{'seeded x':>10}{'observed x':>12}{'replay x':>10}{'(observed)':>12}{'seeded/obs':>12}{'signing ms':>12}{'%':>7}{'events':>9}{'bytes':>11}")
    for r in results:
        print(f"{r['name']:<10}{r['native_ms']:>11.1f}{r['seeded_ratio']:>10.2f}{r['observed_ratio']:>12.2f}{r['replay_seeded_ratio']:>10.2f}"
              f"{r['replay_observed_ratio']:>12.2f}{r['seeded_to_observed']:>12.2f}{r['signing_cpu_ms']:>12.2f}{r['signing_cpu_percent']:>7.2f}{r['events']:>9}{r['bytes']:>11}")
        if "workers_ms" in r:
            print(f"replay -j 2 of the build: {r['workers_ms']} ms, {r['replay_seeded_ms'] / r['workers_ms']:.2f} times as fast as one worker")
        if "seeded_us_per_call" in r:
            print(f"a call costs {r['seeded_us_per_call']} us seeded, {r['observed_us_per_call']} us observed, "
                  f"{r['replay_seeded_us_per_call']} us replayed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the results there, - for stdout instead of the table")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    try:
        sworn, guests = os.path.realpath(os.environ["SWORN"]), os.path.realpath(os.environ["GUESTS"])
    except KeyError as missing:
        parser.error(f"{missing} is not set")
    chosen = []
    for name, needed, command in programs(guests):
        if options.names and name not in options.names:
            continue
        if shutil.which(needed):
            chosen.append(Program(name, command))
        else:
            print(f"skipped: {name}: {needed} is not installed", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="sworn-bench.") as directory:
        os.mkdir(os.path.join(directory, "traces"))
        os.environ["HOME"] = directory
        with open(os.path.join(directory, "file"), "w", encoding="ascii"):
            pass
        try:
            for _ in range(options.runs):
                for program in chosen:
                    program.round(sworn, directory)
        except RuntimeError as error:
            sys.exit(f"bench: {error}")
    results = [program.result() for program in chosen]
    report = {"schema": 1, "kind": "bench", "machine": machine(), "runs": options.runs, "programs": results}
    if options.json == "-":
        json.dump(report, sys.stdout, indent=1)
        print()
        return
    print(f"{report['machine']}; medians of {options.runs} interleaved runs")
    table(results)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


main()
