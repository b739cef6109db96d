#!/bin/bash
# nginx: two workers, fetched from with curl
# group servers
# needs nginx curl
# packages nginx-light curl
# version nginx -v
set -e
mkdir -p root logs
seq 1 5000 > root/file
cat > nginx.conf <<EOF
worker_processes 2;
daemon on;
pid $PWD/pid;
error_log $PWD/logs/error;
user root;
events { worker_connections 64; }
http {
	access_log $PWD/logs/access;
	client_body_temp_path $PWD/t1; proxy_temp_path $PWD/t2; fastcgi_temp_path $PWD/t3;
	uwsgi_temp_path $PWD/t4; scgi_temp_path $PWD/t5;
	server { listen unix:$PWD/socket; root $PWD/root; }
}
EOF
nginx -c "$PWD/nginx.conf" -p "$PWD"
for _ in 1 2 3 4 5; do curl -s --unix-socket socket http://localhost/file | md5sum; done
curl -s --unix-socket socket -o /dev/null -w '%{http_code}\n' http://localhost/none
nginx -c "$PWD/nginx.conf" -p "$PWD" -s quit
while [ -e pid ]; do sleep 0.05; done
wc -l < logs/access
