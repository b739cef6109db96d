#!/bin/bash
# Who signed a trace, and what is refused: keystores that others may read, wrong passphrases, unknown and expired keys, other
# tenants, signatures taken away or put on something else, prefixes; and what a guest sees of the keys.
. "$(dirname "$(realpath "$0")")/lib.sh"

have keys python3 zstd || finish
unset SWORN_KEYSTORE SWORN_PASSPHRASE_FILE
# By hand too the keys of whoever runs this stay out of it.
export HOME=$WORK/home XDG_DATA_HOME=$WORK/data
mkdir -p "$HOME"
cd "$WORK" || exit 1
forge() { python3 -B "$E2E/../tools/forge.py" "$@" > "$LOG/forge" 2>&1 || fail forge "$*: $(tail -n 1 "$LOG/forge")"; }

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

# both CODE TEXT OPTION... TRACE: verify and replay come to the same, and replay has executed nothing unless CODE is 0
both()
{
	local code=$1 text=$2

	shift 2
	expect "$code" "$text" sworn verify "$@"
	[ "$code" -eq 0 ] && text=identical
	expect "$code" "$text" sworn replay "$@"
	[ "$code" -eq 0 ] || ! grep -qE ' [1-9][0-9]* of [0-9]+ events' "$LOG/said" || fail "$*" "something of it was executed"
}

# --- The first recording makes the keys, and its trace is the user's own.
expect 0 '^hello$' sworn record -o own.sworn -- echo hello
keys=$XDG_DATA_HOME/sworn/keys
[ "$(stat -c %a "$keys" "$keys.root" "$keys"/*.tenant | tr '\n' ' ')" = '700 600 600 ' ] && pass ||
	fail modes "$(stat -c '%a %n' "$keys" "$keys.root" "$keys"/*)"
both 0 'signer +default \([0-9a-f]{16}\), trusted$' own.sworn
expect 0 'tenant +0{32}$' sworn verify own.sworn
zstd -qt own.sworn && pass || fail zstd "it is no zstd stream"

# --- The second implementation comes to the same, with the public key alone.
if /usr/bin/python3 -c 'import cbor2' 2> /dev/null; then
	public=$(sworn key export | awk '$1 == "recorder" { print $2 }')
	expect 0 '' /usr/bin/python3 "$E2E/../reader.py" --key "$public" own.sworn
	expect 1 'another key' /usr/bin/python3 "$E2E/../reader.py" --key "${public%?????}01234" own.sworn
else
	skip reader "python3-cbor2 is not installed"
fi

# --- Signatures taken away, or put on another trace.
forge own.sworn stripped.sworn nothing
both 5 'unsigned' stripped.sworn
both 0 'ok' --allow-unsigned stripped.sworn
expect 0 '' sworn record -o other.sworn -- echo other
python3 -B - "$E2E/../tools" << 'END_OF_PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
from forge import Trace, decode, encode, frame, split, unsigned

def write(name, frames):
    with open(name, "wb") as file:
        file.write(b"".join(frames))

def replaced(frames, kind, by):
    return [by if k == kind else whole for k, _, whole in frames]

own, other = (split(open(name, "rb").read()) for name in ("own.sworn", "other.sworn"))
plain = split(unsigned(open("own.sworn", "rb").read()))
seal = lambda frames: next(whole for kind, _, whole in frames if kind == "SEAL")
head = lambda frames: next(whole for kind, _, whole in frames if kind == "HEADER")
write("other_seal.sworn", replaced(own, "SEAL", seal(other)))
write("plain_seal.sworn", replaced(own, "SEAL", seal(plain)))
write("signed_head.sworn", replaced(plain, "HEADER", head(own)))
write("no_checkpoint.sworn", [whole for kind, _, whole in own if kind != "CHECKPOINT"])
point = next(whole for kind, _, whole in own if kind == "CHECKPOINT")
write("two_points.sworn", [whole + point if kind == "CHECKPOINT" else whole for kind, _, whole in own])
write("other_point.sworn", replaced(own, "CHECKPOINT", next(w for k, _, w in other if k == "CHECKPOINT")))
# The recorder's signature on a header that it did not sign: another archive key. Links and seal are of the forger.
protected, unprotected, payload, sig = decode(head(own), 8)[0]
header = decode(payload)[0]
header[3] = bytes(31) + b"\1"
write("own_key.sworn", replaced(own, "HEADER", frame("HEADER", encode([protected, unprotected, encode(header), sig]))))
protected = encode({**decode(protected)[0], 1: -7})
write("es256.sworn", replaced(own, "HEADER", frame("HEADER", encode([protected, unprotected, payload, sig]))))
END_OF_PYTHON
for name in other_seal plain_seal signed_head no_checkpoint two_points other_point own_key; do
	both 5 'corrupt|refused' --allow-unsigned --allow-untrusted "$name.sworn"
