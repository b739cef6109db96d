#!/bin/sh
# The most frequent words of a text: pipeline.sh COUNT < TEXT
set -e
tr -cs 'a-z' '\n' | sort | uniq -c | sort -k1,1nr -k2 | sed "$1q" > top.txt
pipeline/title "$1"
cat top.txt
