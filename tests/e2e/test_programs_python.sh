#!/bin/bash
# Python programs: the standard library, processes, threads, sockets, sqlite.
. "$(dirname "$(realpath "$0")")/lib.sh"

have python python3 || finish
# The interpreter itself: what is found in PATH may be a script that looks for it.
python=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))')
for script in standard processes threads; do
	check_program "python_$script" -- env PYTHONHASHSEED=0 "$python" -B "$E2E/data/$script.py"
done
# Without a fixed hash seed the order of a set comes from random bytes.
check_program python_hash --no-native-compare -- "$python" -B -c 'print(set("abcdefghijklmnop"))'
check_program python_random --no-native-compare -- "$python" -B -c \
	'import os, random, time, uuid; print(random.random(), os.urandom(8), time.time(), uuid.uuid4())'
check_program python_script -- python3 -c 'print(sum(range(1000)))'
finish
