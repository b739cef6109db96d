#!/bin/bash
# mariadb: bootstrap, server, queries, shutdown, as an ordinary user
# group databases
# needs mariadbd mariadb-install-db mariadb mariadb-admin setpriv
# packages mariadb-server
# root yes
# version mariadbd --version
# output varies
set -e
chmod 755 . && mkdir db && chown 65534:65534 db && cd db
user=(setpriv --reuid=65534 --regid=65534 --clear-groups env "HOME=$PWD")
options=(--no-defaults --datadir="$PWD/data" --socket="$PWD/socket" --skip-networking --innodb-buffer-pool-size=16M)
"${user[@]}" mariadb-install-db --no-defaults --datadir="$PWD/data" --auth-root-authentication-method=normal \
	--skip-test-db --innodb-buffer-pool-size=16M > install.log 2>&1
"${user[@]}" mariadbd "${options[@]}" > server.log 2>&1 &
for ((i = 0; i < 300; i++)); do [ -S socket ] && break; sleep 0.1; done
mariadb --no-defaults -S socket -u root <<'EOF'
create database d; use d;
create table t(id int primary key auto_increment, text varchar(50)) engine=innodb;
insert into t(text) select concat('row ', seq) from seq_1_to_2000;
select count(*), sum(id) from t;
EOF
mariadb-admin --no-defaults -S socket -u root shutdown
wait
