#!/bin/bash
# Each verb's help opens with two examples, and they run as they stand there: in a directory that has the files they name, with the
# names of traces and of a store that this run has.
. "$(dirname "$0")/lib.sh"

have examples make python3 || finish
mkdir -p "$WORK"/{bin,desk,temporary}
ln -s "$SWORN" "$WORK/bin/sworn"
cd "$WORK/desk" || exit 1
mkdir -p build/old traces/service
export PATH=$WORK/bin:$PATH TMPDIR=$WORK/temporary
printf 'test:\n\t@echo tested\n' > Makefile
printf '#!/bin/sh\necho "$@"\n' > job
cp job build/old/service
cp job build/service
echo '# of today' >> build/service
chmod +x job build/old/service build/service
{
	sworn record -o hello.sworn -- /bin/sh -c 'cat /etc/hostname /etc/passwd > /dev/null; echo hello'
	sworn record -o run.sworn -- ./job run
	sworn record -o a.sworn -- ./job a
	sworn record -o b.sworn -- ./job b
	sworn record --workdir-as /work -o traces/service/one.sworn -- build/old/service one
	SWORN_KEYSTORE=$WORK/theirs sworn key init && SWORN_KEYSTORE=$WORK/theirs sworn key export -o yours.pub
	head -c -100 run.sworn > cut
} > "$LOG/setup" 2>&1 || fail setup "$(tail -n 3 "$LOG/setup")"

# killed: a recording in the store whose recorder is gone; leaves its name
killed()
{
	local recorder i

	"$SWORN" record -- sh -c 'while :; do echo x; done' > "$LOG/killed" 2>&1 < /dev/null &
	recorder=$!
	for ((i = 0; i < 100 && $(wc -l < "$LOG/killed") < 2000; i++)); do sleep 0.1; done
	sleep 1.5
	kill -KILL "$recorder"
	wait "$recorder" 2> /dev/null
	name=@$(sworn list --json | python3 -c 'import json, sys
print([t["name"] for t in json.load(sys.stdin)["traces"] if t["state"] == "unfinished"][0].lstrip("@"))')
}

# prepare VERB: what its examples expect of the store; leaves the name of a trace there
prepare()
{
	rm -rf "$XDG_DATA_HOME/sworn/store" packed
	sworn record -- ./job one > "$LOG/prepare" 2>&1
	name=@$(sworn list --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["traces"][0]["name"].lstrip("@"))')
	cp cut run.sworn.partial
	sworn record -- ./job two >> "$LOG/prepare" 2>&1
	sworn replay --attest run.att run.sworn >> "$LOG/prepare" 2>&1
	[ "$1" != repair ] || killed
}

# examples VERB: the lines of its help that are commands, without what is said behind them
examples()
{
	sworn "$1" --help | head -n 14 | sed -nE 's|^  (sworn )|\1|p' | sed -E 's| {2,}.*||' | head -n 2
}

while read -r verb; do
	prepare "$verb"
	count=0
	while IFS= read -r example; do
		count=$((count + 1))
		command=$(sed "s,@9eab0000,$name,g; s,/tmp/store,$WORK/store,g" <<< "$example")
		timeout -s KILL 100 bash -c "$command" > "$LOG/example" 2>&1 < /dev/null && pass ||
			fail "$verb" "exit status $?: $command: $(tail -n 3 "$LOG/example")"
	done < <(examples "$verb")
	[ "$count" -eq 2 ] && pass || fail "$verb" "$count examples in the first lines of its help, not 2"
done < <(sworn help | grep -oE '^  [a-z]+' | grep -vE 'help|version')

finish
