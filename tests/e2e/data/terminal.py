"""Drives a recording on a terminal of its own, as a person would.

usage: terminal.py CASE SWORN TRACE     prints how the recorder ended; 1 when the terminal showed something else
"""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

LIMIT = 30
INTERRUPT, SUSPEND, END = "\x03", "\x1a", "\x04"


class Terminal:
    def __init__(self, *command):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["PS1"] = "$ "
            os.environ["TERM"] = "dumb"
            os.execvp(command[0], command)

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        try:
            return os.read(self.fd, 4096)
        except OSError:
            return b""

    def until(self, text):
        """Reads up to and with `text`."""
        end = time.monotonic() + LIMIT
        while text.encode() not in self.seen:
            if time.monotonic() > end:
                self.fail(f"waited for {text!r}")
            self.seen += self.read(1)
        self.seen = self.seen[self.seen.index(text.encode()) + len(text):]

    def type(self, text):
        os.write(self.fd, text.encode())

    def ask(self, command, answer):
        """At a prompt: `command`, its answer, and the next prompt."""
        self.type(command + "\n")
        self.until(answer)
        self.until("$ ")

    def fail(self, why):
        os.kill(self.pid, 9)
        sys.exit(f"terminal: {why}; it showed {self.seen[-300:]!r}")

    def end(self):
        """What waitpid says once the program has ended."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            self.seen += self.read(0.1)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return status
        self.fail("the program goes on")


def recording(trace, *command):
    return Terminal(SWORN, "record", "-o", trace, "--", *command)


def sleeping(terminal, before):
    """Returns once another process group has the terminal; what is typed before may be lost."""
    end = time.monotonic() + LIMIT
    while os.tcgetpgrp(terminal.fd) == before and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.1)


def shell(trace):
    """An interactive shell: jobs are interrupted, stopped and brought back; the window changes."""
    terminal = recording(trace, "bash", "--norc", "-i")
    terminal.until("$ ")
    own = os.tcgetpgrp(terminal.fd)
    terminal.ask("echo a$((1 + 1))b", "a2b")
    terminal.type("cat\n")
    sleeping(terminal, own)
    terminal.type(INTERRUPT)
    terminal.until("^C")
    terminal.until("$ ")
    terminal.type("cat\n")
    sleeping(terminal, own)
    terminal.type(SUSPEND)
    terminal.until("Stopped")
    terminal.until("$ ")
    terminal.type("fg\n")
    sleeping(terminal, own)
    terminal.type(INTERRUPT)
    terminal.until("$ ")
    terminal.ask("trap 'echo new size' WINCH; stty size", "0 0")
    fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 90, 0, 0))
    terminal.ask("stty size", "30 90")
    terminal.type("cat\n")
    sleeping(terminal, own)
    terminal.type("text\n")
    terminal.until("text\r\ntext")
    terminal.type(END)
    terminal.until("$ ")
    terminal.type("exit 5\n")
    return terminal.end()


def interrupt(trace):
    terminal = recording(trace, "sh", "-c", "echo started; while :; do :; done")
    terminal.until("started")
    terminal.type(INTERRUPT)
    return terminal.end()


def left_behind(trace):
    """A process in a session of its own hears nothing of the terminal."""
    terminal = recording(trace, "sh", "-c", "setsid sleep 1000 & echo left; exit 3")
    terminal.until("left")
    time.sleep(0.5)
    terminal.type(INTERRUPT)
    return terminal.end()


def suspend(trace):
    """The recording itself is a job of a shell."""
    terminal = Terminal("bash", "--norc", "-i")
    terminal.until("$ ")
    own = os.tcgetpgrp(terminal.fd)
    terminal.type(f"'{SWORN}' record -o '{trace}' -- cat\n")
    sleeping(terminal, own)
    terminal.type("one\n")
    terminal.until("one\r\none")
    terminal.type(SUSPEND)
    terminal.until("Stopped")
    terminal.until("$ ")
    terminal.ask("jobs", "Stopped")
    terminal.type("fg\n")
    sleeping(terminal, own)
    terminal.type("two\n")
    terminal.until("two\r\ntwo")
    terminal.type(END)
    terminal.until("to repeat the run")
    terminal.until("$ ")
    terminal.type("exit 4\n")
    return terminal.end()


def hangup(trace):
    terminal = recording(trace, "bash", "--norc", "-i")
    terminal.until("$ ")
    os.close(terminal.fd)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        pid, _ = os.waitpid(terminal.pid, os.WNOHANG)
        if pid:
            return 0
        time.sleep(0.05)
    os.kill(terminal.pid, 9)
    sys.exit("terminal: the recording outlives it")


SWORN = sys.argv[2]
print(os.waitstatus_to_exitcode({f.__name__: f for f in (shell, interrupt, left_behind, suspend, hangup)}
                                [sys.argv[1]](sys.argv[3])))