done
both 5 'ES256, which is not supported' es256.sworn

# --- Somebody else: unknown, then trusted, for a time, for a tenant, and no more.
theirs() { SWORN_KEYSTORE=$WORK/theirs sworn "$@"; }
expect 0 '' theirs key init
expect 0 '' theirs key export -o theirs.pub
expect 0 '' theirs record -o theirs.sworn -- echo theirs
both 5 'signed by the unknown key [0-9a-f]{64}' theirs.sworn
both 0 'ok' --allow-untrusted theirs.sworn
both 5 'untrusted' --allow-unsigned --allow-truncated theirs.sworn
both 0 'ok' --trust theirs.pub theirs.sworn
sed 's/ - - / - 2020-01-01 /' theirs.pub > expired.pub
both 5 'trusted from - until 2020-01-01T00:00:00Z only' --trust expired.pub theirs.sworn
sed 's/ 0\{32\} / 11111111111111111111111111111111 /' theirs.pub > tenant.pub
both 5 'not trusted for tenant 0{32}' --trust tenant.pub theirs.sworn
sed 's/^recorder/decider/' theirs.pub > purpose.pub
both 5 'unknown key' --trust purpose.pub theirs.sworn
echo 'recorder 00' > bad.pub
both 3 'bad.pub, line 1' --trust bad.pub theirs.sworn
expect 0 '2031-01-01T00:00:00Z' sworn key trust theirs.pub --until 2031-01-01
both 0 'ok' theirs.sworn
expect 0 '^recorder ' sworn key trust
[ "$(sworn key trust | wc -l)" -eq 2 ] && sworn key trust theirs.pub --until 2031-01-01 > /dev/null && [ "$(sworn key trust | wc -l)" -eq 2 ] && pass ||
	fail trust "a key is there twice: $(sworn key trust)"
expect 4 'no keys' sworn key trust /dev/null

