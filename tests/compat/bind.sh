#!/bin/bash
# bind: named serves a zone, asked by dig over UDP and TCP
# group network
# needs named dig
# packages bind9 bind9-dnsutils
# version named -v
set -e
cat > n.conf <<E
options { directory "$PWD"; listen-on port 5353 { 127.0.0.1; }; listen-on-v6 { none; }; pid-file "$PWD/n.pid"; session-keyfile "$PWD/s.key"; recursion no; };
controls {};
zone "example.test" { type master; file "$PWD/z"; };
E
cat > z <<'E'
$TTL 60
@ IN SOA ns hostmaster 1 60 60 60 60
@ IN NS ns
ns IN A 127.0.0.1
www IN A 192.0.2.7
E
named -g -c n.conf -n 2 2> log & N=$!
for ((i = 0; i < 50; i++)); do dig +time=1 +tries=1 +short -p 5353 @127.0.0.1 www.example.test > o 2>&1 && grep -q 192 o && break; sleep 0.1; done
cat o; dig +short +tcp -p 5353 @127.0.0.1 www.example.test; dig -p 5353 @127.0.0.1 axfr example.test | grep -c IN; kill $N; wait $N; echo "named $?"
