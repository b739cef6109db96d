#!/bin/bash
# strace: refused, as a recorded process has its tracer already
# group debug
# needs strace
# packages strace
# version strace --version
# refused ptrace
# output varies
# status 1
exec strace true
