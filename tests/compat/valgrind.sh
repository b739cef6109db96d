#!/bin/bash
# valgrind: memcheck over a small program
# group debug
# needs valgrind
# packages valgrind
# version valgrind --version
# output varies
# seeded --cpu host
# differs with --cpu host it sees which processor it runs on
exec valgrind --quiet --error-exitcode=9 true
