#!/bin/bash
# python: signal.alarm, tempfile, ctypes, mmap, subprocess, pty, resource
# group python
# needs python3
# packages python3
# version python3 --version
set -e
cat > system.py <<'EOF'
import ctypes, mmap, os, pty, resource, signal, subprocess, sys, tempfile, time, faulthandler

def alarm(number, frame):
    raise TimeoutError
signal.signal(signal.SIGALRM, alarm)
signal.alarm(1)
try:
    time.sleep(20)
except TimeoutError:
    print("alarm")
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    while True:
        time.sleep(0.01)
except TimeoutError:
    print("timer")
with tempfile.TemporaryDirectory() as d, tempfile.NamedTemporaryFile(dir=d) as f:
    f.write(b"x" * 10000)
    f.flush()
    with open(f.name, "r+b") as g, mmap.mmap(g.fileno(), 0) as m:
        m[0:4] = b"abcd"
        m.flush()
    f.seek(0)
    print(f.read(6))
libc = ctypes.CDLL(None)
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))(
    lambda a, b: a[0] - b[0])
numbers = (ctypes.c_int * 6)(5, 3, 9, 1, 7, 2)
libc.qsort(numbers, 6, 4, compare)
print(list(numbers))
print(subprocess.run(["sh", "-c", "cat; exit 3"], input=b"in", capture_output=True).returncode)
pid, fd = pty.fork()
if pid == 0:
    os.execlp("sh", "sh", "-c", "tty > /dev/null && echo on a terminal")
out = b""
try:
    while part := os.read(fd, 100):
        out += part
except OSError:
    pass
print(out, os.waitpid(pid, 0)[1])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0)
r = subprocess.run([sys.executable, "-X", "faulthandler", "-c", "import ctypes; ctypes.string_at(0)"],
    capture_output=True)
print(r.returncode, b"Segmentation" in r.stderr)
EOF
python3 -B system.py
