#!/bin/bash
# find and xargs -P4, and pipelines of many processes
# group tools
# needs find xargs
# packages findutils
# version find --version
set -e
mkdir d
for ((i = 0; i < 60; i++)); do seq 1 $((i * 10)) > "d/f$i"; done
find d -type f -print0 | xargs -0 -P4 -n3 md5sum | sort | md5sum
seq 1 2000 | xargs -n50 -P4 echo | tr ' ' '\n' | sort -n | tail -n 1
