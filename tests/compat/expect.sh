#!/bin/bash
# expect: talks to bc and a shell through pseudo terminals
# group terminal
# needs expect bc
# packages expect bc
# version expect -v
set -e
cat > all.exp <<'EOF'
log_user 0
set timeout 2
spawn bc -q
send "3*4\r"
expect -re {\n12} { puts "twelve" } timeout { puts "timeout" }
send "quit\r"
expect eof
spawn sh
send "stty -echo; PS1=''\r"
sleep 0.2
send "echo mark\$((1+1))\r"
expect "mark2" { puts "shell" } timeout { puts "timeout" }
send "exit 3\r"
expect eof
puts [lindex [wait] 3]
EOF
expect all.exp
