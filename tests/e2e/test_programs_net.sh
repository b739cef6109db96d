#!/bin/bash
# Network programs on the loopback interface: servers and clients of one recording.
. "$(dirname "$(realpath "$0")")/lib.sh"

if have python_net python3; then
	# The interpreter itself: what is found in PATH may be a script that looks for it.
	python=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))')
	for script in web streams; do
		check_program "python_$script" -- "$python" -B "$E2E/data/$script.py"
	done
	have curl curl && check_program curl -- "$python" -B "$E2E/data/web.py" \
		curl -sS -o /dev/null -w '%{http_code} %{size_download}\n' URL/one URL/nowhere -d posted URL/post
fi
have relays socat nc && check_program relays -- bash "$E2E/data/relays.sh"
have tls openssl && check_program tls -- bash "$E2E/data/tls.sh"
have ip ip ss && check_program ip --no-native-compare -- \
	bash -c 'ip addr && ip -s link show lo && ip route && ss -tuan && ss -xl | wc -l'
have unshare unshare ip && check_program unshare --no-native-compare -- \
	unshare -rn sh -c 'ip link set lo up && ip addr show lo && cat /proc/self/uid_map'
finish
