#!/bin/bash
# pypy: a compiler at run time, threads, garbage collection
# group python
# needs pypy3
# packages pypy3
# version pypy3 --version
set -e
cat > all.py <<'EOF'
import threading, queue, json, subprocess
def primes(n):
    sieve = bytearray([1]) * (n + 1)
    for i in range(2, int(n ** 0.5) + 1):
        if sieve[i]:
            for j in range(i * i, n + 1, i):
                sieve[j] = 0
    return sum(sieve) - 2
print(primes(200000))
q = queue.Queue()
threads = [threading.Thread(target=lambda i=i: q.put(primes(1000 * i))) for i in range(1, 5)]
for t in threads: t.start()
for t in threads: t.join()
print(sorted(q.get() for _ in threads))
print(len(json.dumps([{"a": i} for i in range(20000)])))
print(subprocess.check_output(["echo", "child"]))
EOF
pypy3 all.py
