#!/bin/bash
# git: commits, gc, a clone over file://, fsck
# group tools
# needs git
# packages git
# version git --version
set -e
export HOME=$PWD GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git config --global user.name n && git config --global user.email e && git config --global init.defaultBranch main
git init -q a
cd a
for ((i = 0; i < 20; i++)); do seq $i 500 > file$((i % 7)); git add -A; git commit -q -m "commit $i"; done
git gc -q
cd ..
git clone -q "file://$PWD/a" b
cd b
git fsck 2> /dev/null
git log --oneline | md5sum
git checkout -q -b side HEAD~5 && echo side > side && git add side && git commit -q -m side && git merge -q -m merge main
git status --short | wc -l
