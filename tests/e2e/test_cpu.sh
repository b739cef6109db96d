#!/bin/bash
# --cpu: programs see the named processor and take its paths, in every recording the same; a host that lacks what it
# has is told so by name; random numbers of the processor are the seed's whatever is offered.
. "$(dirname "$(realpath "$0")")/lib.sh"

# run NAME CPU COMMAND...: records for a processor and replays; output in $LOG/out, trace in $TRACES/NAME
run()
{
	local name=$1 cpu=$2

	shift 2
	# shellcheck disable=SC2034 # complain() prints it
	command_line=("$@")
	if ! (cd "$RUN" && timeout -s KILL 100 "$SWORN" record --seed 7 --cpu "$cpu" -o "$TRACES/$name" -- "$@") \
		> "$LOG/out" 2> "$LOG/err" < /dev/null; then
		complain "$name" "$TRACES/$name" "recording for $cpu failed" "$LOG/out" "$LOG/err"
		return 1
	fi
	replay_check "$name" "$TRACES/$name" && pass
}

# check NAME TEXT COMMAND...: the command has to succeed; TEXT says what is wrong if not
check()
{
	local name=$1 text=$2

	shift 2
	if "$@"; then
		pass
	else
		fail "$name" "$text"
	fi
}

# expect_line NAME PATTERN [FILE]: a line of the output
expect_line()
{
	check "$1" "no line like: $2" grep -qE -- "$2" "${3:-$LOG/out}"
}

expect_no_line()
{
	check "$1" "a line like: $2" [ "$(grep -cE -- "$2" "${3:-$LOG/out}")" -eq 0 ]
}

levels=(x86-64-v2)
grep -qw avx2 /proc/cpuinfo && levels+=(x86-64-v3)
grep -qw avx512vl /proc/cpuinfo && levels+=(x86-64-v4)

# Which code the C library chooses for a level is what its loader says of itself.
for level in "${levels[@]}"; do
	run "guest_$level" "$level" "$GUESTS/cpu_model" && expect_line "guest_$level" "Sworn $level,"
	sworn verify "$TRACES/guest_$level" > "$LOG/verify" 2>&1
	expect_no_line "guest_$level" 'assumptions.*CPUID' "$LOG/verify"
	run "loader_$level" "$level" /lib64/ld-linux-x86-64.so.2 --list-diagnostics || continue
	expect_line "loader_$level" 'cpuid\[0x0\]=0x(106a5|306c3|50654)'
	active=$(sed -n 's/x86.cpu_features.features\[0x1\].active\[0x1\]=//p' "$LOG/out")
	case $level in
	x86-64-v2) wanted=0x0 ;;
	x86-64-v3) wanted=0x128 ;;
	x86-64-v4) wanted=0xd0030128 ;;
	esac
	check "loader_$level" "active features of leaf 7: $active, not $wanted" [ "$active" = "$wanted" ]
done

# The same events of the processor twice, and none of them RDRAND where it is not offered.
if have openssl_cpu openssl && [[ " ${levels[*]} " == *" x86-64-v3 "* ]]; then
	for n in 1 2; do
		run "openssl_$n" x86-64-v3 openssl version -c
		sworn verify --list "$TRACES/openssl_$n" 2> "$LOG/err" | grep ' trap=[34] ' | cut -d ' ' -f 2- > "$LOG/traps_$n"
	done
	cp "$LOG/out" "$LOG/version"
	expect_line openssl_cpu 'OPENSSL_ia32cap=' "$LOG/version"
	check openssl_cpu "CPUID never trapped" [ -s "$LOG/traps_1" ]
	check openssl_cpu "other answers in a second recording" cmp -s "$LOG/traps_1" "$LOG/traps_2"
	sworn verify --list "$TRACES/openssl_1" > "$LOG/list" 2> "$LOG/err"
	expect_no_line openssl_cpu ' trap=2 ' "$LOG/list"
	# Constants that look like the instruction are named.
	sworn verify "$TRACES/openssl_1" > "$LOG/verify"
	expect_line openssl_cpu 'assumptions.*taken for data, in .*libcrypto' "$LOG/verify"
fi
if have python_cpu python3; then
	run python_cpu "${levels[-1]}" python3 -c 'import hashlib, platform; print(hashlib.sha256(b"x").hexdigest(), platform.machine())'
	expect_line python_cpu '^2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 x86_64$'
fi

# Programs that draw without asking get the seed's numbers, the same in each recording.
for n in 1 2; do
	run "draws_$n" x86-64-v2 "$GUESTS/hardware_random" numbers
	cp "$LOG/out" "$LOG/draws_$n"
done
if grep -qw rdrand /proc/cpuinfo; then
	expect_line draws '^[0-9a-f]{8} [0-9a-f]{16}$' "$LOG/draws_1"
	check draws "two recordings with one seed drew other numbers" cmp -s "$LOG/draws_1" "$LOG/draws_2"
fi

# A seeded recording names a processor by itself, in /proc, too, and does not tell on which one it ran.
if [[ " ${levels[*]} " == *" x86-64-v3 "* ]] && have seeded_cpu taskset; then
	mapfile -t cpus < <(taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' | awk -F - '{ print $1; print $NF }')
	for name in cpu_model own_code hardware_random; do
		for n in 0 -1; do
			taskset -c "${cpus[n]}" timeout -s KILL 100 "$SWORN" record --schedule seeded --seed 7 -o "$TRACES/seeded" -- \
				"$GUESTS/$name" > "$LOG/out" 2> "$LOG/err" < /dev/null
			status=$?
			check "seeded_$name" "recording exits with $status: $(tail -n 1 "$LOG/err")" [ "$status" -eq 0 ]
			sworn verify --list "$TRACES/seeded" > "$LOG/list$n" 2> "$LOG/err"
		done
		check "seeded_$name" "other events on another processor" cmp -s "$LOG/list0" "$LOG/list-1"
		command_line=("$GUESTS/$name")
		replay_check "seeded_$name" "$TRACES/seeded" && pass
	done
	timeout -s KILL 100 "$SWORN" record --schedule seeded -o "$TRACES/seeded" -- cat /proc/cpuinfo > "$LOG/out" 2> "$LOG/err"
	expect_line seeded_cpu '^model name.*: Sworn x86-64-v3$'
	expect_no_line seeded_cpu 'avx512|rdrand'
fi

# A host that lacks something: neither side goes on.
if [[ " ${levels[*]} " == *" x86-64-v3 "* ]]; then
	SWORN_WITHOUT=avx2 sworn record --cpu x86-64-v3 -o "$TRACES/lacking" -- /bin/true > "$LOG/out" 2>&1
	check lacking "recording for a better processor is no usage error" [ $? -eq 2 ]
	expect_line lacking 'lacks avx2, which x86-64-v3 has; choose a lower level with --cpu'
	check lacking "a trace was written" [ ! -e "$TRACES/lacking" ]
	SWORN_WITHOUT=avx2 sworn replay "$TRACES/guest_x86-64-v3" > "$LOG/out" 2>&1
	check lacking "a replay for a better processor is not undecided" [ $? -eq 3 ]
	expect_line lacking 'this one lacks avx2'
	SWORN_WITHOUT=avx2 sworn replay "$TRACES/guest_x86-64-v2" > "$LOG/out" 2>&1
	check lacking "x86-64-v2 needs no avx2" [ $? -eq 0 ]
fi
sworn record --cpu x86-64-v9 -o "$TRACES/unknown" -- /bin/true > "$LOG/out" 2>&1
check unknown "an unknown processor is accepted" [ $? -eq 2 ]
finish
