"""service.py PORT LIST: answers GET /NAME with the lines of LIST that have it. The name goes to a shell as it came, which is
the mistake that the incident is about."""
import socket
import subprocess
import sys
import urllib.parse

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(5)
while True:
    caller, _ = listener.accept()
    request = caller.recv(4096).decode()
    name = urllib.parse.unquote(request.split()[1][1:])
    found = subprocess.run(f"grep {name} {sys.argv[2]}", shell=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    caller.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + found.stdout)
    caller.close()
