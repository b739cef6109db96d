#!/bin/bash
# redis: server and redis-benchmark over TCP
# group databases
# needs redis-server redis-benchmark
# packages redis-server redis-tools
# version redis-server --version
# output varies
set -e
redis-server --port 26379 --bind 127.0.0.1 --daemonize no --save '' > server.log &
until redis-cli -p 26379 ping > /dev/null 2>&1; do sleep 0.1; done
redis-benchmark -p 26379 -n 2000 -c 10 -q -t set,get
redis-cli -p 26379 shutdown nosave || true
wait
