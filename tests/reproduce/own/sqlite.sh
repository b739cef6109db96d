# The amalgamation, made by the package's own scripts, and the library and shell made of it.
set -e
mkdir -p artifacts
cd sqlite
./configure --disable-tcl --disable-readline > /dev/null
make -s -j4 sqlite3.c shell.c 2>&1
gcc -g -O1 -DSQLITE_THREADSAFE=1 -c -o sqlite3.o sqlite3.c
gcc -g -O1 -o sqlite3 shell.c sqlite3.o -lm
cp sqlite3.c sqlite3.h sqlite3.o sqlite3 ../artifacts
