#!/bin/bash
# run.sh [NAME...]: builds the packages of packages.txt, or those named, twice natively and twice under Sworn, and
# compares what comes out, bit by bit. The two builds of a pair run beside each other and beside busy processes, in two
# directories, at two times, with two niceness values, umasks, languages and time zones, one with a noisy environment, and, where this
# is root, as two users. A pair under Sworn has one seed; what neutralises the rest is sworn's options alone.
# Sources come from REPRODUCE_SOURCES (default: build/reproduce/sources), or by apt-get into there. REPRODUCE_TABLE names a file for the
# table; a row of a former run stays where that package is not built again. REPRODUCE_LOAD is the number of busy processes (2).
set -u

HERE=$(dirname "$(realpath "$0")")
: "${SOURCE:=$(realpath "$HERE/../..")}"
LIMIT=${LIMIT:-3000}
. "$HERE/../e2e/lib.sh"
cache=$SOURCE/build/reproduce
sources=${REPRODUCE_SOURCES:-$cache/sources}
results=${REPRODUCE_RESULTS:-$cache/results}
path=/usr/sbin:/usr/bin:/sbin:/bin
user=23456
mkdir -p "$sources" "$results" "$WORK/bin"
cp "$SWORN" "$WORK/bin/sworn"
chmod 755 "$WORK" "$WORK/bin" "$WORK/bin/sworn"
as=() # what starts the second build of a pair
if [ "$(id -u)" -eq 0 ]; then
	as=(setpriv "--reuid=$user" "--regid=$user" --clear-groups)
	"${as[@]}" unshare -Urm true 2> /dev/null || {
		skip "as another user" "user namespaces are refused to this user"
		as=()
	}
fi

loops=()
trap '[ ${#loops[@]} -eq 0 ] || kill -KILL "${loops[@]}"' EXIT
for ((i = 0; i < ${REPRODUCE_LOAD:-2}; i++)); do
	(while :; do :; done) &
	loops+=($!)
done

# fetch SOURCE_VERSION: its files are in $sources
fetch()
{
	local lists=$cache/lists package=${1%%_*}

	[ ! -e "$sources/$1.dsc" ] || ! (cd "$sources" && dscverify_files "$1.dsc") || return 0
	mkdir -p "$lists/partial"
	sed 's/^Types: .*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources > "$cache/debian.sources" 2> /dev/null ||
		sed -n 's/^deb /deb-src /p' /etc/apt/sources.list > "$cache/debian.list"
	set -- "$1" -o "Dir::Etc::sourcelist=$(ls "$cache"/debian.{sources,list} 2> /dev/null | head -n 1)" \
		-o Dir::Etc::sourceparts=- -o "Dir::State::lists=$lists" -o APT::Sandbox::User=root
	[ -e "$cache/updated" ] || { apt-get "${@:2}" update && touch "$cache/updated"; } > "$LOG/apt" 2>&1
	(cd "$sources" && apt-get "${@:2}" source --download-only "$package=${1#*_}") >> "$LOG/apt" 2>&1
	[ -e "$sources/$1.dsc" ] && (cd "$sources" && dscverify_files "$1.dsc")
}

# dscverify_files FILE: all files that it names are here and have their sums
dscverify_files()
{
	sed -n '/^Checksums-Sha256:/,/^[A-Z]/s/^ \([0-9a-f]*\) [0-9]* \(.*\)/\1  \2/p' "$1" | sha256sum --quiet -c > /dev/null 2>&1
}

