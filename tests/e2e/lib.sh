# lib.sh: sourced by the end-to-end tests. Runs programs natively, recorded and replayed, compares
# what they print and how they end, and counts. Needs SWORN (the binary) and GUESTS (the directory of
# the guest programs); WORK is the directory for files, a new one when unset. REPLAYS is how often each
# trace is replayed. MODE, seeded or observed, is how check_program records; without it, as `sworn record` does
# by itself. finish() says what was kept after a failure.
# shellcheck shell=bash
# shellcheck disable=SC2329 # functions of the tests that source this
set -u

: "${SWORN:?path of the sworn binary}" "${GUESTS:?directory of the guest programs}"
SWORN=$(realpath "$SWORN")
GUESTS=$(realpath "$GUESTS")
E2E=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
# Where run_one.sh keeps the files of a failure; a run by hand does the same.
: "${WORK:=$(mktemp -d "${TMPDIR:-/tmp}/sworn-e2e.XXXXXX")}"
TRACES=$WORK/traces
RUN=$WORK/run # every run of a program starts in this directory, emptied
LOG=$WORK/log
mkdir -p "$TRACES" "$RUN" "$LOG"
passed=0 failed=0 skipped=0
NATIVE=(env) # what native runs are started by
case ${MODE:-} in
'') MODE_OPTIONS=() ;;
seeded) MODE_OPTIONS=(--schedule seeded --seed 1) ;;
observed) MODE_OPTIONS=(--schedule observed --clock real) ;;
*) echo "MODE is $MODE, neither seeded nor observed" >&2 && exit 2 ;;
esac

pass()
{
	passed=$((passed + 1))
}

# fail NAME TEXT...: counts a failure, says what is wrong
fail()
{
	local name=$1

	shift
	failed=$((failed + 1))
	printf 'FAILED: %s: %s\n' "$name" "$*"
}

# ok_so_far: whether nothing failed yet
ok_so_far()
{
	[ "$failed" -eq 0 ]
}

# skip NAME REASON: counts a skip
skip()
{
	skipped=$((skipped + 1))
	echo "skipped: $1: $2"
}

# sworn ARGUMENT...: the binary under a time limit, so that a hang is a failure like others (137)
sworn()
{
	timeout -s KILL "${LIMIT:-100}" "$SWORN" "$@"
}

# have NAME PROGRAM...: whether all programs are installed; if not, that is a counted skip of NAME
have()
{
	local name=$1 program

	shift
	for program; do
		command -v "$program" > /dev/null || {
			skip "$name" "$program is not installed"
			return 1
		}
	done
}

own=12345 # an ordinary user's number

