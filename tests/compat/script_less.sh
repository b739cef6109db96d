#!/bin/bash
# script, less and top in a pseudo terminal
# group terminal
# needs script less
# packages bsdutils less
# version less --version
# differs what is written to a pseudo-terminal that was not read yet arrives when the kernel comes to it
# output varies
set -e
seq 1 1000 > text
TERM=xterm script -qec 'less +G -E -F text' /dev/null < /dev/null | tail -n 2
TERM=xterm script -qec 'stty size; tty' /dev/null < /dev/null
