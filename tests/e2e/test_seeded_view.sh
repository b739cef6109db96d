#!/bin/bash
# What a seeded recording shows of the host: the same command is recorded twice, in two directories that
# --workdir-as shows under one name, at two times, by two users where this is root and the host lets others have
# namespaces. All events and the final state have to be the same.
. "$(dirname "$(realpath "$0")")/lib.sh"

seeded=(--schedule seeded --seed view)
# Compiled modules beside their sources would be inputs that the first recording leaves to the second one.
clean=(env -i PATH=/usr/bin:/bin LANG=C.UTF-8 TERM=dumb TMPDIR=/work PYTHONDONTWRITEBYTECODE=1)
one=$WORK/one two=$WORK/two/deeper
own=12345
other=() # what starts the second recording

mkdir -p "$WORK/bin" "$WORK/guests" "$WORK/traces.2"
cp "$SWORN" "$WORK/bin/sworn"
cp "$GUESTS"/view_* "$WORK/guests/"

if [ "$(id -u)" -eq 0 ] && command -v setpriv > /dev/null; then
	chmod a+x "$WORK" && chmod -R a+rX "$WORK/bin" "$WORK/guests" && chmod a+rwx "$WORK/traces.2"
	other=(setpriv "--reuid=$own" "--regid=$own" --clear-groups)
	"${other[@]}" unshare -Urm true 2> /dev/null && [[ ,${SWORN_WITHOUT:-}, != *,userns,* ]] || {
		skip "as another user" "user namespaces are refused to this user"
		other=()
	}
fi
# Without namespaces the directory cannot be shown elsewhere, and nothing runs.
status=0
(cd "$RUN" && SWORN_WITHOUT=userns sworn record --workdir-as /work -o "$TRACES/none.sworn" -- touch ran 2> "$LOG/none") ||
	status=$?
if [ "$status" -eq 125 ] && grep -q -e '--workdir-as /work needs namespaces' "$LOG/none" && ! [ -e "$RUN/ran" ]; then
	pass
else
	fail "without namespaces" "exit status $status: $(cat "$LOG/none")"
fi
[[ ,${SWORN_WITHOUT:-}, != *,userns,* ]] && { [ "$(id -u)" -eq 0 ] || unshare -Urm true 2> /dev/null; } || {
	skip "--workdir-as" "this user gets no mount namespace"
	finish
}

# prepare DIRECTORY SETUP: a new directory, prepared by the function
prepare()
{
	rm -rf "$1"
	mkdir -p "$1"
	(cd "$1" && $2) > "$LOG/setup" 2>&1 || { cat "$LOG/setup" && return 1; }
}

# record DIRECTORY TRACE LOG VARIABLE... -- COMMAND...
record()
{
	local directory=$1 trace=$2 log=$3 keys=$1.keys/keys variables=()

	shift 3
	while [ "$1" != -- ]; do variables+=("$1") && shift; done
	shift
	(cd "$directory" && exec timeout -s KILL 100 "${as[@]}" "${clean[@]}" "${variables[@]}" "$WORK/bin/sworn" record --keystore "$keys" \
		"${seeded[@]}" --workdir-as "$workdir" -o "$trace" -- "$@" > "$log.out" 2> "$log.err" < /dev/null)
}

# events TRACE: what has to be the same
events()
{
	sworn verify --list --allow-untrusted "$1" 2> /dev/null
}

# same NAME SETUP COMMAND...: both recordings have the same events, and the first one replays
same()
{
	local name=$1 setup=$2 trace=$TRACES/$1.sworn second=$WORK/traces.2/$1.sworn status=0 again=0 as=()
	local -a command_line

	shift 2
	# shellcheck disable=SC2034
	command_line=("$@") # complain() prints it
	prepare "$one" "$setup" && prepare "$two" "$setup" || { fail "$name" "cannot be prepared" && return; }
	mkdir -p "$one.keys" "$two.keys"
	[ "${#other[@]}" -eq 0 ] || chown -R "$own:$own" "$WORK/two" "$two.keys"
	rm -f "$trace" "$second"
	record "$one" "$trace" "$LOG/$name" HOME=/root USER=root SHLVL=1 -- "$@" || status=$?
	as=(nice -n 5 "${other[@]}")
	: > "$LOG/$name.2.out" > "$LOG/$name.2.err"
	umask 077
	record "$two" "$second" "$LOG/$name.2" SHLVL=3 HOME=/tmp USER=joe OLDPWD=/ -- "$@" || again=$?
	umask 022
	if [ "$status" -ne 0 ] || [ "$again" -ne 0 ]; then
		complain "$name" "$trace" "exit statuses $status and $again" "$LOG/$name.err" "$LOG/$name.2.err"
	elif ! cmp -s "$LOG/$name.out" "$LOG/$name.2.out"; then
		diff -a "$LOG/$name.out" "$LOG/$name.2.out" > "$LOG/$name.diff"
		complain "$name" "$trace" "the two recordings print differently" "$LOG/$name.diff"
	elif ! diff <(events "$trace") <(events "$second") > "$LOG/$name.diff"; then
		complain "$name" "$trace" "the two recordings have different events" "$LOG/$name.diff"
	elif SWORN_KEYSTORE=$one.keys/keys replay_check "$name" "$trace"; then
		pass
	fi
}

