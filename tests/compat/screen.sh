#!/bin/bash
# screen: a detached session that runs a shell
# group terminal
# needs screen
# packages screen
# version screen --version
# output varies
set -e
export SCREENDIR=$PWD/sockets TERM=xterm SHELL=/bin/sh
mkdir -m 700 sockets
screen -c /dev/null -d -m -S one sh -c 'echo inside > out; sleep 0.3'
for ((i = 0; i < 50; i++)); do [ -s out ] && break; sleep 0.1; done
cat out
for ((i = 0; i < 50; i++)); do screen -ls | grep -q one || break; sleep 0.1; done
