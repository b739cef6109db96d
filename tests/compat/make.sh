#!/bin/bash
# make: a parallel build of forty files with a job server
# group build
# needs make cc
# packages gcc make
# version make --version
set -e
for ((i = 0; i < 40; i++)); do echo "int f$i(int x) { return x + $i; }" > "f$i.c"; done
{ for ((i = 0; i < 40; i++)); do echo "int f$i(int);"; done
echo 'int main(void) { return f1(1) != 2; }'; } > main.c
cat > Makefile <<'EOF'
main: $(patsubst %.c,%.o,$(wildcard *.c))
	cc -o $@ $^
%.o: %.c
	cc -O1 -c $< -o $@
EOF
make -s -j 4
./main && echo built