# --- Tenants: keys and stores of their own.
expect 0 '  acme$' sworn tenant create acme
expect 2 'already' sworn tenant create acme
expect 2 'unlike' sworn tenant create ../acme
expect 0 '  acme$' sworn tenant list
expect 0 '"store":' sworn tenant show acme --json
expect 4 'no tenant nobody' sworn tenant show nobody
expect 125 'no tenant nobody' sworn record --tenant nobody -- echo ran
! grep -q '^ran' "$LOG/said" || fail nobody "the command ran"
expect 0 'sworn replay --tenant acme$' sworn record --tenant acme -- echo acme
expect 0 'identical$' sworn replay --tenant acme
expect 4 'no trace' sworn replay
acme=$(readlink -f "$XDG_DATA_HOME"/sworn/tenants/*/latest)
both 0 'signer +acme' --tenant acme "$acme"
expect 0 '' sworn record --tenant acme -o acme.sworn -- echo acme
both 0 'signer +acme' acme.sworn
both 5 'not a trace of tenant default' --tenant default acme.sworn
both 5 'not a trace of tenant acme' --tenant acme own.sworn
expect 0 '' sworn record -- echo mine
expect 125 'another tenant' sworn record --tenant acme --store "$XDG_DATA_HOME/sworn/store" -- echo ran
expect 125 'another tenant' sworn record --store "$(dirname "$(dirname "$acme")")" -- echo ran
# Another tenant's key, which the keystore has, is not the default tenant's: the header's tenant counts.
expect 0 '' sworn key export --tenant acme -o acme.pub
awk '{ $3 = "00000000000000000000000000000000"; print }' acme.pub > claimed.pub
SWORN_KEYSTORE=$WORK/empty sworn key trust claimed.pub > /dev/null
SWORN_KEYSTORE=$WORK/empty expect 5 'not trusted for tenant' sworn verify "$acme" --store "$(dirname "$(dirname "$acme")")"

# --- A keystore that others may use is refused, with the command that mends it; nothing runs.
for place in "$keys" "$keys.root" "$keys/00000000000000000000000000000000.tenant"; do
	mode=$(stat -c %a "$place")
	chmod g+r "$place"
	expect 125 "chmod $mode '.*'" sworn record -o refused.sworn -- echo ran
	! grep -q '^ran' "$LOG/said" || fail "$place" "the command ran"
	eval "$(grep -oE "chmod [0-9]+ '[^']+'" "$LOG/said")"
	expect 0 '' sworn record -o mended.sworn -- true
done
chmod 755 "$keys"
both 3 'chmod 700' own.sworn
chmod 700 "$keys"
if [ "$(id -u)" -eq 0 ]; then
	chown 12345 "$keys"
	expect 125 'belongs to user 12345' sworn record -o refused.sworn -- echo ran
	chown 0 "$keys"
else
	skip foreign "needs root"
fi
mv "$keys.root" kept.root
expect 125 'restore it' sworn record -o refused.sworn -- echo ran
head -c 32 /dev/urandom > "$keys.root" && chmod 600 "$keys.root"
expect 125 'another keyfile' sworn record -o refused.sworn -- echo ran
# Checking needs no secret.
both 0 'ok' own.sworn
mv kept.root "$keys.root"

# --- Passphrases, never asked for without a terminal.
echo right > right && echo wrong > wrong
sealed() { SWORN_KEYSTORE=$WORK/sealed sworn "$@"; }
expect 0 '' sealed key init --passphrase-file right
expect 2 'already' sealed key init --passphrase-file right
expect 125 'no terminal' sealed record -o sealed.sworn -- echo ran
expect 125 'wrong passphrase' sealed record --passphrase-file wrong -o sealed.sworn -- echo ran
expect 0 '' sealed record --passphrase-file right -o sealed.sworn -- echo ran
SWORN_PASSPHRASE_FILE=right expect 0 '' sealed record -o sealed.sworn -- echo ran
SWORN_KEYSTORE=$WORK/sealed both 0 'ok' sealed.sworn
[ ! -e sealed.root ] && pass || fail sealed "there is a keyfile"
# Keys move with a passphrase, and sign as the same tenant there.
expect 2 '-o FILE' sworn key export --secret
expect 0 '' sworn key export --secret -o moved --passphrase-file right
[ "$(stat -c %a moved)" = 600 ] && pass || fail moved "mode $(stat -c %a moved)"
export SWORN_KEYSTORE=$WORK/elsewhere
expect 5 'wrong passphrase' sworn key import moved --passphrase-file wrong
expect 0 '^default$' sworn key import moved --passphrase-file right
expect 2 'already' sworn key import moved --passphrase-file right
expect 5 'no exported key' sworn key import theirs.pub --passphrase-file right
both 0 'ok' own.sworn
unset SWORN_KEYSTORE

# --- Where no keystore can be made the recording goes on, and says so.
HOME='' XDG_DATA_HOME='' expect 0 'will not be signed: .*SWORN_KEYSTORE' sworn record -o plain.sworn -- echo plain
both 5 'unsigned' plain.sworn
both 0 'ok' --allow-unsigned plain.sworn
: > file
XDG_DATA_HOME=$WORK/file expect 0 'will not be signed: ' sworn record -o plain.sworn -- echo plain
SWORN_KEYSTORE=$WORK/file/keys expect 125 'could not be signed' sworn record -o refused.sworn -- echo ran

# --- Two at once make one keystore.
for n in 1 2 3 4; do
	XDG_DATA_HOME=$WORK/race sworn record -o "race$n.sworn" -- true > "$LOG/race$n" 2>&1 < /dev/null &
	races[n]=$!
done
for n in 1 2 3 4; do wait "${races[n]}" || fail race "recording $n: $(cat "$LOG/race$n")"; done
for n in 1 2 3 4; do
	XDG_DATA_HOME=$WORK/race expect 0 'trusted$' sworn verify "race$n.sworn"
done
[ "$(find "$WORK/race/sworn/keys" -type f | wc -l)" -eq 1 ] && pass || fail race "$(find "$WORK/race/sworn/keys")"

# --- A killed recording has a signed prefix, and no more of it is executed.
: > "$LOG/killed"
"$SWORN" record -o killed.sworn -- sh -c 'i=0; while :; do i=$((i + 1)); echo $i; [ $i -lt 2000 ] || sleep 0.01; done' > "$LOG/killed" 2>&1 < /dev/null &
recorder=$!
for ((i = 0; i < 200 && $(wc -l < "$LOG/killed") < 2300; i++)); do sleep 0.1; done
kill -KILL "$recorder"
wait "$recorder" 2> /dev/null
both 5 truncated killed.sworn.partial
# behind its last checkpoint a forger could put anything
expect 0 'signed +[0-9]+ of [0-9]+ events' sworn verify --allow-truncated killed.sworn.partial
read -r covered all < <(sed -nE 's/^  signed +([0-9]+) of ([0-9]+) events$/\1 \2/p' "$LOG/said")
[ "${covered:-0}" -gt 0 ] && pass || fail killed "$(cat "$LOG/said")"
expect 0 " ${covered:-none} of ${covered:-none} events.*: identical prefix$" sworn replay --allow-truncated killed.sworn.partial
expect 0 " ${all:-none} of ${all:-none} events.*: identical prefix$" sworn replay --allow-truncated --allow-unsigned killed.sworn.partial
head -c "$(python3 -B "$E2E/../tools/forge.py" own.sworn --frames | awk '$3 == "CHECKPOINT" { print $1; exit }')" own.sworn > cut.sworn
both 5 'no event of it is signed' --allow-truncated cut.sworn
both 0 'truncated' --allow-truncated --allow-unsigned cut.sworn
# What is made of a trace is signed on the way as well: a cut copy of it is as good as one of a recording.
expect 0 '' sworn record --store signed_store -- seq 100
expect 0 '' sworn pack --store signed_store -o packed.sworn
python3 -B "$E2E/../tools/forge.py" packed.sworn --frames > "$LOG/frames"
head -c "$(awk '$3 == "SUMMARY" { print $1; exit }' "$LOG/frames")" packed.sworn > cut.sworn
both 5 'truncated' cut.sworn
both 0 'truncated' --allow-truncated cut.sworn
expect 0 'signed +([0-9]+) of [1-9][0-9]* events' sworn verify --allow-truncated cut.sworn
! grep -q 'signed  *0 of' "$LOG/said" && pass || fail packed "$(cat "$LOG/said")"

# --- A guest sees neither keys nor stores.
if sworn verify own.sworn | grep -q 'isolation .* mount'; then
	expect 0 '^0 bytes$' sworn record -o look.sworn -- sh -c 'find "$0" "$0.root" "$1"/sworn/store "$1"/sworn/tenants -type f -size +0 2> /dev/null; cat "$0".root | wc -c | sed "s/$/ bytes/"' "$keys" "$XDG_DATA_HOME"
	! grep -q '^/' "$LOG/said" || fail hidden "the guest sees $(grep '^/' "$LOG/said")"
else
	skip hidden "no mount namespace here"
fi
# Nor is a secret in what it was given: not in the trace, not in its memory.
python3 - "$keys.root" own.sworn << 'END_OF_PYTHON' && pass || fail secret "the keyfile is in the trace"
import subprocess, sys
root = open(sys.argv[1], "rb").read()
data = open(sys.argv[2], "rb").read()
raw = subprocess.run(["zstd", "-dcq", sys.argv[2]], stdout=subprocess.PIPE, check=True).stdout
sys.exit(root in data or root in raw)
END_OF_PYTHON

# --- The report says who.
expect 0 '' sworn replay --report who.json own.sworn
python3 - << 'END_OF_PYTHON' && pass || fail report "$(cat who.json)"
import json
seal = json.load(open("who.json"))["trace"]["seal"]
assert seal["signed"] is True and seal["trust"] == "trusted" and seal["signer"] == "default", seal
assert seal["kid"].startswith("sha256:") and seal["signed_events"] > 0
END_OF_PYTHON
finish
