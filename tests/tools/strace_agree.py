#!/usr/bin/env python3
"""strace_agree.py PREFIX EVENTS: whether `sworn audit events` tells a run as strace does.

PREFIX.PID are the files of `strace -ff -v -o PREFIX`, EVENTS is the output of `sworn audit events` for a recording of
the same program. Threads are matched by who made them; of each the sequence of calls is compared: name, arguments and result, without
what differs from run to run (addresses, process numbers, times, inodes, random bytes). What is accepted to differ is
listed below, and nothing else. Prints the differences; exits 1 when there are any.
"""
import difflib
import glob
import re
import sys

# Calls that one side does not make, or that no two runs make alike. The first sort is the recording's doing.
ACCEPTED_CALLS = {
    "clock_gettime": "a recorded program has no vDSO: what it reads there natively is a call",
    "gettimeofday": "as clock_gettime",
    "time": "as clock_gettime",
    "getcpu": "as clock_gettime",
    "clone3": "refused in a recording, so that callers fall back to clone",
    "rseq": "refused in a recording",
    "clock_getres": "as clock_gettime",
    "fchmodat2": "newer than the strace that the tests use",
    "restart_syscall": "how a call goes on depends on when a signal came",
    "futex": "whether a thread has to wait depends on how far another one is",
    "sched_yield": "as often as the other side lets it wait",
    "getrandom": "the C library asks for what the kernel gave it with the image natively",
    "brk": "where memory is free depends on the layout",
    "set_robust_list": "made by the C library in clone's child on one side, in clone3's on the other",
    "rt_sigreturn": "a trace does not hold the mask that it brings back as an argument",
    "munmap": "thread stacks come and go by the C library's cache",
}
# Arguments that are left out, by call: how many are kept.
KEPT = {
    "execve": 2, "execveat": 3,  # the environment is changed by both
    "ioctl": 2,  # modes of terminals are words there and numbers here
    "arch_prctl": 1, "kcmp": 3, "capget": 0, "capset": 0,
    "uname": 0, "sysinfo": 0, "times": 0, "getrusage": 1, "statfs": 1, "fstatfs": 1,
    "mprotect": 0, "mmap": -2, "madvise": -1, "mremap": -1,
    "wait4": 3,  # usage
}
PIDS = {"getpid", "gettid", "getppid", "getpgrp", "getpgid", "getsid", "setsid", "setpgid", "kill", "tkill",
        "tgkill", "clone", "fork", "vfork", "wait4", "waitid", "set_tid_address", "pidfd_open", "rt_sigqueueinfo",
        "rt_tgsigqueueinfo", "kcmp", "process_vm_readv", "process_vm_writev", "ioctl", "getpriority"}
FIELDS = re.compile(r"\b(tv_sec|tv_usec|tv_nsec|st_[amc]time(?:_nsec)?|st_ino|stx_ino|st_blocks|stx_blocks|stx_mnt_id|d_ino|d_off|"
                    r"ru_\w+|si_pid|si_uid|si_utime|si_stime|pid|l_pid|nl_pid|uptime|sin_port|stx_attributes\w*|cmsg_pid)=(-?\w+(?:\(\d+\))?)")
ESCAPES = {"n": 10, "t": 9, "r": 13, "v": 11, "f": 12, '"': 34, "\\": 92}


def text_of(match):
    """A quoted string with its escapes undone, octal or hexadecimal, so that both sides write it alike."""
    text, out, i = match.group(1), [], 0
    while i < len(text):
        if text[i] != "\\":
            out.append(ord(text[i]))
            i += 1
        elif text[i + 1] == "x":
            out.append(int(text[i + 2:i + 4], 16))
            i += 4
        elif text[i + 1] in ESCAPES:
            out.append(ESCAPES[text[i + 1]])
            i += 2
        else:
            digits = re.match(r"[0-7]{1,3}", text[i + 1:]).group()
            out.append(int(digits, 8))
            i += 1 + len(digits)
    return '"' + "".join(chr(c) if 32 <= c < 127 and c not in b'"\\' else f"\\x{c:02x}" for c in out) + '"'


def arguments(text):
    """Splits at commas outside of brackets and strings."""
    parts, depth, quoted, start, i = [], 0, False, 0, 0
    while i < len(text):
        c = text[i]
        if quoted:
            if c == "\\":
                i += 1
            elif c == '"':
                quoted = False
        elif c == '"':
            quoted = True
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
        i += 1
    parts.append(text[start:].strip())
    return parts


