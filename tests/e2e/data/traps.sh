# Traps: signals to the shell itself, to children, at exit, in subshells; for any POSIX shell.
set -u
trap 'echo caught USR1' USR1
trap 'echo leaving with $?' EXIT
kill -USR1 $$
echo after USR1
(trap 'echo child caught TERM; exit 5' TERM
	kill -TERM "$(sh -c 'echo $PPID')"
	while :; do sleep 0.01; done)
echo "child left $?"
hits=0
trap 'hits=$((hits + 1))' USR2
for _ in 1 2 3 4 5; do
	kill -USR2 $$
done
echo "hits $hits"
(sleep 0.05; kill -USR1 $$) &
sleep 0.3 &
wait $!
echo "wait was interrupted: $(($? > 128))"
wait
trap '' TERM
kill -TERM $$
echo ignored TERM
trap - USR1
sh -c 'kill -SEGV $$' 2> /dev/null
echo "segv $?"
sh -c 'kill -PIPE $$'
echo "pipe $?"
exit 4
