#!/bin/bash
# Language, time zone, noise in the environment, and what others left in /tmp: --workdir-as, --env and --private-tmp take
# them away, so that recordings have the same events; what cannot be had is refused with a word.
. "$(dirname "$(realpath "$0")")/lib.sh"

name=sworn-left-$$
export PATH=/usr/bin:/bin
trap 'rm -rf "/tmp/$name"' EXIT
[[ ,${SWORN_WITHOUT:-}, != *,userns,* ]] && { [ "$(id -u)" -eq 0 ] || unshare -Urm true 2> /dev/null; } || {
	skip "all" "this user gets no mount namespace"
	finish
}

# recorded NAME VARIABLE... -- ARGUMENT...: records with these variables
recorded()
{
	local trace=$TRACES/$1.sworn log=$LOG/$1 variables=()

	shift
	while [ "$1" != -- ]; do variables+=("$1") && shift; done
	shift
	fresh true
	(cd "$RUN" && env "${variables[@]}" timeout -s KILL 100 "$SWORN" record --schedule seeded --seed 1 --workdir-as /work -o "$trace" \
		"$@" > "$log.out" 2> "$log.err" < /dev/null)
}

# same NAME NAME: equal events, output, and they are there
same()
{
	sworn verify --list "$TRACES/$1.sworn" > "$LOG/$1.list" 2> /dev/null
	sworn verify --list "$TRACES/$2.sworn" > "$LOG/$2.list" 2> /dev/null
	[ -s "$LOG/$1.list" ] && cmp -s "$LOG/$1.list" "$LOG/$2.list" && cmp -s "$LOG/$1.out" "$LOG/$2.out" && replay_check "$1" "$TRACES/$1.sworn" &&
		pass || fail "$2" "differs from $1: $(diff "$LOG/$1.list" "$LOG/$2.list" | head -n 3 | cut -c1-300) $(tail -n 2 "$LOG/$2.err")"
}

# refused NAME TEXT: the recording just made ended with 125, says why, and ran nothing
refused()
{
	local status=$?

	[ "$status" -eq 125 ] && grep -q -e "$2" "$LOG/$1.err" && [ ! -s "$LOG/$1.out" ] && [ ! -e "$TRACES/$1.sworn" ] && pass ||
		fail "$1" "exit status $status: $(cat "$LOG/$1.err" "$LOG/$1.out")"
}

# Language and time zone of the user.
recorded language LANG=C.UTF-8 -- -- sh -c 'date; echo "$LC_ALL$LANGUAGE"; printf "B\na\n" | sort'
recorded other_language LANG=de_DE.UTF-8 LC_ALL=POSIX LC_TIME=C LANGUAGE=de TZ=Asia/Tokyo -- -- \
	sh -c 'date; echo "$LC_ALL$LANGUAGE"; printf "B\na\n" | sort'
same language other_language
grep -q UTC "$LOG/language.out" || fail language "the time zone is not UTC: $(cat "$LOG/language.out")"

# Anything else, where it is said what counts; the order of the user's own variables does not.
recorded named ONE=1 TWO=2 -- --env ONE --env TWO --env THREE=3 --env PATH -- env
recorded other_named TWO=2 NOISE=noise ONE=1 SHLVL=9 -- --env ONE --env TWO --env THREE=3 --env PATH -- env
same named other_named
grep -q '^THREE=3$' "$LOG/named.out" && ! grep -q NOISE "$LOG/other_named.out" && pass || fail named "$(cat "$LOG/named.out")"

# What others left in /tmp is not seen, and nothing is left there.
recorded tmp -- --private-tmp -- sh -c "ls -la /tmp; mkdir /tmp/$name && echo made > /tmp/$name/file && mktemp && cat /tmp/$name/file"
[ -e "/tmp/$name" ] && fail tmp "it was made in the host's /tmp" || pass
mkdir "/tmp/$name"
recorded other_tmp -- --private-tmp -- sh -c "ls -la /tmp; mkdir /tmp/$name && echo made > /tmp/$name/file && mktemp && cat /tmp/$name/file"
same tmp other_tmp
if [ "$(id -u)" -eq 0 ] && have "as another user" setpriv && setpriv --reuid="$own" --regid="$own" --clear-groups unshare -Urm true 2> /dev/null; then
	mkdir -p "$WORK/open" && chmod 755 "$WORK" && chmod 1777 "$WORK/open" && cp "$SWORN" "$WORK/open/sworn" && chmod 755 "$WORK/open/sworn"
	mkdir "$WORK/open/run" && chown "$own:$own" "$WORK/open/run"
	: > "$LOG/user.out" > "$LOG/user.err" # whose these are is an input
	(cd "$WORK/open/run" && umask 077 && setpriv --reuid="$own" --regid="$own" --clear-groups timeout -s KILL 100 "$WORK/open/sworn" record \
		--schedule seeded --seed 1 --workdir-as /work -o "$WORK/open/user.sworn" --private-tmp -- \
		sh -c "ls -la /tmp; mkdir /tmp/$name && echo made > /tmp/$name/file && mktemp && cat /tmp/$name/file" \
		> "$LOG/user.out" 2> "$LOG/user.err" < /dev/null)
	mv "$WORK/open/user.sworn" "$TRACES/user.sworn"
	same tmp user
fi

# What would be out of sight, and what the host does not give.
cp /bin/true "/tmp/$name/program"
recorded command -- --private-tmp -- "/tmp/$name/program"
refused command 'must not lie in /tmp'
(cd "/tmp/$name" && sworn record --private-tmp -o "$TRACES/directory.sworn" -- echo ran > "$LOG/directory.out" 2> "$LOG/directory.err")
refused directory 'add --workdir-as'
SWORN_WITHOUT=userns recorded namespaces -- --private-tmp -- echo ran
refused namespaces 'needs namespaces of mounts'
for variable in '' =x; do
	sworn record --env "$variable" -- echo ran > "$LOG/usage" 2>&1
	[ $? -eq 2 ] && grep -q 'bad value' "$LOG/usage" && pass || fail usage "--env '$variable': $(cat "$LOG/usage")"
done
finish
