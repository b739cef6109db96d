#!/bin/bash
# A rerun of programs that have the kernel copy: with --workdir-as programs copy between files themselves, and what came to lie there is
# compared byte by byte; where no event shows the bytes, nobody says identical.
. "$(dirname "$0")/lib.sh"
. "$E2E/gate.sh"

have copies cat cp python3 || finish
cd "$WORK" || exit 1
python=$(command -v /usr/bin/python3 python3 | head -n 1)
mkdir -p temporary desk
export TMPDIR=$WORK/temporary
cat > send.py <<'END'
import os, sys

source = os.open("a", os.O_RDONLY)
try:
    while os.sendfile(1, source, None, 1000) > 0:
        pass
except OSError:
    while data := os.read(source, 1000):
        os.write(1, data)
END
cat > splice.py <<'END'
import os

source, target, pipe = os.open("a", os.O_RDONLY), os.open("b", os.O_WRONLY | os.O_CREAT, 0o666), os.pipe()
n = os.splice(source, pipe[1], 1000)
os.splice(pipe[0], target, n)
END

# made: the directory as the recordings begin with it
made()
{
	rm -rf desk/*
	seq 1 5000 > desk/a
	cp -- *.py desk
}

# check NAME SAME CHANGED WHERE OPTION... -- COMMAND...: records, reruns the same and with another byte in `a`
check()
{
	local name=$1 same=$2 changed=$3 where=$4 options=()

	shift 4
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	made
	(cd desk && sworn record --seed 1 ${options[@]+"${options[@]}"} -o "../$name.sworn" "$@" 2> "$LOG/errors" | cat > "$LOG/output") ||
		fail "$name" "recording: $(tail -n 1 "$LOG/errors")"
	made
	cd desk || exit 1
	gate "${name}_same" "$same" run --mode rerun "../$name.sworn"
	cd .. && made && sed -i 's/^4000$/4OOO/' desk/a && cd desk || exit 1
	gate "${name}_changed" "$changed" run --mode rerun "../$name.sworn"
	[ "$changed" -ne 1 ] || first "${name}_changed" "$where" '"4000' '"4OOO'
	cd ..
}

line='byte 18889, line 4000'
# copies NAME COMMAND...: the kernel copies, unless the directory is shown as another
copies()
{
	local name=$1

	shift
	check "$name" 3 3 - -- "$@"
	check "${name}_as" 0 1 "file .*/[bc], $line" --workdir-as /desk -- "$@"
}

copies cat sh -c 'cat a > b'
copies cp cp a b
copies move sh -c 'cp a b && mv b c'
copies shutil "$python" -c 'import shutil; shutil.copy("a", "b")'

# What is in no event makes the verdict incomplete, however alike the rest is.
check send 3 3 - -- "$python" send.py
check splice 3 3 - -- "$python" splice.py
says splice_same 'bytes that the kernel copied.* are not compared'
check observed 3 3 - --schedule observed -- sh -c 'cat a > b'
says observed_same 'recorded with --workdir-as, programs copy between files themselves'

finish
