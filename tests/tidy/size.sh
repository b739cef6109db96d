#!/bin/bash
# size.sh ROOT: reports files over 600 lines, functions over 70 lines or with more than 5 parameters.
# A report only: it never fails, reviewers judge.
set -eu
cd "$1"
mapfile -t files < <(find traces sandbox record replay verify tests sworn.c -name '*.[ch]' | sort)

awk '
	function check_file() {
		if (lines > 600)
			print file ": " lines " lines"
	}
	FNR == 1 { check_file(); file = FILENAME; head = ""; start = 0 }
	{ lines = FNR }
	/^[a-zA-Z_]/ { head = $0; next }
	/^[ \t]+[^ \t]/ && !start { head = head $0 }
	/^\{/ { start = FNR; name = head }
	/^\}/ && start {
		text = name
		sub(/\).*/, "", text)
		commas = gsub(/,/, ",", text)
		sub(/\(.*/, "", name)
		sub(/.*[ *]/, "", name)
		if (FNR - start - 1 > 70)
			print file ":" start ": " name " has " FNR - start - 1 " lines"
		if (commas > 4)
			print file ":" start ": " name " has " commas + 1 " parameters"
		start = 0
	}
	END { check_file() }
' /dev/null "${files[@]}"
