#!/bin/bash
# name look-ups without a network fail, natively or not, in the same way
# group network
# needs getent
# packages libc-bin
# version getent --version
getent hosts no-such-host.invalid
echo "status $?"
getent hosts localhost | awk '{ print $NF }'
