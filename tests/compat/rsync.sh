#!/bin/bash
# rsync: a local copy, a change, again
# group tools
# needs rsync
# packages rsync
# version rsync --version
set -e
mkdir a
for ((i = 0; i < 30; i++)); do seq 1 $((i * 100)) > "a/f$i"; done
rsync -a a/ b/
seq 1 50 >> a/f7 && rm a/f8
rsync -a --delete --checksum a/ b/
diff -r a b && ls b | wc -l
