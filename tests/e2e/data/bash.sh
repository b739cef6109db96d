# What only bash has: arrays, process substitution, coprocesses, pipefail, wait -n, arithmetic.
set -u -o pipefail
declare -A count=()
for word in a b a c b a; do
	count[$word]=$((${count[$word]:-0} + 1))
done
for word in $(printf '%s\n' "${!count[@]}" | sort); do
	echo "$word ${count[$word]}"
done
diff <(seq 1 10) <(seq 2 11) | head -n 4
paste <(seq 1 3) <(seq 4 6) <(seq 7 9)
coproc doubler { while read -r n; do echo $((n * 2)); done; }
pid=$doubler_PID # unset as soon as it has ended
for n in 3 5 8; do
	echo "$n" >&"${doubler[1]}"
	read -r answer <&"${doubler[0]}"
	echo "doubled $answer"
done
exec {doubler[1]}>&-
wait "$pid"
echo "coprocess left $?"
(sleep 0.01; exit 3) | cat
echo "pipefail $?"
for n in 1 2 3; do
	(exit $((n + 40))) &
done
left=0
for n in 1 2 3; do
	wait -n
	left=$((left + $?))
done
echo "all left $left"
mapfile -t lines < <(seq 1 1000)
echo "lines ${#lines[@]} last ${lines[-1]}"
text=$(< /etc/passwd)
echo "root line ${text%%:*}"
printf '%s ' {a..e}{1..3}
echo
[[ abc123 =~ ([a-z]+)([0-9]+) ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
time_format=$(printf '%(%Y)T' 0)
echo "epoch $time_format"
