#!/bin/bash
# bash: job control, traps, coprocesses, process substitution
# group scripts
# needs bash
# packages bash
# version bash --version
set -m
sleep 0.2 & sleep 0.1 &
wait
trap 'echo usr1' USR1
kill -USR1 $$
trap 'echo exit' EXIT
coproc cat
echo coprocess >&"${COPROC[1]}"
read -r line <&"${COPROC[0]}"
echo "$line"
diff <(seq 1 5) <(seq 1 6)
(trap 'echo term; exit 5' TERM; sleep 1 & wait) &
sleep 0.2
kill -TERM $!
wait $!
echo "status $?"
timeout 0.2 sleep 20
echo "status $?"
timeout -s KILL 0.2 sh -c 'while :; do :; done'
echo "status $?"
for ((i = 0; i < 20000; i++)); do ((sum += i * i)); done
echo $sum
