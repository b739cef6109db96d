# Background jobs, wait and exit statuses, for any POSIX shell.
set -u
mkfifo queue
for n in 1 2 3 4; do
	(sleep 0.0$n; exit $((n * 10))) &
	eval "job$n=\$!"
done
for n in 3 1 4 2; do
	eval "wait \$job$n"
	echo "job $n left $?"
done
(echo first; sleep 0.02; echo second) > queue &
cat queue
wait
for n in 1 2 3; do
	seq "$n" 3 3000 | awk -v n="$n" '{ s += $1 } END { print n, s }' > "sum$n" &
done
wait
cat sum1 sum2 sum3
sleep 100 &
kill $!
wait $!
echo "killed $?"
(while :; do :; done) &
kill -KILL $!
wait $! 2> /dev/null
echo "killed while spinning $?"
{ sleep 0.01; echo late; } &
echo early
wait
rm queue sum1 sum2 sum3
