"""client.py PORT NAME: asks the service for a name, as a browser would, and prints the answer."""
import socket
import sys
import time
import urllib.parse

for _ in range(100):
    try:
        service = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
service.sendall(b"GET /" + urllib.parse.quote(sys.argv[2]).encode() + b" HTTP/1.0\r\n\r\n")
answer = b""
while part := service.recv(4096):
    answer += part
print(answer.split(b"\r\n\r\n", 1)[1].decode(), end="")
