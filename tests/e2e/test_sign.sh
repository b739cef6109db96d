#!/bin/bash
# What others than the recorder say of a trace: counter-signatures behind the seal, attestations of replays, which of them count, what they
# leave as it was, and what is refused; and that adding one is never half done.
. "$(dirname "$(realpath "$0")")/lib.sh"

have sign python3 zstd || finish
unset SWORN_KEYSTORE SWORN_PASSPHRASE_FILE
export HOME=$WORK/home XDG_DATA_HOME=$WORK/data
mkdir -p "$HOME"
cd "$WORK" || exit 1
frames() { python3 -B "$E2E/../tools/forge.py" "$@"; }
theirs() { SWORN_KEYSTORE=$WORK/theirs sworn "$@"; }

# expect CODE TEXT COMMAND...: exits with CODE and says TEXT (an extended regular expression, or empty) somewhere
expect()
{
	local code=$1 text=$2 status=0

	shift 2
	"$@" > "$LOG/said" 2>&1 < /dev/null || status=$?
	if [ "$status" -eq "$code" ] && { [ -z "$text" ] || grep -qE -- "$text" "$LOG/said"; }; then
		pass
	else
		fail "$*" "(expected at line ${BASH_LINENO[0]}) exits with $status, not $code, or does not say '$text': $(head -n 5 "$LOG/said")"
	fi
}

# same FILE FILE WHAT
same() { cmp -s "$1" "$2" && pass || fail "$3" "$1 and $2 differ"; }

# --- A counter-signature stands behind the seal; all before it stays as it was.
expect 0 '' sworn record -o run.sworn -- echo hello
expect 0 '' sworn record -o other.sworn -- echo other
chmod 640 run.sworn
cp -p run.sworn before.sworn
expect 0 '^run.sworn$' sworn sign run.sworn
head -c "$(stat -c %s before.sworn)" run.sworn > head.sworn
same before.sworn head.sworn head
[ "$(stat -c %a run.sworn)" = 640 ] && pass || fail mode "$(stat -c %a run.sworn)"
expect 0 'vouched by +default \([0-9a-f]{16}\), trusted, at 20' sworn verify run.sworn
expect 0 identical sworn replay run.sworn
expect 0 '' zstd -qt run.sworn
expect 0 'has it already; nothing was changed' sworn sign run.sworn
cp run.sworn signed.sworn
# From others: unknown first, which changes no verdict, then trusted, for a tenant and a time.
expect 0 '' theirs key init
SWORN_KEYSTORE=$WORK/nobody expect 3 'cannot be opened' sworn sign --trust /dev/null run.sworn
expect 4 'no tenant nobody' sworn sign --tenant nobody run.sworn
expect 0 '' sworn key export -o ours.pub
expect 5 'untrusted' theirs sign run.sworn
same signed.sworn run.sworn refused
expect 0 '' theirs sign --trust ours.pub run.sworn
expect 0 'vouched by +signed by the unknown key [0-9a-f]{64}, so by anybody, at' sworn verify run.sworn
expect 0 '' theirs key export -o theirs.pub
expect 0 'vouched by .* trusted.*' sworn verify --trust theirs.pub run.sworn
[ "$(grep -c 'vouched by .*), trusted' "$LOG/said")" -eq 2 ] && pass || fail both "$(cat "$LOG/said")"
sed 's/ - - / - 2020-01-01 /' theirs.pub > expired.pub
expect 0 'vouched by .* until 2020-01-01T00:00:00Z only' sworn verify --trust expired.pub run.sworn
grep -v '^attester' theirs.pub > recorder.pub
expect 0 'vouched by .*unknown key' sworn verify --trust recorder.pub run.sworn
# They come and go without touching the seal.
python3 - "$E2E/../tools" << 'END_OF_PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
from forge import decode, encode, frame, split
def write(name, pieces):
    with open(name, "wb") as file:
        file.write(b"".join(pieces))
