#!/bin/bash
# zsh, fish, dash and ksh-like scripts: pipes, jobs, globs
# group scripts
# needs zsh fish dash
# packages zsh fish dash
# version zsh --version
set -e
zsh -f -c 'for i in {1..200}; do echo $i; done | while read n; do ((s += n)); done; echo $s; sleep 0.1 & wait; print ${(j:,:)$(ls /)} | wc -l; echo =(echo x) | wc -l; cat =(echo x)'
HOME=$PWD fish --no-config -c 'for i in (seq 3); echo $i | tr 1 a; end; set x (math 3 x 4); echo $x; sleep 0.1 &; wait; echo done'
dash -c 'trap "echo exit" EXIT; i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done; echo $i; (exit 3) || echo $?; echo "$(echo a | tr a b)"; sleep 0.1 & wait $!'
