#!/bin/bash
# `sworn verify` and a second verifier, written in another language from docs/FORMAT.md alone, agree on word, exit code and trailers: on ARCHIVES
# archives, good and bad, most of them signed (all of them: make tamper). tools/archives.py makes them.
. "$(dirname "$(realpath "$0")")/lib.sh"

have verifier zstd openssl || finish
/usr/bin/python3 -c 'import cbor2' 2> /dev/null || {
	skip verifier "python3-cbor2 is not installed"
	finish
}
: "${ARCHIVES:=200}" "${SEED:=1}"
export PYTHONPATH=$E2E/..:$E2E/../tools PYTHONDONTWRITEBYTECODE=1
mkdir "$WORK/made" "$WORK/archives"
"$(dirname "$SWORN")/tools/tamper" "$WORK/made" 0 || fail made "no archives"
HOME='' XDG_DATA_HOME='' sworn record --store "$WORK/store" -- "$GUESTS/args_env" > /dev/null 2>&1 || fail thin "no trace"
thin=$(readlink -f "$WORK/store/latest")
sworn pack "$thin" -o "$WORK/made/packed.sworn" > /dev/null 2>&1 || fail packed "not packed"
head -c $(($(stat -c %s "$WORK/made/a.sworn") - 200)) "$WORK/made/a.sworn" > "$WORK/cut.sworn"
sworn repair "$WORK/cut.sworn" -o "$WORK/made/repaired.sworn" > /dev/null 2>&1 || fail repaired "not repaired"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' > "$WORK/archives/pointer.sworn"
: > "$WORK/archives/empty.sworn"
# These were signed with keys that nobody has any more, or by nobody; of the others all signatures fit again.
for trace in "$thin" "$WORK/made/packed.sworn" "$WORK/made/repaired.sworn"; do
	/usr/bin/python3 "$E2E/../tools/forge.py" "$trace" "$WORK/unsigned" nothing > /dev/null || fail unsigned "$trace"
	mv "$WORK/unsigned" "$trace"
done
mkdir "$WORK/signed"
/usr/bin/python3 - "$WORK/signed" "$thin" "$WORK/made/packed.sworn" "$WORK/made/repaired.sworn" << 'END_OF_PYTHON' || fail signed "could not be signed"
import random, sys
import forge, signing
for name, path in zip(("thin", "packed", "repaired"), sys.argv[2:]):
    forge.SIGNER = signing.Signer(random.Random(1), signing.TENANT_A, signing.TENANT_A, signing.TENANT_A)
    with open(path, "rb") as source, open("%s/%s.sworn" % (sys.argv[1], name), "wb") as file:
        file.write(forge.Trace(source.read()).sealed())
END_OF_PYTHON
ok_so_far || finish

/usr/bin/python3 "$E2E/../tools/archives.py" "$WORK/archives" "$ARCHIVES" "$SEED" "$WORK/made/a.sworn" "$thin" \
	"$WORK/made/a-signed.sworn" "$WORK/made/b-signed.sworn" "$WORK/made/repaired.sworn" "$WORK/made/a-trailed.sworn" "$WORK/made/packed.sworn" \
	"$WORK/signed/repaired.sworn" "$WORK/signed/thin.sworn" "$WORK/made/b-trailed.sworn" "$WORK/signed/packed.sworn" > "$LOG/what" ||
	fail archives "could not be made"
# Of each trace the table is the one of its INFO, unless that was changed.
cat > "$WORK/agree.py" << 'END_OF_PYTHON'
import collections, glob, json, os, subprocess, sys, time
import signing, verifier
sworn, archives, store, table = sys.argv[1:5]
what = dict(line.rstrip("\n").split(" ", 1) for line in open(sys.argv[5]))
paths = sorted(glob.glob(os.path.join(archives, "*.sworn")))
counts, wrong, is_signed, trailers = collections.Counter(), 0, 0, 0
trust = os.path.join(archives, "trust")
keys = verifier.trust_file(trust)
start = time.monotonic()
for first in range(0, len(paths), 100):
    batch = paths[first:first + 100]
    run = subprocess.run([sworn, "verify", "--trust", trust, "--store", store, "--report", "-", *batch], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    reports = json.loads(run.stdout)["traces"] if len(batch) > 1 else [json.loads(run.stdout)]
    for path, report in zip(batch, reports):
        with open(path, "rb") as file:
            data = file.read()
        word, reason, statements = verifier.verify(data, store, int(table), keys)
        code = verifier.WORDS[word]
        counts[word] += 1
        try:
            is_signed += signing.is_signed(data)
        except Exception:
            pass
        trailers += len(statements)
        said = [(t["kind"], t["kid"][7:], t["trust"], t["at"]) for t in report["trailers"]] if "trailers" in report and word == "ok" else []
        heard = [(kind, kid, trust_word, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))) for kind, kid, trust_word, at in statements
                 if at < 1 << 40]
        if (word, code) != (report["verdict"], report["code"]) or [s for s in said if s[3]] != heard and len(heard) == len(statements):
            wrong += 1
            print("%s (%s): %s, %d: %s; the second one says %s, %d: %s" % (
                path, what.get(path, "made here"), report["verdict"], report["code"], report["checked"]["reason"], word, code, reason))
print("%d archives, %d of them signed: %s; %d trailers; %d judged differently; %.0f s" % (
    len(paths), is_signed, ", ".join("%d %s" % (n, w) for w, n in sorted(counts.items())), trailers, wrong, time.monotonic() - start))
# A verifier that says one thing of all of them agrees about nothing.
sys.exit(wrong > 0 or set(counts) != set(verifier.WORDS) or 2 * is_signed < len(paths) or not trailers)
END_OF_PYTHON
table=$(grep -oE 'SYSCALL_TABLE_VERSION [0-9]+' "$E2E/../../traces/syscall.h" | grep -oE '[0-9]+$')
if timeout -s KILL 800 /usr/bin/python3 "$WORK/agree.py" "$SWORN" "$WORK/archives" "$WORK/store" "$table" "$LOG/what" > "$LOG/agree" 2>&1; then
	tail -n 1 "$LOG/agree"
	pass
else
	fail verifier "SEED=$SEED ARCHIVES=$ARCHIVES: $(tail -n 12 "$LOG/agree")"
fi
finish
