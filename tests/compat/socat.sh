#!/bin/bash
# socat: relays between TCP, unix sockets, pipes and processes
# group network
# needs socat
# packages socat
# version socat -V | sed -n 2p
set -e
socat UNIX-LISTEN:"$PWD/a",fork EXEC:'tr a-z A-Z' &
one=$!
socat TCP-LISTEN:25551,bind=127.0.0.1,reuseaddr,fork UNIX-CONNECT:"$PWD/a" &
two=$!
until [ -S a ]; do sleep 0.05; done
sleep 0.3
for i in 1 2 3; do echo "line $i" | socat -t 5 - TCP:127.0.0.1:25551; done
kill $one $two
socat -u UDP-RECV:25552,bind=127.0.0.1 CREATE:udp &
three=$!
sleep 0.2
echo datagram | socat -u - UDP-SENDTO:127.0.0.1:25552
for ((i = 0; i < 50; i++)); do [ -s udp ] && break; sleep 0.1; done
cat udp
kill $three
