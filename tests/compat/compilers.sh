#!/bin/bash
# clang, tcc, nasm, ld.gold and g++ with link-time optimisation
# group build
# needs clang tcc nasm ld.gold cc
# packages clang tcc nasm binutils
# version clang --version
set -e
cat > a.c <<'EOF'
#include <stdio.h>
#include <stdlib.h>
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int main(void) { int v[500]; for (int i = 0; i < 500; i++) v[i] = i * 7919 % 1009; qsort(v, 500, sizeof *v, compare); printf("%d %d\n", v[0], v[499]); return 0; }
EOF
clang -O2 -o c1 a.c && ./c1
tcc -o c2 a.c && ./c2
tcc -run a.c
printf 'section .text\nglobal f\nf: mov eax, 42\nret\nsection .note.GNU-stack noalloc\n' > f.asm
nasm -f elf64 f.asm -o f.o
echo 'int f(void); int main(void) { return f(); }' > m.c
cc -c m.c -o m.o && cc -fuse-ld=gold -o c3 m.o f.o && { ./c3 || echo $?; }
cc -O2 -flto=2 -o c4 a.c && ./c4