small_tree()
{
	mkdir -p s/t
	for n in 3 1 2 10 7; do echo "$n" > "s/f$n"; done
	seq 2000 > s/t/long
	ln -s f1 s/link
	ln s/f2 s/t/hard
	chmod 600 s/f3
}

for workdir in /work /nowhere-else; do
	same "environment${workdir//\//_}" true env
	same "directory${workdir//\//_}" small_tree ls -laRi --full-time
done
workdir=/work
same pwd true pwd -P
same stat small_tree stat . s s/f1 s/link s/t/long /etc/passwd /dev/null
same find small_tree find . /usr/include/linux -ls
same tar small_tree tar cf archive s
same df small_tree df -i . /
same id true id
same niceness true sh -c 'nice; nice -n 7 nice; cat /proc/self/stat'
same nproc true nproc
same machine true cat /proc/cpuinfo /proc/meminfo /proc/stat /proc/uptime /proc/loadavg /proc/version /proc/mounts \
	/proc/sys/kernel/{osrelease,hostname,pid_max,random/boot_id,random/uuid} /proc/sys/vm/overcommit_memory \
	/sys/devices/system/cpu/{online,possible,present}
same process true cat /proc/self/{maps,status,stat,statm,cgroup,mountinfo,uid_map,cmdline,environ,oom_score_adj}
have "ps" ps && same ps true ps auxww
have "free" free && same free true free
same links true python3 -c '
import os
ends = os.pipe()
for name in ("ns/mnt", "ns/user", "fd/%d" % ends[0]): print(os.readlink("/proc/self/" + name))
assert os.readlink("/proc/self/fd/%d" % ends[0]) == "pipe:[%d]" % os.fstat(ends[1]).st_ino
print(open("/proc/self/fdinfo/%d" % ends[1]).read(), os.listdir("/proc/self/fd"))
status = open("/proc/self/status")
first = status.read(20)
assert first + status.read() == open("/proc/self/status").read() and status.read() == ""
status.seek(5); assert os.pread(status.fileno(), 15, 5) == (first[5:]).encode()'
same uname true uname -a
same copies small_tree cp -a s copy
same touch small_tree touch new s/f1
same archive small_tree sh -c 'cp -a s t && ls -l --full-time t && touch -r s/f1 t/f1 && stat t/f1'
same times small_tree python3 -c '
import os
def show(name):
    s = os.lstat(name)
    print(name, oct(s.st_mode), s.st_ino, s.st_nlink, s.st_uid, s.st_size, s.st_blocks)
    print([format(t / 1e9, "f") for t in (s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns)])
    return s
before = show("s/f1")
with open("s/f1", "a") as f: f.write("more\n")
after = show("s/f1")
assert after.st_mtime_ns > before.st_mtime_ns and after.st_ino == before.st_ino
assert show("s/f2").st_mtime_ns == before.st_mtime_ns
os.mkdir("d"); made = show("d")
os.symlink("f1", "d/l"); open("d/x", "w").close(); os.link("d/x", "d/y"); os.mkfifo("d/p")
assert show("d").st_mtime_ns > made.st_mtime_ns
for name in sorted(os.listdir("d")): show("d/" + name)
old = show("d/x").st_ino
os.utime("d/x", ns=(1000000007, 2000000011))
assert show("d/y").st_mtime_ns == 2000000011
os.rename("d/x", "d/z"); assert show("d/z").st_ino == old
for i in range(20):
    os.unlink("d/z"); open("d/z", "w").close()
    assert show("d/z").st_ino != old
    old = os.stat("d/z").st_ino
os.truncate("s/t/long", 5000); show("s/t/long")
os.chmod("s/f3", 0o644); show("s/f3")
os.rmdir("d") if not os.listdir("d") else None
show(".")'
same python_walk small_tree python3 -c '
import os
for path, directories, files in os.walk("."):
    print(path, directories, files)
    for entry in os.scandir(path):
        print(entry.name, entry.inode(), entry.stat(follow_symlinks=False))'

# With an epoch after the host's files were made those outside of the working directory have their own times, inside
# all are alike.
seeded+=(--epoch 1893456000)
same own_times small_tree stat -c '%n %Y %Z' s/f1 /usr/bin/stat /etc/passwd
grep -q '^s/f1 1893452400 1893452400$' "$LOG/own_times.out" ||
	fail own_times "a file of the command's has another time: $(cat "$LOG/own_times.out")"
grep -q "^/usr/bin/stat $(stat -Lc '%Y %Y' /usr/bin/stat)\$" "$LOG/own_times.out" ||
	fail own_times "an installed file has another time: $(cat "$LOG/own_times.out")"
seeded=(--schedule seeded --seed view)
for guest in files proc; do
	same "guest_$guest" true "$WORK/guests/view_$guest"
done

# Programs of several processes.
one_source()
{
	printf '#include <stdio.h>\nint main(void) { puts(__DATE__ " " __TIME__ " " __FILE__); return 0; }\n' > a.c
	printf 'a: a.c\n\tcc -g -o a a.c\n' > Makefile
}
same pipe small_tree sh -c 'tar c . | sha256sum; find . -type f | sort | xargs cksum'
have "make" make cc && same make one_source sh -c '
	make && make && sha256sum a && ./a && touch a.c && make && stat a a.c'
have "git" git && same git small_tree sh -c '
	git init -q . && git add s && git -c user.name=n -c user.email=e commit -qm first && git log && git status &&
	find . -type f | sort | xargs sha256sum'

finish
