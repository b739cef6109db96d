#!/bin/bash
# The compiler and make: a real file with -O2, a project of 60 files with four jobs.
. "$(dirname "$(realpath "$0")")/lib.sh"

have build gcc make || finish
unset MAKEFLAGS MAKELEVEL MFLAGS

source_file()
{
	cp "$E2E/data/calculator.c" .
}

project()
{
	local i

	echo 'int main(void) { int sum = 0;' > main.body
	for i in $(seq 1 60); do
		echo "#include <stdio.h>" > "part$i.c"
		echo "int part$i(int x); int part$i(int x) { char text[32]; return snprintf(text, 32, \"%d\", x * $i); }" >> "part$i.c"
		echo "int part$i(int);" >> parts.h
		echo "sum += part$i(sum + $i);" >> main.body
	done
	{ echo '#include <stdio.h>'; echo '#include "parts.h"'; cat main.body; echo 'printf("%d\n", sum); return 0; }'; } > main.c
	{
		echo 'OBJECTS := main.o $(patsubst %,part%.o,$(shell seq 1 60))'
		echo 'program: $(OBJECTS)'
		printf '\t@gcc -o $@ $^\n'
		echo '%.o: %.c parts.h'
		printf '\t@gcc -c -o $@ $<\n'
	} > Makefile
}

check_program gcc --setup source_file -- bash -c 'gcc -O2 -Wall -o calculator calculator.c -lm && ./calculator < /dev/null && md5sum calculator'
check_program gcc_asm --setup source_file -- bash -c 'gcc -O2 -S -o - calculator.c | md5sum; gcc -E calculator.c | wc -l'
check_program make --setup project -- bash -c 'make -s -j4 && ./program && make -q && md5sum program'
have clang clang && check_program clang --setup source_file -- bash -c 'clang -O1 -c calculator.c && nm calculator.o | sort'
finish
