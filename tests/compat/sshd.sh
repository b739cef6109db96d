#!/bin/bash
# openssh: sshd and ssh over loopback
# group servers
# needs /usr/sbin/sshd ssh ssh-keygen
# packages openssh-server openssh-client
# root yes
# version ssh -V
set -e
ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f user
cp user.pub keys
mkdir -p /run/sshd
/usr/sbin/sshd -f /dev/null -o ListenAddress=127.0.0.1 -o Port=22022 -o HostKey="$PWD/host" -o PidFile="$PWD/pid" \
	-o AuthorizedKeysFile="$PWD/keys" -o StrictModes=no -o PermitRootLogin=yes -o UsePAM=no -E log
for i in 1 2; do
	ssh -F /dev/null -p 22022 -i user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
		127.0.0.1 "echo session $i; seq 1 1000 | tail -n 1"
done
kill "$(cat pid)"
