#!/bin/bash
# lighttpd, fetched from with curl
# group servers
# needs lighttpd curl
# packages lighttpd curl
# version lighttpd -v
set -e
mkdir root
seq 1 5000 > root/file
printf 'server.document-root = "%s/root"\nserver.port = 28081\nserver.bind = "127.0.0.1"\nserver.errorlog = "%s/log"\n' "$PWD" "$PWD" > conf
lighttpd -D -f conf &
server=$!
until curl -s -o /dev/null http://127.0.0.1:28081/file; do sleep 0.1; done
for _ in 1 2 3; do curl -s http://127.0.0.1:28081/file | md5sum; done
curl -s -r 0-9 http://127.0.0.1:28081/file | wc -c
kill -INT $server
wait $server
