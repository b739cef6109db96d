# Pipelines, subshells, here-documents and command substitution, for any POSIX shell.
set -u
seq 1 5000 | while read -r n; do [ $((n % 7)) -eq 0 ] && echo "$n"; done | tail -n 3
total=0
for n in $(seq 1 300); do
	total=$((total + $(echo "$n" | tr -d '\n' | wc -c)))
done
echo "digits $total"
cat <<END | sed 's/a/A/g' | sort -r
banana $((6 * 7))
$(echo command; echo substitution)
END
(cd / && pwd; exit 3)
echo "subshell left $?"
{ echo to stdout; echo to stderr >&2; } 2>&1 | cat -n
false | true
echo "pipeline $?"
yes | head -n 100000 | wc -l
printf '%s\n' "$(printf 'x%.0s' $(seq 1 2000))" | wc -c
i=0
while :; do
	i=$((i + 1))
	[ $i -ge 20000 ] && break
done
echo "loop $i"
echo data > file && cat < file >> copy && cat file copy && rm file copy
exec 3> three && echo through three >&3 && exec 3>&- && cat three && rm three
