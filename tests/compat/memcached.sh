#!/bin/bash
# memcached: four threads, sets and gets, stopped by a signal
# group servers
# needs memcached python3
# packages memcached
# version memcached --version
set -e
memcached -u root -s "$PWD/socket" -t 4 &
server=$!
until [ -S socket ]; do sleep 0.05; done
python3 - <<'EOF'
import socket
for c in range(4):
    s = socket.socket(socket.AF_UNIX)
    s.connect("socket")
    f = s.makefile("rw", newline="")
    for i in range(200):
        f.write("set k%d 0 0 5\r\n%05d\r\n" % (i, i + c)); f.flush()
        assert f.readline() == "STORED\r\n"
    f.write("get k7\r\n"); f.flush()
    print(f.readline().strip(), f.readline().strip(), f.readline().strip())
    s.close()
EOF
kill $server
wait $server || echo "status $?"
