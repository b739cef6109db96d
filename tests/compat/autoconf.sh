#!/bin/bash
# autoconf: makes a configure script and runs it
# group build
# needs autoconf automake cc make
# packages autoconf automake gcc make
# version autoconf --version
set -e
cat > configure.ac <<'EOF'
AC_INIT([small], [1])
AM_INIT_AUTOMAKE([foreign])
AC_PROG_CC
AC_CHECK_HEADERS([unistd.h sys/epoll.h no_such.h])
AC_CHECK_FUNCS([epoll_create1 no_such_function])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
EOF
echo 'bin_PROGRAMS = main
main_SOURCES = main.c' > Makefile.am
echo 'int main(void) { return 0; }' > main.c
autoreconf -i > auto.log 2>&1
./configure > configure.log
make -j 2 > make.log
./main && echo built
