#!/bin/bash
# `sworn gate run --mode rerun`: a small repository of two tenants, with twenty recorded runs of a service, a job, a pipeline and
# a threaded program. Unchanged and refactored code comes out identical; each seeded fault is found, with the right first difference.
. "$(dirname "$0")/lib.sh"
. "$E2E/gate.sh"

have rerun cc python3 sort || finish
cd "$WORK" || exit 1
python=$(command -v /usr/bin/python3 python3 | head -n 1)
mkdir -p repository traces/{alpha,beta} temporary
export TMPDIR=$WORK/temporary
cp -r "$E2E/data/gate/." repository
keys=(--keystore "$WORK/keys")
for tenant in alpha beta; do
	sworn tenant create "$tenant" "${keys[@]}" > "$LOG/tenant" 2>&1 || fail setup "tenant $tenant: $(cat "$LOG/tenant")"
done
(cd repository && sh build.sh) || { fail setup "the repository does not build" && finish; }

# trace NAME COMMAND...: records it in the repository, with the standard input of this function
trace()
{
	local name=$1

	shift
	rm -rf checkout
	cp -r repository checkout
	(cd checkout && sworn record "${keys[@]}" --tenant "${name%%/*}" --schedule seeded --seed "$name" --workdir-as /desk -o "$WORK/traces/$name.sworn" -- "$@" \
		> "$LOG/output" 2> "$LOG/errors")
	[ -f "traces/$name.sworn" ] || { fail "$name" "was not recorded: $(tail -n 1 "$LOG/errors")" && finish; }
}

for orders in 'apple 3' 'pear 2' 'plum 10' 'kiwi 1' 'apple'; do
	trace "alpha/service-${orders// /-}" service/run.sh 4711 'apple 1' "$orders" < /dev/null
done
for month in 2029-01 2029-02 2029-03 2029 2028; do
	trace "alpha/job-$month" "$python" -B job/job.py "$month" < /dev/null
done
for count in 1 2 3 4 5; do
	trace "beta/pipeline-$count" pipeline/pipeline.sh "$count" < repository/pipeline/words.txt
	trace "beta/counter-$count" build/counter < /dev/null
done

# fault NAME STATUS CHANGE [ARGUMENT...] TRACE...: runs the traces against a checkout that is changed by the command
fault()
{
	local name=$1 wanted=$2 change=$3

	shift 3
	rm -rf checkout
	cp -r repository checkout
	cd checkout || exit 1
	eval "$change"
	sh build.sh || fail "$name" "the changed repository does not build"
	gate "$name" "$wanted" run --mode rerun "${keys[@]}" --report ../report.json "$@"
	cd ..
	[ -z "$(ls -A temporary)" ] && pass || fail "$name" "left behind: $(find temporary | head -n 5 | tr '\n' ' ')"
}

rm -rf checkout
gate all 0 run --mode replay "${keys[@]}" -j 2 --report report.json traces
says all '^tenant alpha \([0-9a-f]{32}\): 10 traces: 10 identical'
says all '^tenant beta \([0-9a-f]{32}\): 10 traces: 10 identical'
says all '^replay: the code of this checkout was not run'

fault same 0 true -j 2 ../traces
says same '^tenant alpha \([0-9a-f]{32}\): 10 traces: 10 identical'
says same '^tenant beta \([0-9a-f]{32}\): 10 traces: 10 identical'
report same report.json "
	r['code_was_run'] is True and r['counts']['identical'] == 20
	all(t['runs'] == 1 and not t['changes'] and not t['inputs_changed'] for t in r['traces'])"

# How a program splits, orders and maps its calls is its own affair.
fault refactored 0 "cp refactored/*.py job/shop/; sed -i -f refactored/service.sed service/service.c" -j 2 ../traces/alpha
grep -q setvbuf checkout/service/service.c && grep -q 'fputs("or.n"' checkout/service/service.c && pass ||
	fail refactored "nothing was changed"
report refactored report.json "all(t['inputs_changed'] for t in r['traces'])"

fault off_by_one 1 "sed -i 's/i < prices_count; i++/i < prices_count - 1; i++/' service/service.c" \
	../traces/alpha/service-plum-10.sworn ../traces/alpha/service-pear-2.sworn
first off_by_one 'standard error, byte 0, line 1' 'nothing' '"service: no price for: plum 10'
says off_by_one '^  source +#[0-9]+ 0x[0-9a-f]+ (main|serve) at service/service.c:45 '
says off_by_one '^changed: ../traces/alpha/service-plum-10.sworn'
report off_by_one report.json "
	[t['verdict'] for t in r['traces']] == ['changed', 'identical']
	r['traces'][0]['changes_found'] == len(r['traces'][0]['changes']) == 5
	any('plum 1.50' in c['expected'] and 'error' in c['actual'] for c in r['traces'][0]['changes'])
	'write(2' in r['traces'][0]['changes'][0]['event']"

fault message 1 "sed -i 's/no price for/unknown price of/' service/service.c" ../traces/alpha/service-kiwi-1.sworn
first message 'standard error, byte 9, line 1' '"service: no price for: kiwi 1' '"service: unknown price of: kiwi 1'

fault extra_file 1 "echo '    open(\"debug.log\", \"w\").write(month)' >> job/shop/report.py" ../traces/alpha/job-2029.sworn
first extra_file 'file /desk/debug.log$' 'not written' 'written'
report extra_file report.json "
	r['traces'][0]['changes_found'] == 1
	any('/desk/job/shop/report.py' in i for i in r['traces'][0]['inputs_changed'])"

