#!/bin/bash
# tar, cpio and squashfs of a tree
# group tools
# needs tar cpio mksquashfs unsquashfs
# packages tar cpio squashfs-tools
# version tar --version
set -e
mkdir a
for ((i = 0; i < 30; i++)); do seq 1 $((i * 100)) > "a/f$i"; done
ln -s f1 a/link && mkfifo a/fifo && ln a/f2 a/hard
tar -czf a.tgz a && tar -tzf a.tgz | wc -l
find a | cpio -o -H newc 2> /dev/null | cpio -t 2> /dev/null | wc -l
mksquashfs a a.sqfs -quiet -no-progress -processors 2 > /dev/null
unsquashfs -q -n -d out a.sqfs > /dev/null
diff a/f9 out/f9 && echo same
