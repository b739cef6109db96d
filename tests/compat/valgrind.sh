#!/bin/bash
# valgrind: memcheck over a small program
# group debug
# needs valgrind
# packages valgrind
# version valgrind --version
# output varies
exec valgrind --quiet --error-exitcode=9 true