# as_user SCRIPT: from here on the script runs as that user, from its start, with UNPRIVILEGED=yes; it gets copies of
# all that it needs where it may read them
as_user()
{
	mkdir -p "$WORK/user/bin" "$WORK/user/guests" "$WORK/user/work/tmp" "$WORK/user/home"
	cp "$SWORN" "$WORK/user/bin/sworn"
	cp "$GUESTS"/* "$WORK/user/guests/"
	cp -r "$E2E" "$WORK/user/e2e"
	chmod -R a+rX "$WORK/user"
	chmod a+x "$WORK"
	chown -R "$own:$own" "$WORK/user/work" "$WORK/user/home"
	cd "$WORK/user/work" || exit 1
	exec setpriv --reuid="$own" --regid="$own" --clear-groups env -u XDG_DATA_HOME -u XDG_RUNTIME_DIR \
		UNPRIVILEGED=yes WORK="$WORK/user/work" TMPDIR="$WORK/user/work/tmp" HOME="$WORK/user/home" \
		SWORN="$WORK/user/bin/sworn" GUESTS="$WORK/user/guests" bash "$WORK/user/e2e/$1"
}

# finish: the counts and the exit status: 1 on any failure, 77 when there was nothing to test
finish()
{
	echo "$(basename "$0"): $passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ] || {
		echo "files are kept in $WORK"
		exit 1
	}
	[ "$passed" -gt 0 ] || {
		echo "SKIP: nothing here could be tested"
		exit 77
	}
	exit 0
}

# counts_branches: whether this host has a hardware counter that Sworn may use
counts_branches()
{
	[[ ,${SWORN_WITHOUT:-}, != *,pmu,* ]] && [ -e /sys/bus/event_source/devices/cpu/type ] &&
		{ [ "$(id -u)" -eq 0 ] || [ "$(cat /proc/sys/kernel/perf_event_paranoid)" -le 2 ]; }
}

# fresh SETUP: empties $RUN, runs SETUP there
fresh()
{
	chmod -R u+rwX "$RUN" 2> /dev/null
	rm -rf "$RUN"
	mkdir "$RUN"
	(cd "$RUN" && $1) > "$LOG/setup" 2>&1 || { cat "$LOG/setup" && return 1; }
}

# complain NAME TRACE TEXT FILE...: a failure with its command lines and the last lines of the files
complain()
{
	local name=$1 trace=$2 text=$3 file

	shift 3
	fail "$name" "$text"
	for file; do
		[ -s "$file" ] && tail -n 12 "$file" | cut -c1-300 | sed "s/^/    $(basename "$file"): /"
	done
	echo "    record again: (cd $RUN && $SWORN record -o $trace -- ${command_line[*]@Q})"
	echo "    replay again: $SWORN replay $trace"
}

# replay_check NAME TRACE: replays the trace, which must exit 0 and say identical
replay_check()
{
	local name=$1 trace=$2 log=$LOG/$1 status=0

	(cd / && sworn replay "$trace" > "$log.replay.out" 2> "$log.replay.err" < /dev/null) || status=$?
	[ "$status" -eq 0 ] || {
		complain "$name" "$trace" "replay exits with $status" "$log.replay.out" "$log.replay.err"
		return 1
	}
	cat "$log.replay.out" "$log.replay.err" | grep -q identical || {
		complain "$name" "$trace" "replay does not say identical" "$log.replay.out" "$log.replay.err"
		return 1
	}
}

# check_program NAME [OPTION...] -- COMMAND...: native, recorded and replayed runs agree. The trace
# stays in $TRACES/NAME.sworn. Options:
#   --no-native-compare   only recording and replay are compared: the output differs from run to run
#   --status N            exit status expected, of the native run too; 0 without this option
#   --setup FUNCTION      run in the program's empty directory first
#   --pmu                 without a hardware counter the recording may end with needs_pmu
#   --record OPTION       handed to `sworn record`
check_program()
{
	local name=$1 native=yes setup=true wanted=0 pmu='' options=(${MODE_OPTIONS[@]+"${MODE_OPTIONS[@]}"}) status=0 i
	local log=$LOG/$1 trace=$TRACES/$1.sworn
	local -a command_line

	shift
	while [ "$1" != -- ]; do
		case $1 in
		--no-native-compare) native= ;;
		--status) wanted=$2 && shift ;;
		--setup) setup=$2 && shift ;;
		--pmu) pmu=yes ;;
		--record) options+=("$2") && shift ;;
		*) echo "check_program: unknown option $1" >&2 && exit 2 ;;
		esac
		shift
	done
	shift
	command_line=("$@")

	if [ "$native" ]; then
		fresh "$setup" || { fail "$name" "no directory to run it in" && return 1; }
		(cd "$RUN" && exec "${NATIVE[@]}" "$@" > "$log.native" 2> "$log.native.err" < /dev/null) || status=$?
		[ "$status" -eq "$wanted" ] || {
			complain "$name" "$trace" "native exit status $status, not $wanted" "$log.native.err"
			return 1
		}
	fi
	fresh "$setup" || { fail "$name" "no directory to run it in" && return 1; }
	status=0
	rm -f "$trace"
	(cd "$RUN" && sworn record -o "$trace" ${options[@]+"${options[@]}"} -- "$@" \
		> "$log.recorded" 2> "$log.recorded.err" < /dev/null) || status=$?
	if [ "$pmu" ] && [ "$status" -eq 125 ] && grep -q needs_pmu "$log.recorded.err" && ! counts_branches; then
		skip "$name" "needs a hardware counter"
		return 0
	fi
	[ "$status" -eq "$wanted" ] || {
		complain "$name" "$trace" "recorded exit status $status, not $wanted" "$log.recorded.err"
		return 1
	}
	if [ "$native" ] && ! cmp -s "$log.native" "$log.recorded"; then
		diff -a "$log.native" "$log.recorded" > "$log.diff"
		complain "$name" "$trace" "native and recorded output differ" "$log.diff" "$log.recorded.err"
		return 1
	fi
	status=0
	sworn verify "$trace" > "$log.verify" 2>&1 || status=$?
	[ "$status" -eq 0 ] || {
		complain "$name" "$trace" "verify exits with $status" "$log.verify"
		return 1
	}
	for ((i = 0; i < ${REPLAYS:-1}; i++)); do
		replay_check "$name" "$trace" || return 1
	done
	pass
}

# leave_rows GROUP: notes beside the binary which rows of the table the guests of all traces here called
leave_rows()
{
	local tools called

	tools=$(dirname "$SWORN")/tools called=$(dirname "$SWORN")/called
	mkdir -p "$called"
	"$tools/rows" "$TRACES"/*.sworn 2> "$LOG/rows" | sort -u > "$called/.$1.$$"
	mv "$called/.$1.$$" "$called/$1"
}

# run_group GROUP: checks the guest programs of a group of guests.txt
run_group()
{
	local group name needs arguments listed options

	listed=$(awk '!/^#/ { print $2 }' "$E2E/guests.txt" | sort | tr '\n' ' ')
	names=$(find "$GUESTS" -maxdepth 1 -type f -perm -u+x -printf '%f\n' | sort | tr '\n' ' ')
	[ "$listed" = "$names" ] || fail "guests.txt" "does not list each program of $GUESTS once: $(
		diff <(tr ' ' '\n' <<< "$listed") <(tr ' ' '\n' <<< "$names") | grep '^[<>]' | tr '\n' ' ')"
	while read -r group name needs arguments; do
		[ "$group" = "$1" ] || continue
		eval "set -- $1 $arguments"
		options=()
		[[ $needs != *pmu* ]] || options+=(--pmu)
		[[ $needs != *observed* ]] || options+=(--record --schedule --record observed)
		if [[ $needs = *root* ]] && [ "$(id -u)" -ne 0 ]; then
			skip "$name" "needs root"
		else
			check_program "$name" ${options[@]+"${options[@]}"} -- "$GUESTS/$name" "${@:2}"
		fi
	done < "$E2E/guests.txt"
	leave_rows "$1"
}
