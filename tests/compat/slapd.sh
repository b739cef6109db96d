#!/bin/bash
# slapd: a directory in LMDB, filled and searched
# group servers
# needs slapd ldapsearch
# packages slapd ldap-utils
# version slapd -VV 2>&1 | sed 's/.*OpenLDAP: //'
set -e
mkdir db; cat > s.conf <<E
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $PWD/pid
threads 4
database mdb
maxsize 10485760
suffix "dc=example,dc=test"
rootdn "cn=admin,dc=example,dc=test"
rootpw secret
directory $PWD/db
index objectClass eq
E
slapd -d 0 -f s.conf -h ldap://127.0.0.1:3899/ & S=$!
cat > l <<E
dn: dc=example,dc=test
objectClass: dcObject
objectClass: organization
o: Example
dc: example
E
for ((i = 0; i < 50; i++)); do ldapadd -x -H ldap://127.0.0.1:3899 -D cn=admin,dc=example,dc=test -w secret -f l && break; sleep 0.2; done 2>/dev/null
ldapsearch -x -LLL -H ldap://127.0.0.1:3899 -b dc=example,dc=test o; kill $S; wait $S; echo "slapd $?"; slapcat -f s.conf | grep -c '^dn'
