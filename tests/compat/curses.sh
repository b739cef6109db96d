#!/bin/bash
# curses: a full-screen program in a pseudo terminal
# group terminal
# needs python3
# packages python3
# version python3 --version
# differs what is written to a pseudo-terminal that was not read yet arrives when the kernel comes to it
set -e
cat > screen.py <<'EOF'
import curses, os, pty, sys
def main(window):
    curses.curs_set(0)
    for i in range(20):
        window.addstr(i, i, "line %d" % i)
        window.refresh()
    window.getch()
if len(sys.argv) > 1:
    curses.wrapper(main)
    sys.exit(7)
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execv(sys.executable, [sys.executable, "-B", "screen.py", "inner"])
out = b""
sent = False
try:
    while part := os.read(fd, 4096):
        out += part
        if b"19" in out and not sent:
            os.write(fd, b"q")
            sent = True
except OSError:
    pass
print(b"line" in out, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
EOF
python3 -B screen.py
