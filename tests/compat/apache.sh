#!/bin/bash
# apache: the event module with its threads and processes, fetched from with curl
# group servers
# needs apache2 curl
# packages apache2-bin curl
# version apache2 -v
# root yes
set -e
modules=/usr/lib/apache2/modules
mkdir root && seq 1 2000 > root/file && chmod -R a+rX .
cat > conf <<EOF
ServerRoot $PWD
ServerName localhost
Listen 127.0.0.1:28084
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
DocumentRoot $PWD/root
PidFile $PWD/pid
Mutex file:$PWD default
ErrorLog $PWD/log
User nobody
Group nogroup
StartServers 2
ThreadsPerChild 5
MinSpareThreads 5
MaxSpareThreads 10
MaxRequestWorkers 10
<Directory $PWD/root>
Require all granted
</Directory>
EOF
apache2 -d "$PWD" -f "$PWD/conf" -D FOREGROUND &
server=$!
for ((i = 0; i < 100; i++)); do curl -sf -o /dev/null http://127.0.0.1:28084/file && break; sleep 0.1; done
for i in 1 2 3 4 5; do curl -s http://127.0.0.1:28084/file | md5sum; done
kill -TERM $server
wait $server
