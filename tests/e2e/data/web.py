"""An HTTP server and its clients, threads of one process or, given a command, a process of its own."""
import hashlib
import http.server
import subprocess
import sys
import threading
import urllib.error
import urllib.request


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/no"):
            self.answer(404, b"not here\n")
        else:
            self.answer(200, (self.path + "\n").encode() * 20000)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(201, hashlib.sha256(body).hexdigest().encode())

    def log_message(self, *_):
        pass


def ask(url, results, number):
    with urllib.request.urlopen(f"{url}/page/{number}") as answer:
        results[number] = len(answer.read())


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
serving = threading.Thread(target=server.serve_forever)
serving.start()
url = f"http://127.0.0.1:{server.server_port}"
if len(sys.argv) > 1:
    status = subprocess.run([word.replace("URL", url) for word in sys.argv[1:]]).returncode
    print("the command ended with", status)
else:
    results = [0] * 6
    clients = [threading.Thread(target=ask, args=(url, results, n)) for n in range(6)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    print(results)
    print(urllib.request.urlopen(url + "/post", data=b"much data " * 50000).read().decode())
    try:
        urllib.request.urlopen(url + "/nowhere")
    except urllib.error.HTTPError as error:
        print(error.code, error.read())
    try:
        urllib.request.urlopen("http://nosuch.invalid/")
    except urllib.error.URLError as error:
        print(type(error.reason).__name__)
server.shutdown()
serving.join()
server.server_close()
