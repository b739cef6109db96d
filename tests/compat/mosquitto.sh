#!/bin/bash
# mosquitto: a broker on a unix socket
# group servers
# needs mosquitto
# packages mosquitto
# version mosquitto -h
set -e
printf 'listener 0 %s/socket\nallow_anonymous true\nuser root\n' "$PWD" > conf
mosquitto -c conf > log 2>&1 &
server=$!
for ((i = 0; i < 50; i++)); do [ -S socket ] && break; sleep 0.1; done
[ -S socket ] && echo listens
kill $server
wait $server && echo ended
