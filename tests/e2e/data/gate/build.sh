#!/bin/sh
# Builds the C programs of this repository into build/.
set -e
mkdir -p build
cc -g "-ffile-prefix-map=$PWD=." -O1 -o build/service service/service.c
cc -g "-ffile-prefix-map=$PWD=." -O1 -o build/client service/client.c
cc -g "-ffile-prefix-map=$PWD=." -O1 -pthread -o build/counter counter/counter.c
