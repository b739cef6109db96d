#!/bin/bash
# postgresql: initdb, start, pgbench, stop, as an ordinary user
# group databases
# needs pg_ctlcluster setpriv
# packages postgresql
# root yes
# version psql --version
# output varies
set -e
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
chmod 755 . && mkdir db && chown 65534:65534 db
user=(setpriv --reuid=65534 --regid=65534 --clear-groups env "HOME=$PWD/db" LC_ALL=C)
cd db
"${user[@]}" "$bin/initdb" -D data -U nobody -A trust > initdb.log
"${user[@]}" "$bin/pg_ctl" -D data -w -l log -o "-k $PWD -h ''" start
"${user[@]}" "$bin/pgbench" -h "$PWD" -i -q postgres 2>&1 | tail -n 1 | cut -d ' ' -f 1
"${user[@]}" "$bin/pgbench" -h "$PWD" -t 200 postgres 2> /dev/null | grep 'actually processed'
"${user[@]}" "$bin/psql" -h "$PWD" -Atc 'select count(*) from pgbench_history' postgres
"${user[@]}" "$bin/pg_ctl" -D data -w -m fast stop
