#!/bin/bash
# run.sh BUILD-DIR [CTEST-ARGUMENT...]: runs all tests, then names every skip with its reason and
# counts what passed, failed and was skipped. Fails when a test fails or when there is none.
set -u

build=$1
shift
report=$build/tests.xml
rm -f "$report"
ctest --test-dir "$build" --output-on-failure --no-tests=error -j2 \
	--test-output-size-passed 65536 --output-junit "$(realpath "$build")/tests.xml" "$@"
status=$?
[ -f "$report" ] || exit $((status ? status : 1))

awk '
	function plain(text) {
		sub(/^.*<system-out>/, "", text)
		gsub(/&lt;/, "<", text)
		gsub(/&gt;/, ">", text)
		gsub(/&quot;/, "\"", text)
		gsub(/&apos;/, "\047", text)
		gsub(/&amp;/, "\\&", text)
		return text
	}
	/<testcase / {
		name = $0
		sub(/.*<testcase name="/, "", name)
		sub(/".*/, "", name)
		state = $0
		sub(/.*status="/, "", state)
		sub(/".*/, "", state)
		if (state == "run") passed++
		else if (state == "fail") failed++
		else skipped++
		reason = ""
	}
	/SKIP/ && !/SKIP_RETURN_CODE/ && reason == "" {
		reason = plain($0)
	}
	# A cmocka program that skips some of its cases exits 0 when the others pass.
	/\[  SKIPPED \] +[0-9]+ test/ { inner += $4 }
	# So does a script that runs many programs; it says so in its last line and names each.
	/[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped/ { inner += $(NF - 1) }
	/^(.*<system-out>)?skipped: / && state == "run" {
		print name ": " plain($0)
	}
	/<\/testcase>/ && state != "run" && state != "fail" {
		print "skipped: " name (reason == "" ? "" : ": " reason)
	}
	/<\/testcase>/ && state == "fail" { print "failed: " name }
	END {
		printf "tests: %d passed, %d failed, %d skipped", passed, failed, skipped
		if (inner) printf ", and %d cases skipped inside passing tests", inner
		print ""
	}
' "$report"
exit "$status"
