#!/bin/bash
# gdb: refused, as a recorded process has its tracer already
# group debug
# needs gdb
# packages gdb
# version gdb --version
# refused ptrace
# output varies
gdb -nx -batch -ex run -ex bt --args true < /dev/null
exit 0