fault connection 1 "sed -i 's/\tif (argc < 3)/\tstruct sockaddr_in other = address;\n\tother.sin_port = htons(9);\n\tif (argc > 9 || connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)\&other, sizeof(other)) == 0)\n\t\treturn 9;\n&/' service/client.c" \
	../traces/alpha/service-apple-3.sworn
first connection 'connection to 127.0.0.1:9$' 'none' 'tried'
report connection report.json "r['traces'][0]['changes_found'] == 1"

fault exit_code 1 "sed -i 's/return 1/return 4/' job/job.py" ../traces/alpha/job-2028.sworn
first exit_code 'how the command ended' 'exit status 1' 'exit status 4'
report exit_code report.json "r['traces'][0]['changes_found'] == 1"

fault mode 1 "echo 'chmod 600 top.txt' >> pipeline/pipeline.sh" ../traces/beta/pipeline-2.sworn
says mode 'file /desk/top.txt: what it is'
says mode 'expected +mode 0644'
says mode 'actual +mode 0600'

fault leak 1 "sed -i 's/^port=/export TOKEN=secret\n&/' service/run.sh" ../traces/alpha/service-apple-3.sworn
first leak 'program /desk/build/[a-z]* .*variable TOKEN of its environment' 'not set' 'secret'

# A dependency whose output changed, shown where the old one is.
dependency="mkdir new; sed 's/most/MOST/' pipeline/title > new/title; chmod +x new/title"
fault dependency 1 "$dependency" --with pipeline/title=new/title ../traces/beta
first dependency 'standard output, byte 6, line 1' '"the 1 most' '"the 1 MOST'
report dependency report.json "
	r['counts']['changed'] == 5 and r['counts']['identical'] == 5
	all(t['with_used'] == (r['with'] if 'pipeline' in t['path'] else []) for t in r['traces'])"
fault unused 4 "$dependency" --with pipeline/title=new/title ../traces/beta/counter-1.sworn
says unused '--with pipeline/title=new/title: no run executed or read OLD'
fault old_gone 0 "mkdir new; mv pipeline new/; " --with pipeline=new/pipeline ../traces/beta/pipeline-1.sworn

fault race 1 "sed -i '/pthread_mutex_[lu]/d' counter/counter.c" --repeat 6 ../traces/beta/counter-1.sworn
says race '^nondeterministic: '
says race 'run [2-6], with another order of threads'
report race report.json "r['counts']['nondeterministic'] == 1 and 2 <= r['traces'][0]['runs'] <= 6"
fault no_race 0 true --repeat 4 ../traces/beta/counter-2.sworn
report no_race report.json "r['traces'][0]['runs'] == 4"

# What was not run is not told to be equal.
fault gone 3 "rm service/run.sh" ../traces/alpha/service-apple-3.sworn
says gone '^incomplete: '
fault slow 3 "printf '#!/bin/sh\nwhile :; do :; done\n' > service/run.sh" --timeout 2 ../traces/alpha/service-apple-3.sworn
says slow 'not done in 2 s'
(cd checkout && gate contradiction 2 run --mode replay --with a=b ../traces) || fail contradiction "see above"
says contradiction 'with is for --mode rerun'
(cd checkout && gate missing 2 run --mode rerun --with build/old=build/nonesuch ../traces) || fail missing "see above"
says missing 'build it first'
cp traces/beta/counter-1.sworn damaged.sworn
printf '\377' | dd of=damaged.sworn bs=1 seek=2000 conv=notrunc 2> /dev/null
fault damaged 5 true ../damaged.sworn ../traces/beta/counter-1.sworn
report damaged report.json "[t['runs'] for t in r['traces']] == [0, 1]"

# The new run is kept, and told apart from the old one without being run again.
fault keep 1 "sed -i 's/no price for/unknown price of/' service/service.c" --keep ../kept ../traces/alpha/service-kiwi-1.sworn
gate diff 1 diff "${keys[@]}" traces/alpha/service-kiwi-1.sworn kept/*.sworn
says diff '^different: standard error, byte 9, line 1'
gate diff_same 0 diff "${keys[@]}" traces/alpha/service-kiwi-1.sworn traces/alpha/service-kiwi-1.sworn
says diff_same '^identical'
gate explain 0 explain "${keys[@]}" traces/alpha/service-kiwi-1.sworn
says explain '^channel +connection to 127.0.0.1:4711, 15 bytes'
says explain '^file +/desk/journal.txt, .*mode 0644'
# stopped NAME STATUS EVENT PATTERN: a replay of the kept run that is to stop
stopped()
{
	local status=0

	sworn replay "${keys[@]}" --stop-at "$3" kept/*.sworn > "$LOG/$1.out" 2> "$LOG/$1.err" || status=$?
	[ "$status" -eq "$2" ] && pass || fail "$1" "exit status $status, not $2"
	says "$1" "$4"
}
stopped stop 3 20 '^behind event 20 thread 1 stands at:$'
says stop ': stopped$'
stopped stop_first 3 0 '^behind event 0 thread 1'
stopped stop_beyond 0 99999999 ': identical$'
stopped stop_usage 2 x 'stop-at wants the number of an event'
gate explain_usage 2 explain
gate diff_usage 2 diff "${keys[@]}" traces/alpha/service-kiwi-1.sworn

finish
