"""subprocess, pipes, signals, os.fork, multiprocessing and asyncio."""
import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time


def square(value):
    return value * value


def main():
    print(subprocess.run(["sort", "-r"], input="b\na\nc\n", capture_output=True, text=True, check=True).stdout.split())
    print(subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 7"], capture_output=True, check=False))
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        print(len(cat.communicate(b"y" * 300000)[0]))
    with subprocess.Popen(["sleep", "100"]) as sleeper:
        sleeper.terminate()
        print("terminated", sleeper.wait())
    try:
        subprocess.run(["sleep", "100"], timeout=0.05, check=False)
    except subprocess.TimeoutExpired:
        print("timed out")
    try:
        subprocess.run(["/nonexistent/program"], check=False)
    except FileNotFoundError as error:
        print(error.strerror)

    hits = []
    signal.signal(signal.SIGUSR1, lambda number, frame: hits.append(number))
    threading.Thread(target=lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
    while not hits:
        time.sleep(0.001)
    print("signal", hits[0] == signal.SIGUSR1)

    pid = os.fork()
    if pid == 0:
        os._exit(33)
    print("fork", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    with multiprocessing.Pool(3) as pool:
        print("pool", sum(pool.map(square, range(100))))

    async def part(number):
        await asyncio.sleep(0.001 * (5 - number))
        process = await asyncio.create_subprocess_exec("echo", str(number), stdout=asyncio.subprocess.PIPE)
        return int((await process.communicate())[0])

    async def everything():
        return await asyncio.gather(*(part(number) for number in range(5)))

    print("asyncio", asyncio.run(everything()))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
