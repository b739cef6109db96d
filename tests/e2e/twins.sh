# twins.sh: sourced after lib.sh by test_twins.sh in the place of each test of programs: check_program then records the program TWINS times
# with one seed, in two directories by turns and, from root, as two users by turns, beside TWINS_LOAD busy processes, and compares all events and state hashes with
# those of the first. TWINS_ONLY names the programs; empty: all.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # of lib.sh
places=("$WORK/twin" "$WORK/elsewhere/deeper")
users=(env env)
[ "$(id -u)" -ne 0 ] || ! setpriv "--reuid=$own" "--regid=$own" --clear-groups unshare -Urm true 2> /dev/null ||
	users=(env "setpriv --reuid=$own --regid=$own --clear-groups")
loops=()
trap '[ ${#loops[@]} -eq 0 ] || kill -KILL "${loops[@]}"' EXIT
for ((i = 0; i < ${TWINS_LOAD:-1}; i++)); do
	(while :; do :; done) &
	loops+=($!)
done
# Where both users may read it.
cp -r "$E2E/data" "$WORK/data.new" && rm -rf "$WORK/data" && mv "$WORK/data.new" "$WORK/data"
E2E=$WORK
mkdir -p "$WORK/bin" "$TRACES/0" "$TRACES/1"
cp "$SWORN" "$WORK/bin/sworn"
chmod -R a+rX "$WORK/data" "$WORK/bin"
# What sworn says of keys it lacks would be in the error output that guests see.
mkdir -p "$WORK/keys.0" "$WORK/keys.1"
[ "${users[1]}" = env ] || chown "$own:$own" "$WORK/keys.1"
chmod a+x "$WORK" && chmod 755 "$TRACES" && chmod 1777 "$TRACES/1"

# twin NUMBER NAME COMMAND...: one recording of it in a copy of $RUN; its exit status
twin()
{
	local place=${places[$1 % 2]} side=$(($1 % 2)) name=$2 given=() variable

	shift 2
	rm -rf "$place" && mkdir -p "$(dirname "$place")" && cp -a "$RUN" "$place" || return 99
	[ "$side" -eq 0 ] || [ "${users[1]}" = env ] || chown -R "$own:$own" "$place"
	for variable in PATH "${!GIT_@}"; do
		given+=(--env "$variable")
	done
	[[ $HOME != "$RUN"* ]] || given+=(--env "HOME=/work${HOME#"$RUN"}")
	: > "$LOG/$name.out"
	: > "$LOG/$name.err"
	(
		cd "$place" || exit 99
		[ "$side" -eq 0 ] || umask 077
		# shellcheck disable=SC2086 # words
		exec ${users[$side]} timeout -s KILL "${LIMIT:-300}" "$WORK/bin/sworn" record --keystore "$WORK/keys.$side/keys" --schedule seeded --seed twins --workdir-as /work --env TMPDIR=/work \
			"${given[@]}" -o "$TRACES/$side/$name.sworn" -- "${@//"$RUN"//work}" > "$LOG/$name.out" 2> "$LOG/$name.err" < /dev/null
	)
}

check_program()
{
	local name=$1 setup=true wanted=0 i side status

	shift
	while [ "$1" != -- ]; do
		case $1 in
		--status) wanted=$2 && shift ;;
		--setup) setup=$2 && shift ;;
		esac
		shift
	done
	shift
	[ -z "${TWINS_ONLY:-}" ] || [[ " $TWINS_ONLY " = *" $name "* ]] || return 0
	# Once: what it makes is an input, and may hold times and numbers of its own files (the index of git).
	fresh "$setup" || {
		fail "$name" "no directory to run it in"
		return 1
	}
	for ((i = 0; i < ${TWINS:-2}; i++)); do
		side=$((i % 2)) status=0
		rm -f "$TRACES/$side/$name.sworn"
		twin "$i" "$name" "$@" || status=$?
		[ "$status" -eq "$wanted" ] || {
			fail "$name" "recording $i ends with $status: $(tail -n 1 "$LOG/$name.err")"
			return 1
		}
		sworn verify --list "$TRACES/$side/$name.sworn" > "$LOG/$name.$((i > 0))" 2> "$LOG/$name.verify"
		[ "$i" -gt 0 ] || continue
		[ -s "$LOG/$name.0" ] && cmp -s "$LOG/$name.0" "$LOG/$name.1" || {
			fail "$name" "recording $i is another one than recording 0 with the same seed; first:"
			diff "$LOG/$name.0" "$LOG/$name.1" | head -n 4 | cut -c1-300
			return 1
		}
	done
	echo "$name: ${TWINS:-2} recordings of $(wc -l < "$LOG/$name.0") events are the same"
	rm -f "$LOG/$name".* "$TRACES"/?/"$name.sworn"
	pass
}
