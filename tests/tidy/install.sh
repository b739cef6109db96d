#!/bin/bash
# install.sh BUILD-DIR: what `cmake --install` puts down is enough to build a program against
# libsworn, by pkg-config and by the CMake package, and the installed sworn runs.
set -eu
build=$(realpath "$1")
cd "${WORK:-$(mktemp -d)}"

cmake --install "$build" --prefix "$PWD/root" > install.log
mkdir program
cat > program/program.c <<'END'
#include <stdio.h>
#include <sworn.h>

int main(void)
{
	struct reader *reader = NULL;
	int error = reader_open(-1, -1, &reader);

	printf("%s\n", error_text(error));
	reader_close(reader);
	return error < 0 && syscall_row(0) ? 0 : 1;
}
END
cat > program/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.21)
project(program LANGUAGES C)
find_package(sworn REQUIRED)
add_executable(program program.c)
target_link_libraries(program PRIVATE sworn::sworn)
END

if grep -q '^SWORN_SANITIZE:STRING=..*' "$build/CMakeCache.txt" || grep -q '^SWORN_COVERAGE:BOOL=ON' "$build/CMakeCache.txt"; then
	echo "SKIP: a sanitizer or coverage build is not for installing"
	exit 77
fi
pc=$(dirname "$(find root -name sworn.pc)")
# shellcheck disable=SC2046 # flags are words
cc -o by_pkgconfig program/program.c $(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs sworn)
./by_pkgconfig
cmake -S program -B by_cmake -DCMAKE_PREFIX_PATH="$PWD/root" > cmake.log
cmake --build by_cmake >> cmake.log
./by_cmake/program
root/bin/sworn version
