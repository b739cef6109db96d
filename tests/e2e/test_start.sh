#!/bin/bash
# How a recording starts, or why it does not: exit codes and messages for every kind of command that
# cannot run, the working directory that is gone, set-user-ID programs, and a recorder (or replayer)
# that is killed while it starts.
. "$(dirname "$(realpath "$0")")/lib.sh"

trace=$TRACES/start.sworn
cd "$RUN" || exit 1

# refused NAME STATUS TEXT COMMAND...: nothing runs, the status says so, the message names the command
refused()
{
	local name=$1 wanted=$2 text=$3 status=0

	shift 3
	sworn record -o "$trace" -- "$@" > "$LOG/$name.out" 2> "$LOG/$name.err" < /dev/null || status=$?
	if [ "$status" -ne "$wanted" ]; then
		fail "$name" "exit status $status, not $wanted: $(head -n 1 "$LOG/$name.err")"
	elif ! grep -qF "$1: " "$LOG/$name.err" || ! grep -q "$text" "$LOG/$name.err"; then
		fail "$name" "the message does not name '$1' and '$text': $(cat "$LOG/$name.err")"
	elif [ -s "$LOG/$name.out" ] || [ -e "$trace" ]; then
		fail "$name" "something ran or was recorded"
	else
		pass
	fi
	rm -f "$trace" "$trace.partial"
}

# script NAME FORMAT: an executable file with the text of a printf format
script()
{
	# shellcheck disable=SC2059 # that is what it is for
	printf "$2" > "$1"
	chmod +x "$1"
}

mkdir directory
script no_line 'echo hi\n'
script no_name '#!  \n'
script empty ''
script no_such '#!/no/such/interpreter -x\necho hi\n'
script not_executable '#! /etc/passwd\necho hi\n'
script loop '#!./loop\n'
script no_execute '#!/bin/sh\necho hi\n'
chmod -x no_execute
# A program for i386: exit_group(0).
script i386 '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\3\0\1\0\0\0\124\200\4\10\64\0\0\0\0\0\0\0\0\0\0\0\64\0\40\0\1\0\0\0\0\0\0\0'
printf '\1\0\0\0\0\0\0\0\0\200\4\10\0\200\4\10\137\0\0\0\137\0\0\0\5\0\0\0\0\20\0\0\270\374\0\0\0\61\333\315\200' >> i386
script for_i386 '#!./i386\n'
head -c 300 "$GUESTS/args_env" > torn && chmod +x torn

refused nowhere 127 'not found' sworn-no-such-command
refused no_file 127 'not found' ./no-such-file
refused below_file 127 'not found' ./no_line/program
refused long_name 127 'not found' "./$(printf '%0300d' 0)"
refused no_interpreter 127 'not found' ./no_such
refused is_directory 126 'cannot be executed' ./directory
refused is_root 126 'cannot be executed' /
refused no_execute 126 'cannot be executed' ./no_execute
refused interpreter_no_execute 126 'cannot be executed' ./not_executable
refused i386 126 'cannot be executed' ./i386
refused interpreter_i386 126 'cannot be executed' ./for_i386
refused interpreter_loop 126 'cannot be executed' ./loop
refused interpreter_unnamed 126 'cannot be executed' ./no_name
refused torn 126 'cannot be executed' ./torn
if [ -e /proc/sys/fs/binfmt_misc/status ]; then
	skip "no_line empty" "handlers of other formats are registered"
else
	refused no_line 126 'cannot be executed' ./no_line
	refused empty 126 'cannot be executed' ./empty
fi

# shellcheck disable=SC2317 # called by name
scripts()
{
	script outer '#!./inner one two\n'
	script inner '#!/bin/echo three\n'
	chmod +x outer inner
}
check_program script_of_script --setup scripts -- "$RUN/outer" four
check_program longer -- "$GUESTS/mutex_cond"

