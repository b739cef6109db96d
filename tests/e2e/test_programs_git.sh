#!/bin/bash
# git: a repository made, filled, cloned, packed, searched. Names and dates are fixed, so commits are.
. "$(dirname "$(realpath "$0")")/lib.sh"

have git git || finish
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C
export GIT_COMMITTER_EMAIL=c@example.org GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000100 +0000'
export HOME=$RUN/home GIT_PAGER=cat

start()
{
	mkdir home
	git config --global init.defaultBranch main
	git config --global safe.directory '*'
	git config --global gc.auto 0
}

history()
{
	start
	git init -q project
	cd project || exit
	for i in $(seq 1 20); do
		seq 1 "$i" > "file$i"
		git add .
		git commit -q -m "change $i"
	done
}

check_program git_commit --setup start -- bash -c '
	git init project && cd project && seq 1 100 > numbers && mkdir sub && echo text > sub/file &&
	git add . && git commit -m first && echo more >> sub/file && git commit -am second &&
	git log --stat && git status && git diff HEAD~1 && git show HEAD:sub/file'
check_program git_branch --setup history -- bash -c '
	cd project && git checkout -q -b side HEAD~5 && echo side > side && git add side && git commit -q -m side &&
	git checkout -q main && git merge -q side -m merge && git log --oneline --graph && git branch -a'
check_program git_clone --setup history -- bash -c '
	git clone -q project copy && cd copy && git log --format="%h %s" && git rev-parse HEAD && git fsck --no-progress'
check_program git_pack --setup history -- bash -c '
	cd project && git gc -q && git count-objects -v | grep -v size && git grep -c 7 | sort | head -n 5 && git archive HEAD | tar -t'
finish
