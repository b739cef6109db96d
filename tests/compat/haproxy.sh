#!/bin/bash
# haproxy: two threads before a small server
# group servers
# needs haproxy curl python3
# packages haproxy curl python3
# version haproxy -v
set -e
mkdir root && seq 1 1000 > root/file
python3 -m http.server -d root -b 127.0.0.1 28082 > server.log 2>&1 &
server=$!
cat > conf <<'EOF'
global
	nbthread 2
defaults
	mode http
	timeout connect 5s
	timeout client 5s
	timeout server 5s
frontend f
	bind 127.0.0.1:28083
	default_backend b
backend b
	server s 127.0.0.1:28082
EOF
haproxy -f conf > haproxy.log 2>&1 &
proxy=$!
for ((i = 0; i < 100; i++)); do curl -sf -o /dev/null http://127.0.0.1:28083/file && break; sleep 0.1; done
for i in 1 2 3 4 5; do curl -s http://127.0.0.1:28083/file | md5sum; done
kill -TERM $proxy $server
wait || true
