#!/bin/bash
# vim: ex commands from a script
# group terminal
# needs vim
# packages vim
# version vim --version
set -e
seq 1 200 > text
vim -u NONE -es -c '%s/1/one/g' -c 'g/5/d' -c 'wq' text
md5sum text
