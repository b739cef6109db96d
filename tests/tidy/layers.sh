#!/bin/bash
# layers.sh ROOT: includes go one way, traces <- sandbox <- {record, replay} and traces <- verify,
# and only sandbox, record and replay know ptrace. Prints each wrong include; exits 1 on any.
set -eu
cd "$1"
mapfile -t files < <(find traces sandbox record replay verify -name '*.[ch]' -o -name '*.def' | sort)

awk '
	BEGIN {
		may["traces"] = " traces "
		may["sandbox"] = " sandbox traces "
		may["record"] = " record sandbox traces "
		may["replay"] = " replay sandbox traces "
		may["verify"] = " verify traces "
	}
	/^[ \t]*#[ \t]*include[ \t]*</ {
		split(FILENAME, part, "/")
		if ((part[1] == "traces" || part[1] == "verify") && /<(sys|linux)\/ptrace\.h>/) {
			print FILENAME ":" FNR ": " part[1] "/ must not know ptrace"
			wrong++
		}
	}
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		split(FILENAME, part, "/")
		from = part[1]
		path = $0
		sub(/^[^"]*"/, "", path)
		sub(/".*/, "", path)
		while (sub(/^\.\.?\//, "", path))
			;
		to = from
		if (path ~ /\//) {
			to = path
			sub(/\/.*/, "", to)
			if (!(to in may) && path !~ /^\.\./)
				to = from
		}
		if (index(may[from], " " to " ") == 0) {
			print FILENAME ":" FNR ": " from "/ must not include " to "/"
			wrong++
		}
	}
	END {
		if (wrong)
			print "the layers are: traces <- sandbox <- {record, replay}; traces <- verify"
		exit wrong > 0
	}
' /dev/null "${files[@]}"
