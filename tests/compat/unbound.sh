#!/bin/bash
# unbound: two threads answer from local data, asked by python
# group servers
# needs unbound python3
# packages unbound python3
# version unbound -V
# root yes
set -e
cat > conf <<EOF
server:
	interface: 127.0.0.1
	port: 25353
	num-threads: 2
	chroot: ""
	username: ""
	directory: "$PWD"
	pidfile: "$PWD/pid"
	use-syslog: no
	logfile: "$PWD/log"
	local-zone: "small." static
	local-data: "a.small. A 10.1.2.3"
remote-control:
	control-enable: no
EOF
unbound -d -c conf &
server=$!
python3 - <<'EOF'
import socket, time
q = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x05small\x00\x00\x01\x00\x01"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.5)
for i in range(40):
    try:
        s.sendto(q, ("127.0.0.1", 25353))
        answer = s.recv(512)
        break
    except OSError:
        time.sleep(0.1)
for i in range(20):
    s.sendto(q, ("127.0.0.1", 25353))
    assert s.recv(512)[-4:] == bytes([10, 1, 2, 3])
print(list(answer[-4:]))
EOF
kill $server
wait $server || true
