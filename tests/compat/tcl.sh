#!/bin/bash
# tclsh: events, sockets, pipes
# group scripts
# needs tclsh
# packages tcl
# version echo 'puts $tcl_patchLevel' | tclsh
set -e
cat > all.tcl <<'EOF'
proc accept {c a p} { fconfigure $c -buffering line; fileevent $c readable [list answer $c] }
proc answer {c} { if {[gets $c line] < 0} { close $c } else { puts $c [string toupper $line] } }
set server [socket -server accept -myaddr 127.0.0.1 0]
set port [lindex [fconfigure $server -sockname] 2]
set s [socket 127.0.0.1 $port]
fconfigure $s -buffering line
fileevent $s readable { gets $s line; puts $line; incr got; if {$got == 5} { set done 1 } else { puts $s "hello $got" } }
set got 0
puts $s start
after 5000 { set done timeout }
vwait done
puts $done
puts [exec echo child]
set n 0
for {set i 0} {$i < 100000} {incr i} { set n [expr {($n * 31 + $i) % 65521}] }
puts $n
EOF
tclsh all.tcl