# prepare DIRECTORY NAME SOURCE HOW: everything that the build needs, and build.sh
prepare()
{
	local directory=$1 name=$2 source=$3 how=$4 options=${4%%:*} arguments=${4#*:}

	rm -rf "$directory"
	mkdir -p "$directory"
	[ "$source" = - ] || dpkg-source --no-check -x "$sources/$source.dsc" "$directory/$name" > "$LOG/unpack" 2>&1 || return 1
	if [ "$how" = own ]; then
		cp "$HERE/own/$name.sh" "$directory/build.sh"
	else
		printf 'export DEB_BUILD_OPTIONS="%s"\ncd %s && exec dpkg-buildpackage -us -uc %s\n' "${options//,/ }" "$name" \
			"${arguments//,/ }" > "$directory/build.sh"
	fi
	[ $# -lt 5 ] || [ "${#as[@]}" -eq 0 ] || chown -R "$user:$user" "$directory"
}

# build LOG DIRECTORY STARTER... -- COMMAND...: runs it there; seconds and exit status go to LOG.time
build()
{
	local log=$1 directory=$2 start status=0 starter=()

	shift 2
	while [ "$1" != -- ]; do starter+=("$1") && shift; done
	shift
	start=$(date +%s%N)
	(cd "$directory" && exec timeout -s KILL "$LIMIT" "${starter[@]}" "$@" > "$log" 2>&1 < /dev/null) || status=$?
	echo "$((($(date +%s%N) - start) / 1000000)) $status" > "$log.time"
}

first=(env -i "PATH=$path" HOME=/root USER=root LANG=C.UTF-8 TZ=UTC)
second=(env -i "PATH=$path:/usr/games" HOME=/tmp USER=joe LOGNAME=joe SHELL=/bin/sh LC_ALL=POSIX LANGUAGE=de TZ=Asia/Tokyo
	NOISE=noise EDITOR=ed OLDPWD=/ SHLVL=7)

# pair KIND NAME COMMAND...: both builds, at the same time but for three seconds; their logs are NAME.KIND.{a,b}
pair()
{
	local log=$LOG/$2.$1 kind=$1 command_a command_b

	shift 2
	command_a=("$@") command_b=("$@")
	if [ "$kind" = sworn ]; then
		mkdir -p "$WORK/trace.a" "$WORK/trace.b" && chmod 777 "$WORK/trace.b"
		set -- "$WORK/bin/sworn" record --schedule seeded --seed reproduce --workdir-as /work --private-tmp --env "PATH=$path"
		# What sworn says of keys that it lacks would be in the log, whose length the shell asks for.
		command_a=("$@" --keystore "$WORK/trace.a/keys" -o "$WORK/trace.a/run.sworn" -- "${command_a[@]}")
		command_b=("$@" --keystore "$WORK/trace.b/keys" -o "$WORK/trace.b/run.sworn" -- "${command_b[@]}")
	fi
	# Whose the files behind standard output are is an input.
	: > "$log.a"
	: > "$log.b"
	build "$log.a" "$WORK/a" "${first[@]}" -- "${command_a[@]}" &
	sleep 3
	(umask 027 && build "$log.b" "$WORK/elsewhere/b" nice -n 2 "${as[@]}" "${second[@]}" -- "${command_b[@]}")
	wait %% 2> /dev/null || wait $!
}

# differing LIST LIST: of two lists of sums, how many files the first has, and which are not the same in both
differing()
{
	wc -l < "$1"
	diff "$1" "$2" | sed -n 's/^[<>] [0-9a-f]*  //p' | sort -u
}

# artifacts DIRECTORY NAME, tree DIRECTORY: the sums of what the build made, and of all that is there afterwards
artifacts()
{
	(cd "$1" && find . -maxdepth 2 -type f \( -path './artifacts/*' -o -name '*.deb' -o -name '*.buildinfo' -o -name '*.changes' \) \
		-print0 | sort -z | xargs -0r sha256sum)
}

tree()
{
	(cd "$1" && find . -type f -print0 | sort -z | xargs -0r sha256sum)
}

# compare KIND NAME: fills the variables of the row; false when a build failed
compare()
{
	local kind=$1 name=$2 log=$LOG/$2.$1 side what

	for side in a b; do
		read -r took status < "$log.$side.time"
		[ "$status" -eq 0 ] || {
			fail "$name" "$kind build $side ends with $status after $took ms"
			tail -n 6 "$log.$side" | cut -c1-300 | sed 's/^/    /'
			return 1
		}
		declare -g "${kind}_$side=$took"
	done
	for what in artifacts tree; do
		$what "$WORK/a" > "$log.$what.a"
		$what "$WORK/elsewhere/b" > "$log.$what.b"
		differing "$log.$what.a" "$log.$what.b" > "$log.$what"
		declare -g "${kind}_$what=$(($(wc -l < "$log.$what") - 1)) of $(head -n 1 "$log.$what")"
	done
	bytes=$(artifacts "$WORK/a" | cut -c67- | (cd "$WORK/a" && xargs -d '\n' cat) | wc -c)
	[ -s "$log.artifacts.a" ] || { fail "$name" "the $kind build made nothing" && return 1; }
}

try()
{
	local name=$1 source=$2 how=$3 text=$4 kind missing events_a events_b

	if [ "$source" != - ] && ! fetch "$source"; then
		skip "$name" "its source $source cannot be downloaded: $(grep -h '^E:' "$LOG/apt" | head -n 1)"
		return
	fi
	for kind in native sworn; do
		prepare "$WORK/a" "$name" "$source" "$how" && prepare "$WORK/elsewhere/b" "$name" "$source" "$how" b || {
			fail "$name" "cannot be unpacked: $(tail -n 1 "$LOG/unpack")"
			return
		}
		if [ -e "$WORK/a/$name/debian/control" ] && [ "$how" != own ] && [ "$kind" = native ]; then
			missing=$(cd "$WORK/a/$name" && dpkg-checkbuilddeps -I "$(grep -o -e '-[AB]' <<< "$how" | head -n 1)" \
				-P "$(sed -n 's/.*-P\([a-z]*\).*/\1/p' <<< "$how")" 2>&1) || {
				skip "$name" "${missing##*error: }"
				return
			}
		fi
		pair "$kind" "$name" bash build.sh
		compare "$kind" "$name" || return
	done
	events_a=$(sworn verify --list "$WORK/trace.a/run.sworn" 2> "$LOG/$name.verify.a" | sha256sum)
	events_b=$(sworn verify --list "$WORK/trace.b/run.sworn" 2> "$LOG/$name.verify.b" | sha256sum)
	events=$(sed -n 's/^ *events *//p' "$LOG/$name.verify.a")
	same=yes
	[ "$events_a" = "$events_b" ] && [ -n "$events" ] || same=no
	printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$name" "$text" "${source#-}" "$bytes" \
		"$native_artifacts" "$sworn_artifacts" "$native_tree" "$sworn_tree" "$events" "$same" \
		"$(seconds "$native_a")" "$(seconds "$sworn_a")" \
		"$(awk -v n="$native_a" -v s="$sworn_a" 'BEGIN { printf "%.1f", s / n }')" > "$results/$name.new"
	mv "$results/$name.new" "$results/$name"
	cat "$results/$name"
	if [[ $sworn_artifacts == "0 of "* ]] && [[ $sworn_tree == "0 of "* ]]; then
		pass
	else
		fail "$name" "two builds with one seed differ: $(sed 1d "$LOG/$name.sworn.tree" | head -n 5 | tr '\n' ' ')"
	fi
	# What one of two users may not read makes no file another one, but the table says so.
	[ $same = yes ] || {
		echo "$name: the recordings have other events; first:"
		diff <(sworn verify --list "$WORK/trace.a/run.sworn" 2> /dev/null) <(sworn verify --list "$WORK/trace.b/run.sworn" 2> /dev/null) |
			head -n 6 | cut -c1-300 | sed 's/^/    /'
	}
	[ -z "${REPRODUCE_KEEP:-}" ] || { rm -rf "$WORK/kept.$name" && mkdir "$WORK/kept.$name" &&
		mv "$WORK"/trace.? "$WORK/a" "$WORK/elsewhere/b" "$WORK/kept.$name/"; }
	rm -f "$WORK"/trace.?/run.sworn
}

seconds()
{
	awk -v ms="$1" 'BEGIN { printf "%.1f", ms / 1000 }'
}

while read -r name source how text; do
	[[ $name != "#"* ]] && { [ $# -eq 0 ] || [[ " $* " = *" $name "* ]]; } || continue
	try "$name" "$source" "$how" "$text"
done < "$HERE/packages.txt"
if [ "${REPRODUCE_TABLE:-}" ]; then
	{
		cat "$HERE/table.md"
		echo '| name | what it is | source | bytes | differ natively | differ under Sworn | files of the tree, natively | under Sworn | events | same events | native s | Sworn s | times |'
		echo '|---|---|---|---|---|---|---|---|---|---|---|---|---|'
		while read -r name _; do
			[[ $name = "#"* ]] || cat "$results/$name" 2> /dev/null
		done < "$HERE/packages.txt" | tee "$LOG/rows"
		awk -F ' *[|] *' '
			{ split($6, n, " of "); split($7, s, " of "); native += n[1]; all += n[2]; sworn += s[1] }
			{ split($8, n, " of "); split($9, s, " of "); tree_native += n[1]; tree += n[2]; tree_sworn += s[1] }
			END {
				printf "\nIn all, %d of %d files that the builds are for differ natively, %d under Sworn; ", native, all, sworn
				printf "of %d files of the trees %d and %d.\n", tree, tree_native, tree_sworn
			}' "$LOG/rows"
	} > "$REPRODUCE_TABLE.new"
	mv "$REPRODUCE_TABLE.new" "$REPRODUCE_TABLE"
fi
finish