def plain(text):
    text = re.sub(r'"((?:[^"\\]|\\.)*)"', text_of, text)
    text = re.sub(r" ?/\*.*?\*/", "", text)
    text = FIELDS.sub(lambda m: m.group(1) + "=N", text)
    text = re.sub(r"guest-\w{6}\b", "guest-NAME", text)  # mkdtemp
    return re.sub(r"0x[0-9a-f]{5,}", "ADDRESS", text)


def call_of(line):
    """(name, text that is compared, result) of a line of either side, or None."""
    match = re.match(r"(\w+)\((.*)\)\s+= (.*)$", line)
    if not match:
        return None
    name, given, result = match.groups()
    parts = arguments(given)
    kept = KEPT.get(name)
    if kept is not None:
        parts = parts[:kept] if kept >= 0 else parts[-kept:]
    result = re.sub(r"(-1 E\w+) .*", r"\1", result)
    result = re.sub(r"^\?.*", "?", result)
    result = re.sub(r" \((?!flags).*", "", result)
    text = ", ".join(plain(part) for part in parts)
    if name in PIDS:
        text = re.sub(r"\b\d+\b", "P", text)
        if re.match(r"\d+$", result) and (result != "0" or name.startswith("get")):
            result = "P"
    if name == "prlimit64" or name.startswith("sched_"):
        text = re.sub(r"^\d+", "P", text)
    if name in ("splice", "copy_file_range"):  # strace does not say where the positions went
        text = re.sub(r" => \[\d+\]", "", text)
    if name == "ioctl":
        text = re.sub(r"\w+ or ", "", text)
    result = re.sub(r"0x[0-9a-f]{5,}", "ADDRESS", result)
    return name, f"{name}({text}) = {result}", match.group(3)


def is_clone(name):
    return name in ("clone", "clone3", "fork", "vfork")


def threads_of(lines, first):
    """Lines by thread, each thread under the path of who made it."""
    paths, result = {first: "0"}, {}
    queue = [first]
    while queue:
        thread = queue.pop()
        made = 0
        calls = result.setdefault(paths[thread], [])
        for line in lines.get(thread, []):
            call = call_of(line)
            if not call:
                continue
            name, text, returned = call
            if is_clone(name) and re.match(r"\d+$", returned):
                child = int(returned)
                if child not in paths:
                    made += 1
                    paths[child] = f"{paths[thread]}.{made}"
                    queue.append(child)
            # Calls without a name are newer than strace; how one ends that a signal or a death comes into depends on
            # when that is.
            if name.startswith("syscall_") or text.endswith((" = ?", " = -1 EINTR")) or is_clone(name):
                continue
            if name not in ACCEPTED_CALLS and "MAP_PRIVATE|MAP_ANONYMOUS, -1" not in text:
                calls.append(text)
    return result


def read_strace(prefix):
    lines, first = {}, None
    for path in glob.glob(glob.escape(prefix) + ".[0-9]*"):
        thread = int(path.rsplit(".", 1)[1])
        lines[thread] = open(path, encoding="latin-1").read().split("\n")
        if first is None or thread < first:
            first = thread
    return threads_of(lines, first)


def read_events(path):
    lines, first = {}, None
    for line in open(path, encoding="ascii"):
        match = re.match(r"\d+ (\d+)(?:/(\d+))? (.*)$", line)
        if not match:
            continue
        thread = int(match.group(2) or match.group(1))
        first = thread if first is None else first
        text = match.group(3)
        if not text.endswith("(refused)") or not text.startswith("clone3"):
            lines.setdefault(thread, []).append(text.replace(" (refused)", ""))
    return threads_of(lines, first)


def main():
    native, recorded = read_strace(sys.argv[1]), read_events(sys.argv[2])
    wrong = calls = 0
    for thread in sorted(set(native) | set(recorded)):
        a, b = native.get(thread, []), recorded.get(thread, [])
        calls += len(b)
        for line in difflib.unified_diff(a, b, "strace", "audit", lineterm="", n=0):
            if line[0] in "+-" and not line.startswith(("+++ ", "--- ")):
                wrong += 1
                print(f"thread {thread}: {line[:600]}")
    print(f"{calls} calls of {len(recorded)} threads compared, {wrong} lines differ")
    sys.exit(wrong > 0)


main()
