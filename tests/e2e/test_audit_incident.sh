#!/bin/bash
# The staged incident of docs/AUDIT.md: a web service is made to run a shell that packs a key file and sends it away. Five
# questions find the way in, the processes, the file, the bytes and where they went; what they say is compared with
# what the two ends wrote down.
. "$(dirname "$0")/lib.sh"

have incident /usr/bin/python3 tar gzip bash || finish
STAGE=$E2E/data/incident
DIR=$WORK/incident
TRACE=$TRACES/incident.sworn
mkdir -p "$DIR"
sworn record --schedule observed -o "$TRACE" -- sh "$STAGE/run.sh" "$DIR" > "$LOG/incident.out" 2> "$LOG/incident.err" < /dev/null || {
	fail record "the recording exits with $?: $(tail -n 2 "$LOG/incident.err")"
	finish
}
service=$(awk '$1 == "service" { print $2 }' "$DIR/truth.txt")
collector=$(awk '$1 == "collector" { print $2 }' "$DIR/truth.txt")
digest=sha256:$(sha256sum < "$DIR/received.bin" | cut -d' ' -f1)
size=$(stat -c %s "$DIR/received.bin")
key=sha256:$(sha256sum < "$DIR/site/service.key" | cut -d' ' -f1)

# ask NAME ARGUMENT...: the answer into $LOG/NAME
ask()
{
	local name=$1

	shift
	sworn audit "$@" "$TRACE" > "$LOG/$name" 2> "$LOG/$name.err" || {
		fail "$name" "sworn audit $* exits with $?: $(cat "$LOG/$name.err")"
		return 1
	}
}

# says NAME TEXT: a line of the answer has the text
says()
{
	if grep -qF -- "$2" "$LOG/$1"; then
		pass
	else
		fail "$1" "the answer does not say '$2': $(head -n 5 "$LOG/$1" | cut -c1-300)"
	fi
}

ask entry grep 'tar%20-czf'
says entry "pid $service recvfrom"
ask tree ps
tree=$(awk -v service="$service" '
	{ match($0, /^ */); depth = RLENGTH }
	$1 == service { inside = 1; top = depth; next }
	inside && $1 != "=" && depth <= top { inside = 0 }
	inside { print }' "$LOG/tree")
for program in 'tar -czf' 'gzip' 'rm /tmp/.cache-'; do
	if grep -qF -- "$program" <<< "$tree"; then
		pass
	else
		fail tree "below the service there is no '$program': $tree"
	fi
done
if grep -q 'wc -l' <<< "$tree"; then
	fail tree "what the service did not start is below it"
else
	pass
fi
ask file files '*/service.key'
says file "37 bytes read $key"
if awk '/pid [0-9]+ tar: opened 1 times/ && /read 37 bytes/ { found = 1 } END { exit !found }' "$LOG/file"; then
	pass
else
	fail file "tar is not the one that read the key: $(cat "$LOG/file")"
fi
ask network net --json
sent=$(/usr/bin/python3 - "$LOG/network" "$collector" <<- 'P'
	import json, sys
	rows = [json.loads(line) for line in open(sys.argv[1])]
	sockets = {row["socket"]: row for row in rows if row["kind"] == "socket"}
	for row in sockets.values():
	    peer = row["peers"][0] if row["peers"] else {}
	    if peer.get("address") == "127.0.0.1:9099" and sockets[row["other"]]["pid"] == int(sys.argv[2]):
	        print(row["bytes_sent"], row["digest_sent"])
P
)
if [ "$sent" = "$size $digest" ]; then
	pass
else
	fail network "what went to the collector is '$sent', not '$size $digest'"
fi
archive=$(sworn audit files --json '/tmp/.cache-*' "$TRACE" | /usr/bin/python3 -c 'import json, sys
print(*[row["path"] for row in map(json.loads, sys.stdin) if row["kind"] == "file" and row["deleted"]])')
sworn audit cat "file:$archive:write" "$TRACE" > "$LOG/bytes" 2> "$LOG/bytes.err"
if cmp -s "$LOG/bytes" "$DIR/received.bin" && tar -xzOf "$LOG/bytes" service.key | cmp -s - "$DIR/site/service.key"; then
	pass
else
	fail bytes "what was written to '$archive' is not what was received: $(cat "$LOG/bytes.err")"
fi
finish
