"""collector.py PORT FILE: takes one connection and writes what it sends into FILE."""
import socket
import sys

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(1)
caller, _ = listener.accept()
received = b""
while part := caller.recv(4096):
    received += part
with open(sys.argv[2], "wb") as file:
    file.write(received)
