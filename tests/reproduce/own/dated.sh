# Everything that makes builds differ, in one: the compiler's date and paths, date(1), an archive with its times and
# owners, names in the order of the directory, the user, the host, random bytes, a process number.
set -e
mkdir -p artifacts source/many
cat > source/main.c <<'C'
#include <stdio.h>
#include "config.h"
int main(void) { return printf("%s %s %s %s\n", __DATE__, __TIME__, __FILE__, BUILT) < 0; }
C
printf '#define BUILT "%s by %s on %s in %s, process %s, %s"\n' "$(date)" "$(id -un 2> /dev/null)" "$(uname -nr)" "$PWD" \
	$$ "$(head -c 8 /dev/urandom | od -An -tx8)" > source/config.h
for i in 9 3 7 1 5; do echo "$RANDOM$i" > "source/many/part$i"; done
gcc -g -O1 -o artifacts/program "$PWD/source/main.c"
tar czf artifacts/source.tar.gz source
find source -type f > artifacts/names
env > artifacts/environment
umask > artifacts/umask
{ echo ".TH PROGRAM 1 \"$(date +%x)\""; stat -c '%n %i %y %U' source/*; } > artifacts/program.1
