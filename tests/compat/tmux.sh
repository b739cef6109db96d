#!/bin/bash
# tmux: a server with a shell in its window
# group terminal
# needs tmux
# packages tmux
# version tmux -V
set -e
export TMUX_TMPDIR=$PWD TERM=screen SHELL=/bin/sh
unset TMUX
tmux -f /dev/null new-session -d -x 80 -y 24 'sh'
tmux send-keys 'echo in the window > out; seq 1 100 > seq; tmux wait-for -S ready' Enter
tmux wait-for ready
cat out
tmux capture-pane -p | grep -c echo > /dev/null
tmux kill-server
