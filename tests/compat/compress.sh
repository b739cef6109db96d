#!/bin/bash
# xz, zstd and pigz with two threads each
# group tools
# needs xz zstd pigz
# packages xz-utils zstd pigz
# version xz --version
set -e
seq 1 400000 > data
xz -0 -T2 -k data && xz -dc data.xz | cmp - data && echo xz
zstd -q -T2 data && zstd -dc data.zst | cmp - data && echo zstd
pigz -p 2 -k data && pigz -dc data.gz | cmp - data && echo pigz