def all_of(name):
    return [whole for _, _, whole in split(open(name, "rb").read())]
run, other = all_of("run.sworn"), all_of("other.sworn")
write("second.sworn", run[:-2] + run[-1:])
write("turned.sworn", run[:-2] + run[:-3:-1])
write("none.sworn", run[:-2])
write("spliced.sworn", other + run[-1:])
write("twice.sworn", run + run[-1:])
write("inside.sworn", run[:-3] + run[-1:] + run[-3:-1])
write("frame.sworn", run + [frame("INFO", b"")])
write("seal.sworn", run + [run[-3]])
pair, _ = decode(run[-1], 8)
for i, bad in enumerate([frame("TRAILER", b""), frame("TRAILER", encode(pair[:1])), frame("TRAILER", encode([bytes(32), pair[1]])),
                         frame("TRAILER", encode(pair + [0])), run[-1][:-1], run[-1] + b"\0"]):
    write("bad%d.sworn" % i, run[:-1] + [bad])
END_OF_PYTHON
expect 0 'vouched' sworn verify second.sworn
expect 0 'vouched' sworn verify turned.sworn
expect 0 ': ok' sworn verify none.sworn
same none.sworn before.sworn none
expect 5 'of another trace' sworn verify spliced.sworn
expect 5 'there twice' sworn verify twice.sworn
expect 5 'no SEAL behind' sworn verify inside.sworn
expect 5 'bytes behind the seal' sworn verify frame.sworn
expect 5 'bytes behind the seal' sworn verify seal.sworn
for i in 0 1 2 3 4 5; do
	expect 5 'trailer|behind the seal' sworn verify "bad$i.sworn"
	expect 5 'refused' sworn replay "bad$i.sworn"
done
# Only what is whole and trusted is signed.
printf x | cat before.sworn - > behind.sworn
expect 5 'bytes behind the seal' sworn sign behind.sworn
expect 0 '' frames before.sworn unsigned.sworn nothing
expect 5 'unsigned' sworn sign unsigned.sworn
head -c 300000 before.sworn > cut.sworn
expect 5 'truncated' sworn sign cut.sworn
expect 4 '' sworn sign nowhere.sworn
expect 2 'one TRACE' sworn sign run.sworn other.sworn
# There is room for 64, and then for no more.
python3 - "$E2E/../tools" << 'END_OF_PYTHON' || fail full "could not be made"
import sys
sys.path.insert(0, sys.argv[1])
import forge, signing
data = open("before.sworn", "rb").read()
seal = signing.seal_id(next(whole for kind, _, whole in forge.split(data) if kind == "SEAL"))
with open("full.sworn", "wb") as file:
    file.write(data + b"".join(signing.trailer(1 + at % 3, "signature", {0: 1, 1: seal, 2: at}) for at in range(64)))
END_OF_PYTHON
cp full.sworn filled.sworn
expect 0 'vouched' sworn verify full.sworn
expect 3 'carries 64 statements already' sworn sign full.sworn
same filled.sworn full.sworn full
chmod 711 "$WORK"
if [ "$(id -u)" -eq 0 ] && setpriv --reuid 12345 --regid 12345 --clear-groups test -x "$SWORN" -a -x "$WORK"; then
	cp before.sworn foreign.sworn && chmod 644 foreign.sworn && mkdir -m 777 shared && mv foreign.sworn ours.pub shared
	expect 3 'belongs to somebody else' setpriv --reuid 12345 --regid 12345 --clear-groups env HOME="$WORK/shared" \
		XDG_DATA_HOME="$WORK/shared/data" bash -c "'$SWORN' key init > /dev/null && '$SWORN' sign --trust shared/ours.pub shared/foreign.sworn"
	same before.sworn shared/foreign.sworn foreign
	mv shared/ours.pub .
else
	skip foreign "needs root, and a place where others may run sworn"
