#!/bin/bash
# hackbench: groups of processes and threads over sockets and pipes
# group native
# needs hackbench
# packages rt-tests
# version dpkg-query -W rt-tests
hackbench -g 1 -f 4 -l 20 | grep -v Time; hackbench -T -p -g 1 -f 3 -l 20 | grep -v Time; cyclictest -q -t 3 -l 20 -i 2000 -D 0 2>/dev/null | grep -c T:
