#!/bin/bash
# busybox: ash, awk, tar, sed and a pipe
# group tools
# needs busybox
# packages busybox
# version busybox
set -e
busybox ash -c 'i=0; while [ $i -lt 500 ]; do i=$((i + 1)); echo $i; done | busybox awk "{ s += \$1 } END { print s }"'
mkdir d; busybox seq 1 100 > d/f
busybox tar c d | busybox gzip | busybox zcat | busybox tar t
busybox sed -n '5,7p' d/f
busybox sh -c 'sleep 0.1 & wait; echo waited'
