#!/bin/bash
# sqlite3: 100,000 inserts, write-ahead log, integrity check, two processes at once
# group databases
# needs sqlite3
# packages sqlite3
# version sqlite3 --version
set -e
sqlite3 base.db <<'EOF'
pragma journal_mode=wal;
create table t(id integer primary key, text);
begin;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) insert into t select i, 'row ' || i from n;
commit;
create index by_text on t(text);
select count(*), sum(id) from t;
pragma integrity_check;
EOF
for who in 1 2; do
	for i in 1 2 3 4 5 6 7 8; do
		echo "pragma busy_timeout=20000; begin immediate; insert into t(text) values('$who $i'); commit;"
	done | sqlite3 base.db > /dev/null &
done
wait
sqlite3 base.db 'select count(*) from t; pragma wal_checkpoint(truncate); pragma integrity_check;'