fi
# A report tells all.
expect 0 '' sworn verify --trust theirs.pub --report said.json run.sworn
python3 - << 'END_OF_PYTHON' && pass || fail report "$(cat said.json)"
import json
report = json.load(open("said.json"))
kinds = [(t["kind"], t["trust"], t["signer"]) for t in report["trailers"]]
assert kinds == [("signature", "trusted", "default")] * 2, kinds
assert all(t["seal"] == report["trace"]["seal"]["id"] for t in report["trailers"])
END_OF_PYTHON

# --- An attestation says what a replay came to.
challenge=00112233445566778899aabbccddeeff
expect 0 'identical' sworn replay --attest run.att --challenge "$challenge" run.sworn
expect 0 'attested by +default .*, trusted, at .*: identical, ([0-9]+) of \1 events, 1 of 1 units' sworn verify --attestation run.att run.sworn
expect 0 '' sworn verify --attestation run.att --challenge "$challenge" before.sworn
expect 5 'another challenge' sworn verify --attestation run.att --challenge "${challenge%f}0" run.sworn
expect 5 'of another trace' sworn verify --attestation run.att other.sworn
expect 3 'No such file' sworn verify --attestation nowhere run.sworn
expect 2 'one TRACE' sworn verify --attestation run.att run.sworn other.sworn
expect 2 '32 hexadecimal' sworn verify --attestation run.att --challenge 00 run.sworn
expect 2 '32 hexadecimal' sworn replay --attest x.att --challenge 00 run.sworn
expect 2 'standard output' sworn replay --attest - --report - run.sworn
sworn replay --attest - run.sworn 2> "$LOG/verdict" > stdout.att && grep -q identical "$LOG/verdict" && pass || fail stdout "$(cat "$LOG/verdict")"
expect 0 'ok' sworn verify --attestation stdout.att run.sworn
expect 0 'identical' sworn replay -j 2 --attest jobs.att run.sworn
expect 0 'ok' sworn verify --attestation jobs.att run.sworn
# Every byte of it counts; what is no attestation is none.
python3 - << 'END_OF_PYTHON'
data = open("run.att", "rb").read()
for at in range(0, len(data), 9):
    open("flip%d.att" % at, "wb").write(data[:at] + bytes([data[at] ^ 4]) + data[at + 1:])
END_OF_PYTHON
for file in flip*.att ours.pub run.sworn /dev/null; do
	expect 5 'no attestation|match its signature|unknown key' sworn verify --attestation "$file" run.sworn