# The working directory is gone, the program is not.
mkdir "$WORK/gone"
status=0
(cd "$WORK/gone" && rmdir "$WORK/gone" && sworn record -o "$TRACES/gone.sworn" -- /bin/sh -c 'echo here; cat x') \
	> "$LOG/gone.out" 2> "$LOG/gone.err" < /dev/null || status=$?
if [ "$status" -eq 1 ] && [ "$(cat "$LOG/gone.out")" = here ]; then
	pass
	replay_check gone "$TRACES/gone.sworn" && pass
else
	fail gone "exit status $status: $(cat "$LOG/gone.out" "$LOG/gone.err")"
fi

# A set-user-ID program runs as the user, and the trace says that it lost something.
if [ "$(id -u)" -ne 0 ]; then
	skip set_user_id "only root can make such a program"
elif have set_user_id setpriv && cp "$SWORN" "$WORK/sworn" && cp "$(command -v id)" "$WORK/id"; then
	chmod a+x "$WORK" && chmod 4755 "$WORK/id" && chmod 755 "$WORK/sworn"
	mkdir -m 777 "$WORK/open"
	user=(setpriv --reuid=12345 --regid=12345 --clear-groups env -u XDG_DATA_HOME "HOME=$WORK/open")
	status=0
	"${user[@]}" timeout -s KILL 60 "$WORK/sworn" record --schedule observed -o "$WORK/open/id.sworn" -- "$WORK/id" -u \
		> "$LOG/id.out" 2> "$LOG/id.err" < /dev/null || status=$?
	native=$("${user[@]}" "$WORK/id" -u)
	if [ "$native" -ne 0 ]; then
		skip set_user_id "the file system takes no such programs"
	elif [ "$status" -ne 0 ] || [ "$(cat "$LOG/id.out")" != 12345 ]; then
		fail set_user_id "exit status $status, uid '$(cat "$LOG/id.out")': $(cat "$LOG/id.err")"
	elif [ "$(sworn verify "$WORK/open/id.sworn" | grep -c 'privileges of its file ignored')" -ne 1 ]; then
		fail set_user_id "the trace does not say once that the privileges were ignored"
	else
		pass
	fi
fi

# killed NAME ARGUMENT...: sworn, killed 25 times within its first 50 ms, leaves no process. Whatever
# loses its parent becomes a child of the test, so nothing can hide.
killed()
{
	local name=$1

	shift
	if python3 - "$SWORN" "$@" > "$LOG/$name" 2>&1 << 'END_OF_PYTHON'
import ctypes, os, random, signal, subprocess, sys, time

assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
random.seed(1)
worst = 0
for round in range(25):
    delay = random.uniform(0, 0.05)
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    process.kill()
    start = time.monotonic()
    process.wait()
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG | 0x40000000)  # __WALL
        except ChildProcessError:
            break
        if pid:
            continue
        if time.monotonic() > start + 5:  # a second, five times over for a busy machine
            left = [entry for entry in os.listdir("/proc") if entry.isdigit() and os.path.exists(f"/proc/{entry}/stat")
                    and open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()[1] == str(os.getpid())]
            print(f"killed after {delay * 1000:.1f} ms, five seconds later:", [open(f"/proc/{pid}/stat").read().split()[:3] for pid in left])
            for entry in left:
                os.kill(int(entry), signal.SIGKILL)
            sys.exit(1)
        time.sleep(0.001)
    worst = max(worst, time.monotonic() - start)
print(f"the last process was gone after {worst * 1000:.1f} ms at worst")
END_OF_PYTHON
	then
		pass
		echo "$name: $(tail -n 1 "$LOG/$name")"
	else
		fail "$name" "$(tail -n 3 "$LOG/$name")"
	fi
}

killed record record --schedule observed -o "$TRACES/killed.sworn" -- sleep 30
killed replay replay "$TRACES/longer.sworn"
export SWORN_WITHOUT=${SWORN_WITHOUT:+$SWORN_WITHOUT,}userns
killed record_without record --schedule observed -o "$TRACES/killed.sworn" -- sleep 30
killed replay_without replay "$TRACES/longer.sworn"
finish
