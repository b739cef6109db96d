#!/bin/bash
# python: asyncio server and clients, socketserver, select, http.server
# group python
# needs python3
# packages python3
# version python3 --version
set -e
cat > net.py <<'EOF'
import asyncio, socketserver, socket, threading, http.server, urllib.request

async def main():
    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async def client(i):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"client %d\n" % i)
        answer = await reader.readline()
        writer.close()
        return answer
    print(await asyncio.gather(*(client(i) for i in range(10))))
    process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    print(await process.communicate(b"through cat"))
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.05)
    except asyncio.TimeoutError:
        print("timeout")
    server.close()
    print(await asyncio.to_thread(sum, range(100)))

asyncio.run(main())

class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())

with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for i in range(5):
        with socket.create_connection(server.server_address) as s:
            s.sendall(b"%d\n" % i)
            print(s.recv(100))
    server.shutdown()

class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())
    def log_message(self, *arguments):
        pass

with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for i in range(3):
        print(urllib.request.urlopen("http://127.0.0.1:%d/%d" % (server.server_port, i)).read())
    server.shutdown()
EOF
python3 -B net.py
