#!/bin/bash
# `sworn verify` and a second verifier, written in another language from docs/FORMAT.md alone, agree on word and exit code: on ARCHIVES
# archives, good and bad (all of them: make tamper). tools/archives.py makes them.
. "$(dirname "$(realpath "$0")")/lib.sh"

have verifier zstd || finish
/usr/bin/python3 -c 'import cbor2' 2> /dev/null || {
	skip verifier "python3-cbor2 is not installed"
	finish
}
: "${ARCHIVES:=120}" "${SEED:=1}"
export PYTHONPATH=$E2E/..:$E2E/../tools PYTHONDONTWRITEBYTECODE=1
mkdir "$WORK/made" "$WORK/archives"
"$(dirname "$SWORN")/tools/tamper" "$WORK/made" 0 || fail made "no archives"
# Nobody can change a signed trace so that all fits again; the second one judges what is accepted unsigned.
HOME= XDG_DATA_HOME= sworn record --store "$WORK/store" -- "$GUESTS/args_env" > /dev/null 2>&1 || fail thin "no trace"
thin=$(readlink -f "$WORK/store/latest")
sworn pack "$thin" -o "$WORK/made/packed.sworn" > /dev/null 2>&1 || fail packed "not packed"
head -c $(($(stat -c %s "$WORK/made/a.sworn") - 200)) "$WORK/made/a.sworn" > "$WORK/cut.sworn"
sworn repair "$WORK/cut.sworn" -o "$WORK/made/repaired.sworn" > /dev/null 2>&1 || fail repaired "not repaired"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' > "$WORK/archives/pointer.sworn"
: > "$WORK/archives/empty.sworn"
# Whom to trust is no question of the format: all are judged without signatures.
for trace in "$thin" "$WORK/made/packed.sworn" "$WORK/made/repaired.sworn"; do
	/usr/bin/python3 "$E2E/../tools/forge.py" "$trace" "$WORK/unsigned" nothing > /dev/null || fail unsigned "$trace"
	mv "$WORK/unsigned" "$trace"
done
ok_so_far || finish

/usr/bin/python3 "$E2E/../tools/archives.py" "$WORK/archives" "$ARCHIVES" "$SEED" "$WORK/made/a.sworn" "$thin" \
	"$WORK/made/b.sworn" "$WORK/made/repaired.sworn" "$WORK/made/a.sworn" "$WORK/made/packed.sworn" > "$LOG/what" ||
	fail archives "could not be made"
# Of each trace the table is the one of its INFO, unless that was changed.
cat > "$WORK/agree.py" << 'END_OF_PYTHON'
import collections, glob, json, os, subprocess, sys
import verifier
sworn, archives, store, table = sys.argv[1:5]
what = dict(line.rstrip("\n").split(" ", 1) for line in open(sys.argv[5]))
paths = sorted(glob.glob(os.path.join(archives, "*.sworn")))
counts, wrong = collections.Counter(), 0
for first in range(0, len(paths), 100):
    batch = paths[first:first + 100]
    run = subprocess.run([sworn, "verify", "--allow-unsigned", "--store", store, "--report", "-", *batch], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    reports = json.loads(run.stdout)["traces"] if len(batch) > 1 else [json.loads(run.stdout)]
    for path, report in zip(batch, reports):
        with open(path, "rb") as file:
            word, reason = verifier.verify(file.read(), store, int(table))
        code = verifier.WORDS[word]
        counts[word] += 1
        said = "ok" if report["verdict"] == "unsigned" else report["verdict"]
        if (word, code) != (said, report["code"]):
            wrong += 1
            print("%s (%s): %s, %d: %s; the second one says %s, %d: %s" % (
                path, what.get(path, "made here"), report["verdict"], report["code"], report["checked"]["reason"], word, code, reason))
print("%d archives: %s; %d judged differently" % (len(paths), ", ".join("%d %s" % (n, w) for w, n in sorted(counts.items())), wrong))
# A verifier that says one thing of all of them agrees about nothing.
sys.exit(wrong > 0 or set(counts) != set(verifier.WORDS))
END_OF_PYTHON
table=$(grep -oE 'SYSCALL_TABLE_VERSION [0-9]+' "$E2E/../../traces/syscall.h" | grep -oE '[0-9]+$')
if timeout -s KILL 800 /usr/bin/python3 "$WORK/agree.py" "$SWORN" "$WORK/archives" "$WORK/store" "$table" "$LOG/what" > "$LOG/agree" 2>&1; then
	tail -n 1 "$LOG/agree"
	pass
else
	fail verifier "SEED=$SEED ARCHIVES=$ARCHIVES: $(tail -n 12 "$LOG/agree")"
fi
finish
