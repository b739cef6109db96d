"""Threads, queues, locks, timers, a socket server on loopback, and an sqlite database."""
import concurrent.futures
import hashlib
import queue
import socket
import sqlite3
import threading

work = queue.Queue()
results = []
lock = threading.Lock()


def consume():
    while True:
        item = work.get()
        if item is None:
            return
        digest = hashlib.sha256(str(item).encode() * 1000).hexdigest()
        with lock:
            results.append(int(digest[:8], 16))


threads = [threading.Thread(target=consume) for _ in range(6)]
for thread in threads:
    thread.start()
for i in range(300):
    work.put(i)
for _ in threads:
    work.put(None)
for thread in threads:
    thread.join()
print("consumed", len(results), sum(results))

with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print("pool", sum(pool.map(lambda n: sum(range(n)), range(500))))

event = threading.Event()
threading.Timer(0.01, event.set).start()
print("timer", event.wait(10), threading.Event().wait(0.005))

server = socket.create_server(("127.0.0.1", 0))


def serve():
    for _ in range(5):
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(4096):
                connection.sendall(data.upper())


thread = threading.Thread(target=serve)
thread.start()
for i in range(5):
    with socket.create_connection(server.getsockname()) as client:
        client.sendall(b"hello %d" % i)
        client.shutdown(socket.SHUT_WR)
        print(client.makefile().read())
thread.join()

with sqlite3.connect("database") as database:
    database.execute("create table item (id integer primary key, name text, value real)")
    database.executemany("insert into item (name, value) values (?, ?)", [(f"name{i % 50}", i / 7) for i in range(5000)])
    database.execute("create index by_name on item (name)")
    database.execute("delete from item where id % 3 = 0")
    for row in database.execute("select name, count(*), round(sum(value), 3) from item group by name order by 3 desc limit 3"):
        print(row)
database.close()
with sqlite3.connect("database") as database:
    print(database.execute("select count(*), max(id) from item").fetchone(), database.execute("pragma integrity_check").fetchone())
