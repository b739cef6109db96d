#!/bin/bash
# Everyday programs: listings, sorting, archives, pipelines of several processes.
. "$(dirname "$(realpath "$0")")/lib.sh"

tree()
{
	mkdir tree
	for i in $(seq 1 40); do
		seq "$i" 7 20000 > "tree/file$i"
	done
	ln -s file1 tree/link
}

# What they show of the host is as it is, and in its order, only there.
as_it_is=(--record --schedule --record observed)
check_program ls "${as_it_is[@]}" -- ls -lR /usr/include
check_program awk -- bash -c "seq 1 200000 | awk '{s+=\$1} END {print s}'"
check_program sort -- bash -c 'seq 1 500000 | tac | sort --parallel=2 -n | md5sum'
check_program sort_text -- bash -c 'seq 500000 -1 1 > lines; sort --parallel=2 -S 8M lines | sha256sum; rm lines'
check_program find "${as_it_is[@]}" -- find /usr/include -name '*.h' -size +20k
check_program grep "${as_it_is[@]}" -- grep -rc struct /usr/include/linux
check_program sums -- bash -c 'sha256sum /usr/include/*.h | md5sum'
have tar tar zstd && check_program tar --setup tree -- \
	bash -c 'tar -c tree | zstd -q -T2 > a.zst; zstd -dc a.zst | tar -t | sort; zstd -dc a.zst | sha256sum > /dev/null'
check_program xargs --setup tree -- bash -c 'ls tree | xargs -P4 -I{} sh -c "wc -l < tree/{}" | sort -n | md5sum'
check_program dd -- dd if=/dev/zero of=/dev/null bs=512 count=2000 status=none
check_program date --no-native-compare -- date +%s.%N
check_program uuid --no-native-compare -- cat /proc/sys/kernel/random/uuid
check_program mktemp --no-native-compare -- bash -c 'mktemp -u; head -c 16 /dev/urandom | od -An -tx1; echo $RANDOM'
check_program not_found --status 127 --no-native-compare -- sh -c 'no_such_program_here'
check_program exit_status --status 42 -- sh -c 'exit 42'
check_program killed --status 143 -- bash -c 'kill -TERM $$'
have xz xz && check_program xz --setup tree -- bash -c 'cat tree/* | xz -0 -T2 | xz -d | md5sum'
have perl perl && check_program perl -- \
	perl -e 'for (1..100000) { $h{$_ % 977} += $_ } print join(",", map { $h{$_} } sort { $a <=> $b } keys %h), "\n"'
finish