done
# Whose it is, is judged like everything that is signed.
expect 0 '' theirs replay --trust ours.pub --attest theirs.att run.sworn
expect 5 'unattested: signed by the unknown key' sworn verify --attestation theirs.att run.sworn
expect 0 'ok' sworn verify --trust theirs.pub --attestation theirs.att run.sworn
expect 5 'until 2020' sworn verify --trust expired.pub --attestation theirs.att run.sworn
expect 0 'ok' sworn verify --allow-untrusted --attestation theirs.att run.sworn
# The trace may carry it.
expect 5 'unknown key' sworn sign --attestation theirs.att run.sworn
expect 0 '' sworn sign --trust theirs.pub --attestation theirs.att run.sworn
expect 0 'has it already' sworn sign --trust theirs.pub --attestation theirs.att run.sworn
expect 0 'attested by .*identical' sworn verify run.sworn
# A replay that diverged is attested as diverged, one without a verdict is not.
expect 0 '' frames before.sworn forged.sworn status
expect 1 'diverged' sworn replay --allow-unsigned --attest forged.att forged.sworn
expect 1 'refuted: it says that the replay diverged' sworn verify --allow-unsigned --attestation forged.att forged.sworn
expect 0 '"code":1}' sh -c "'$SWORN' verify --allow-unsigned --attestation forged.att --report - forged.sworn 2> /dev/null; true"
expect 5 'no attestation was written: there is no verdict' sworn replay --attest none.att forged.sworn
[ ! -e none.att ] && pass || fail none "there is one"
expect 3 'no seal that could be named' sworn replay --allow-truncated --allow-unsigned --attest none.att cut.sworn
[ ! -e none.att ] && pass || fail none "there is one"
expect 0 '' sworn repair cut.sworn -o repaired.sworn
expect 0 'identical prefix' sworn replay --allow-repaired --allow-unsigned --attest repaired.att repaired.sworn
expect 0 'attested by .*: identical prefix' sworn verify --allow-repaired --allow-unsigned --attestation repaired.att repaired.sworn
# No key, or no place: said before anything is replayed.
expect 3 'no tenant nobody' sworn replay --attest none.att --attester nobody run.sworn
expect 2 'cannot be written' sworn replay --attest "$WORK/no/such/place" run.sworn
expect 2 'cannot be written' sworn replay --attest run.sworn run.sworn
[ -z "$(ls none.att* no 2> /dev/null)" ] && pass || fail none "$(ls)"
expect 0 '' sworn tenant create acme
expect 0 'identical' sworn replay --attest acme.att --attester acme run.sworn
expect 5 'not trusted for tenant 0{32}' sworn verify --attestation acme.att run.sworn
# A passphrase is asked for when there is something to sign.
echo right > right && echo wrong > wrong
sealed() { SWORN_KEYSTORE=$WORK/sealed sworn "$@"; }
expect 0 '' sealed key init --passphrase-file right
expect 0 '' sealed record --passphrase-file right -o sealed.sworn -- echo sealed
expect 5 'no terminal' sealed sign sealed.sworn
expect 5 'wrong passphrase' sealed sign --passphrase-file wrong sealed.sworn
expect 0 '' sealed sign --passphrase-file right sealed.sworn
expect 3 'wrong passphrase' sealed replay --attest sealed.att --passphrase-file wrong sealed.sworn
expect 0 '' sealed replay --attest sealed.att --passphrase-file right sealed.sworn
SWORN_KEYSTORE=$WORK/sealed expect 0 'vouched' sworn verify --attestation sealed.att sealed.sworn

# --- The store: signed there, imported with what it carries; what is made of a trace is a new one.
expect 0 '' sworn record -- echo stored
expect 0 '^@[0-9a-f]{32}' sworn sign @latest
expect 0 'vouched' sworn verify @latest
expect 0 'identical' sworn replay
expect 0 '1 statement of others behind the seal' sworn pack -o packed.sworn
! sworn verify packed.sworn | grep -q vouched && pass || fail packed "it is vouched for"
expect 0 '' sworn import --store store run.sworn
expect 0 'attested' sworn verify store/traces/*.sworn
expect 0 'has it already$' sworn import --store store run.sworn
expect 0 'other statements behind its seal' sworn import --store store before.sworn
expect 0 '' sworn list --store store
grep -q sealed "$LOG/said" || expect 0 'sealed' sworn list --store store --json

# --- A kill leaves the trace as it was, or signed; two at once both sign.
killed=0
mkfifo never && exec 9<> never
for ((i = 0; i < 40; i++)); do
	cp before.sworn kill.sworn
	"$SWORN" sign kill.sworn > /dev/null 2>&1 < /dev/null &
	signer=$!
	read -rt "$(printf '0.%03d' "$i")" -u 9
	kill -KILL "$signer" 2> /dev/null
	wait "$signer" 2> /dev/null || killed=$((killed + 1))
	sworn verify kill.sworn > "$LOG/said" 2>&1 || fail kill "after $i: $(head -n 1 "$LOG/said")"
done
[ "$killed" -gt 0 ] && pass || fail kill "nothing was killed"
cp before.sworn race.sworn
theirs sign --trust ours.pub race.sworn > "$LOG/race" 2>&1 < /dev/null &
signer=$!
expect 0 '' sworn sign race.sworn
wait "$signer" && pass || fail race "$(cat "$LOG/race")"
[ "$(sworn verify race.sworn | grep -c vouched)" -eq 2 ] && pass || fail race "$(sworn verify race.sworn)"
finish
