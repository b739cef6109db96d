#!/bin/bash
# redis: server, 5,000 writes through redis-cli, a background save, shutdown
# group databases
# needs redis-server redis-cli
# packages redis-server redis-tools
# version redis-server --version
set -e
redis-server --port 0 --unixsocket "$PWD/socket" --daemonize no --appendonly yes --save '' > server.log &
for ((i = 0; i < 100; i++)); do [ -S socket ] && break; sleep 0.1; done
for ((i = 0; i < 5000; i++)); do echo "SET key$i value$i"; done | redis-cli -s socket | sort | uniq -c
redis-cli -s socket bgsave
while redis-cli -s socket info persistence | grep -q 'bgsave_in_progress:1'; do sleep 0.05; done
redis-cli -s socket dbsize
redis-cli -s socket get key4321
redis-cli -s socket save
redis-cli -s socket shutdown nosave || true
wait
