#!/bin/bash
# python: multiprocessing, pools, shared memory, queues
# group python
# needs python3
# packages python3
# version python3 --version
set -e
cat > multi.py <<'EOF'
import multiprocessing as mp
from multiprocessing import shared_memory
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

def square(x):
    return x * x

def feed(queue, count):
    for i in range(count):
        queue.put(i)
    queue.put(None)

def fill(name):
    memory = shared_memory.SharedMemory(name)
    memory.buf[:5] = b"hello"
    memory.close()

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = mp.get_context(method)
        with context.Pool(3) as pool:
            print(method, sum(pool.map(square, range(200))))
        queue = context.Queue()
        process = context.Process(target=feed, args=(queue, 50))
        process.start()
        print(sum(iter(queue.get, None)))
        process.join()
        value = context.Value("i", 0)
        print(value.value)
    memory = shared_memory.SharedMemory(create=True, size=4096)
    process = mp.Process(target=fill, args=(memory.name,))
    process.start()
    process.join()
    print(bytes(memory.buf[:5]))
    memory.close()
    memory.unlink()
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(square, range(10))))
    with ThreadPoolExecutor(4) as pool:
        print(list(pool.map(square, range(10))))
    manager = mp.Manager()
    shared = manager.dict()
    shared["a"] = 1
    print(dict(shared))
    manager.shutdown()
EOF
python3 -B multi.py
