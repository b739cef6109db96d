#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "../sandbox/cpu_model.h"
#include "../sandbox/host.h"
#include "../sandbox/register.h"
#include "../sandbox/tsc.h"
#include "../traces/error.h"
#include "../traces/store.h"
#include "../traces/syscall.h"
#include "attest.h"
#include "crew.h"
#include "options.h"
#include "replay.h"
#include "report.h"
#include "source.h"

struct run {
	struct replay_options options;
	struct replayer replayer, clerk; /* clerk: of a crew, -j */
	struct groups *groups;		 /* with -j only */
	struct outcome outcome;
	struct trust trust;
	uint8_t tenant[TENANT_ID_SIZE]; /* that --tenant names */
	char tenant_store[HOME_PATH_MAX];
	const char *store; /* --store, or the tenant's; NULL: the default one */
	struct report_file report;
	FILE *out; /* where people read the verdict */
	int fd, blobs_fd, source_fd, store_fd;
	int sources[WORKERS_MAX], cpus[WORKERS_MAX], locks[WORKERS_MAX];
};

static volatile sig_atomic_t ticks;

static void on_tick(int signal)
{
	(void)signal;
	ticks = ticks + 1;
}

/* The report says already what holds if this process does not live to say more. */
static int open_report(struct run *run)
{
	struct outcome cut_off = {
		.name = run->options.trace,
		.error = SWORN_EGONE,
		.reason = "the replay was ended before it came to a verdict",
		.started_ns = run->outcome.started_ns,
	};
	int r = report_open(run->options.report, &run->report);

	run->out = run->report.fd == STDOUT_FILENO || replay_options_stdout(run->options.attest.path)
			   ? stderr
			   : stdout;
	if (r == 0 && run->report.is_file)
		r = outcome_report(&run->report, &cut_off);
	if (r == 0)
		return 0;
	fprintf(stderr,
		"sworn replay: the report %s cannot be written: %s; name another file with --report\n",
		run->options.report, error_text(r));
	return CODE_USAGE;
}

/* One for each worker: an answer must not reach another one. */
static int start_sources(struct run *run)
{
	int r = source_start(run->blobs_fd, &run->source_fd);

	for (unsigned int i = 0; r == 0 && run->options.jobs > 1 && i < run->options.jobs; i++)
		r = source_start(run->blobs_fd, &run->sources[i]);
	return r;
}

static int open_trust(struct run *run)
{
	struct outcome *outcome = &run->outcome;
	int r = trust_load(&run->trust, run->options.keystore, run->options.trust_file);

	run->fd = -1;
	if (r == 0 && run->options.tenant &&
	    trust_tenant(&run->trust, run->options.tenant, run->tenant) < 0) {
		snprintf(run->trust.reason, sizeof(run->trust.reason),
			 "%s is no tenant of the keystore", run->options.tenant);
		r = SWORN_EKEYSTORE;
	}
	run->store = run->options.store;
	if (r == 0 && run->options.tenant && !run->store &&
	    trust_store(run->options.keystore, run->tenant, run->tenant_store,
			sizeof(run->tenant_store)) == 0)
		run->store = run->tenant_store;
	outcome->name = run->options.trace;
	if (r < 0)
		snprintf(outcome->reason, sizeof(outcome->reason), "%.500s",
			 run->trust.reason[0] ? run->trust.reason : error_text(r));
	return r;
}

/* Everything that needs the host's files, before privileges are dropped and the first byte is parsed. */
static int open_files(struct run *run)
{
	char *name = NULL;
	int r = open_trust(run);

	run->store_fd = run->blobs_fd = run->source_fd = -1;
	if (r < 0)
		return r;
	if (!run->options.trace || run->options.trace[0] == '@' || run->options.store)
		run->store_fd = store_find(run->store);
	if (run->store_fd < 0 && (!run->options.trace || run->options.trace[0] == '@'))
		run->fd = SWORN_ENOTRACE;
	else
		run->fd = store_trace(run->store_fd, run->options.trace, &name);
	if (run->fd < 0) {
		snprintf(run->outcome.reason, sizeof(run->outcome.reason),
			 "it cannot be opened: %s", error_text(run->fd));
		run->outcome.name = run->options.trace;
		return run->fd;
	}
	run->outcome.name = name;
	if (run->store_fd < 0)
		run->store_fd = store_find(run->store);
	run->blobs_fd = store_find_blobs(run->store_fd, run->options.store != NULL, run->fd);
	return run->blobs_fd >= 0 ? start_sources(run) : 0;
}

static void choose_cpus(struct run *run)
{
	cpu_set_t set;

	if (host_choose(run->options.jobs, run->locks, run->cpus) < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)run->cpus[0], &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int enter_domain(struct run *run)
{
	int keep[4 + 2 * WORKERS_MAX], r;
	size_t count = 0;
	const int wanted[] = { run->fd, run->source_fd, run->report.fd, run->options.attest.fd };

	choose_cpus(run);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (wanted[i] > STDERR_FILENO)
			keep[count++] = wanted[i];
	}
	for (unsigned int i = 0; i < run->options.jobs; i++) {
		if (run->options.jobs > 1 && run->source_fd >= 0)
			keep[count++] = run->sources[i];
		if (run->locks[i] > STDERR_FILENO)
			keep[count++] = run->locks[i];
	}
	fflush(NULL);
	r = replay_domain_enter(keep, count, 0, 0, &run->outcome.domain);
	if (r == 0)
		r = arena_open(&run->replayer.guests.arena);
	if (r == 0)
		r = object_arena_open(&run->replayer.objects);
	if (r == 0)
		return 0;
	snprintf(run->outcome.reason, sizeof(run->outcome.reason),
		 "the replay domain could not be set up: %s", error_text(r));
	return SWORN_EHOST;
}

/* What and where, for an error that is no divergence. */
static void explain(struct run *run, const struct event *event, int error)
{
	char text[DESCRIPTION_BYTES] = "the end";
	const char *why = error_text(error);

	if (event)
		describe_event(event, text, sizeof(text));
	if (error == -EOVERFLOW)
		why = "the counter's interrupt came too late to stop where the recording did";
	else if (error == -ERANGE)
		why = "the computation comes by this place too often to tell without a hardware counter when it is to stop";
	snprintf(run->outcome.reason, sizeof(run->outcome.reason), "at event %s: %s", text, why);
}

/* Whether a trace without an end is taken as far as it goes. */
static bool takes_prefix(const struct run *run)
{
	return run->outcome.trace.is_derived ? run->options.allow.repaired
					     : run->options.allow.truncated;
}

/* Where the thread of the event that was played last stands. */
static int stop_here(struct run *run, const struct event *event)
{
	struct replayer *rep = &run->replayer;
	struct thread *thread = guest_by_number(&rep->guests, event->thread);
	char *text = thread ? replay_backtrace(rep, thread) : NULL, *more = NULL;

	fprintf(run->out, "behind event %" PRIu64 " thread %u stands at:\n", event->number,
		event->thread);
	for (char *line = text ? strtok_r(text, "\n", &more) : NULL; line;
	     line = strtok_r(NULL, "\n", &more))
		fprintf(run->out, "  %s\n", line);
	free(text);
	snprintf(run->outcome.reason, sizeof(run->outcome.reason),
		 "it was to stop at event %" PRIu64, event->number);
	return -ECANCELED;
}

static int play(struct run *run)
{
	struct replayer *rep = &run->replayer;
	bool progress = isatty(STDERR_FILENO);
	struct event event;
	int r, shown = 0;

	while ((r = trace_next(rep->reader, &event)) > 0) {
		r = replayer_play(rep, &event);
		if (r < 0)
			break;
		if (event.number == run->options.stop_at)
			return stop_here(run, &event);
		if (progress && ticks > shown) {
			shown = ticks;
			fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " events", rep->played,
				run->outcome.trace.events);
		}
	}
	if (shown)
		fputs("\r\033[K", stderr);
	if (r == SWORN_ETRUNCATED && takes_prefix(run) && rep->played > 0) {
		snprintf(run->outcome.reason, sizeof(run->outcome.reason), "%s",
			 run->outcome.trace.reason);
		run->outcome.prefix = true;
		return 0;
	}
	if (r < 0 && r != SWORN_EDIVERGED)
		explain(run, rep->event, r);
	return r < 0 ? r : replayer_finish(rep);
}

/* Guests may ask CPUID which processor they run on: the recorded one, where this host has it; its number, or -1. */
static int follow_cpu(const struct trace_info *info)
{
	const char *mark = info->cpu ? strrchr(info->cpu, '#') : NULL;
	long number = mark ? strtol(mark + 1, NULL, 10) : -1;
	cpu_set_t set;

	if (number < 0 || number >= CPU_SETSIZE)
		return -1;
	CPU_ZERO(&set);
	CPU_SET((size_t)number, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -1 : (int)number;
}

/* A trace for a named processor needs what that one has, and the recording host's area of XSAVE: 0, or why not. */
static int check_cpu(struct outcome *outcome, const struct reader *reader)
{
	const char *name = reader_summary(reader)->requires_cpu;
	const struct cpu_model *model = name ? cpu_model_find(name) : NULL;
	const char *missing = model ? cpu_model_missing(model) : NULL;
	uint64_t xcr0 = reader_info(reader)->xcr0;

	if (missing)
		snprintf(outcome->reason, sizeof(outcome->reason),
			 "the trace is for an %s processor, and this one lacks %s",
			 cpu_model_name(model), missing);
	else if (model && xcr0 != vector_components())
		snprintf(outcome->reason, sizeof(outcome->reason),
			 "this processor saves other vector state (0x%" PRIx64
			 ") than the recording one (0x%" PRIx64 ")",
			 vector_components(), xcr0);
	else
		return 0;
	return SWORN_EHOST;
}

/* Who signed the trace, and what that leaves of it to be replayed. */
static int judge(struct run *run, int found)
{
	struct outcome *outcome = &run->outcome;
	struct trace_report *trace = &outcome->trace;
	struct reader *reader = run->replayer.reader;
	char *reason = outcome->reason;
	uint64_t events;
	int r = trust_judge_trace(&run->trust, reader, trace, &outcome->judgement);

	if (r < 0) {
		snprintf(reason, sizeof(outcome->reason),
			 "the header does not match its signature by %s",
			 outcome->judgement.signer.name);
		return r;
	}
	if (run->options.tenant && memcmp(run->tenant, trace->tenant, TENANT_ID_SIZE) != 0) {
		snprintf(reason, sizeof(outcome->reason), "it is not a trace of tenant %s",
			 run->options.tenant);
		return SWORN_EUNTRUSTED;
	}
	r = trust_verdict(&outcome->judgement, trace, found, &run->options.allow, &events);
	if (r == SWORN_EUNSIGNED && outcome->judgement.state != TRUST_UNSIGNED)
		snprintf(reason, sizeof(outcome->reason), "it is cut, and no event of it is signed");
	else if (r == SWORN_EUNSIGNED || r == SWORN_EUNTRUSTED)
		snprintf(reason, sizeof(outcome->reason), "%s", outcome->judgement.text);
	if (r == 0 && found == SWORN_ETRUNCATED) {
		reader_limit(reader, events);
		trace->events = events;
	}
	return r;
}

static int open_trace(struct run *run)
{
	struct outcome *outcome = &run->outcome;
	struct replayer *rep = &run->replayer;
	uint64_t bytes;
	int r = reader_open(run->fd, -1, &rep->reader), found;

	if (run->options.jobs > 1 && !(run->groups = groups_new()))
		r = -ENOMEM;
	if (r < 0)
		reader_reason(run->fd, outcome->trace.reason);
	if (run->report.fd >= 0)
		report_digest(run->fd, outcome->file_digest, &bytes);
	if (r == 0 && run->source_fd >= 0)
		reader_blob_source(rep->reader, source_open, &run->source_fd);
	if (r == 0)
		r = reader_check(rep->reader, &outcome->trace, run->groups ? groups_note : NULL,
				 run->groups);
	found = r;
	if (r == 0 || r == SWORN_ETRUNCATED)
		r = judge(run, r);
	if (r == 0 && found == SWORN_ETRUNCATED) {
		groups_release(run->groups); /* a prefix has no totals for a crew to add up to */
		run->groups = NULL;
		return 0;
	}
	if (r < 0) {
		if (!outcome->reason[0])
			snprintf(outcome->reason, sizeof(outcome->reason), "%s",
				 outcome->trace.reason[0] ? outcome->trace.reason : error_text(r));
		return r;
	}
	if (outcome->trace.completeness != COMPLETE_YES) {
		snprintf(outcome->reason, sizeof(outcome->reason), "the recording is not complete");
		return SWORN_ETRUNCATED;
	}
	if (reader_summary(rep->reader)->requires_pmu && !counter_usable()) {
		snprintf(outcome->reason, sizeof(outcome->reason),
			 "the trace has turns cut by a hardware counter, which this host lacks");
		return SWORN_ENEEDSPMU;
	}
	return check_cpu(outcome, rep->reader);
}

/* The worker that has the recorded processor already, or the first one, which takes it from whoever holds its lock. */
static unsigned int home_worker(const struct run *run, unsigned int workers, int home)
{
	for (unsigned int i = 0; i < workers; i++) {
		if (run->cpus[i] == home)
			return i;
	}
	return 0;
}

/* The clerk has a reader of its own: should the crew fail, the replayer is as it was. */
static int play_apart(struct run *run, int home)
{
	uint32_t groups = groups_count(run->groups);
	struct crew_plan plan = {
		.groups = run->groups,
		.workers = run->options.jobs < groups ? run->options.jobs : groups,
		.cpus = run->cpus,
		.home = home,
		.sources = run->source_fd >= 0 ? run->sources : NULL,
	};
	struct reader *checked = run->replayer.reader;
	int r;

	if (home >= 0)
		run->cpus[home_worker(run, plan.workers, home)] = home;
	run->clerk.seed = run->replayer.seed;
	run->clerk.argv = run->replayer.argv;
	run->clerk.show_output = run->replayer.show_output;
	run->clerk.sinks = sinks_new();
	r = run->clerk.sinks ? reader_open(run->fd, -1, &run->clerk.reader) : -ENOMEM;
	if (r == 0)
		r = crew_play(&plan, &run->replayer, &run->clerk);
	if (r == 0) {
		reader_close(run->clerk.reader);
		run->clerk.reader = checked;
		run->outcome.replayer = &run->clerk;
	}
	return r;
}

/*
 * What a crew found wrong is no verdict: a worker may be on another processor than the recording was, and only in
 * trace order is a first difference the first. The replay in order decides, and says so when it found nothing.
 */
static int play_in_order(struct run *run, int apart)
{
	int r;

	if (apart == SWORN_EGONE) {
		snprintf(run->outcome.reason, sizeof(run->outcome.reason),
			 "a worker was killed before it came to an end");
		return apart;
	}
	r = play(run);
	if (r == 0 && apart < 0)
		fprintf(stderr,
			"sworn replay: in %u workers it came out otherwise (%s); "
			"the verdict is that of the replay in order\n",
			run->options.jobs, error_text(apart));
	return r;
}

static int check_and_play(struct run *run)
{
	struct replayer *rep = &run->replayer;
	struct sigaction tick = { .sa_handler = on_tick };
	struct itimerval second = { { 1, 0 }, { 1, 0 } };
	int r = open_trace(run), home, apart;

	if (r < 0)
		return r;
	home = follow_cpu(reader_info(rep->reader));
	rep->seed = reader_info(rep->reader)->seed;
	rep->argv = reader_info(rep->reader)->argv;
	tsc_give_up();
	sigaction(SIGALRM, &tick, NULL);
	setitimer(ITIMER_REAL, &second, NULL);
	if (!run->groups || groups_count(run->groups) == 1)
		return play(run);
	apart = play_apart(run, home);
	return apart == 0 ? 0 : play_in_order(run, apart);
}

/* Says it, in the report too, and gives the exit code. */
static int conclude(struct run *run)
{
	int code = (int)outcome_code(run->outcome.error), r;

	outcome_print(run->out, &run->outcome);
	r = fflush(run->out) == 0 ? 0 : -errno;
	if (r == 0)
		r = outcome_report(&run->report, &run->outcome);
	if (attest_outcome(&run->options.attest, &run->outcome) != 0 && code == CODE_IDENTICAL)
		code = CODE_UNKNOWN;
	if (r == 0)
		return code;
	fprintf(stderr,
		"sworn replay: the verdict or its report cannot be written: %s; check the space and permissions "
		"there\n",
		error_text(r));
	return code == CODE_IDENTICAL ? CODE_UNKNOWN : code;
}

static int run_replay(struct run *run)
{
	struct replayer *rep = &run->replayer;
	int r = open_files(run);

	if (r < 0)
		return r;
	run->outcome.replayer = rep;
	rep->show_output = run->options.show_output;
	rep->sinks = sinks_new();
	r = rep->sinks ? enter_domain(run) : -ENOMEM;
	return r < 0 ? r : check_and_play(run);
}

/* Rows that changed since the recording can make an honest trace look wrong; a good replay is good all the same. */
static int doubt_old_table(const struct run *run, int error)
{
	struct reader *reader = run->replayer.reader;

	if ((error != SWORN_EDIVERGED && error != SWORN_EREFUSED) || !reader)
		return error;
	return reader_info(reader)->table_version < SYSCALL_TABLE_VERSION ? SWORN_EOLDTABLE : error;
}

int cmd_replay(int argc, char **argv)
{
	static struct run run;
	const char *bad = host_check();
	int r;

	r = replay_options_parse(argc, argv, &run.options);
	if (r != 0)
		return r == 1 ? 0 : r;
	if (bad)
		return replay_options_problem("SWORN_WITHOUT has the unknown name ", bad);
	run.outcome.started_ns = report_now_ns();
	r = (int)attest_start(&run.options.attest);
	if (r == 0)
		r = open_report(&run);
	if (r != 0)
		return r;
	run.outcome.error = doubt_old_table(&run, run_replay(&run));
	r = conclude(&run);
	replayer_release(&run.replayer);
	replayer_release(&run.clerk);
	groups_release(run.groups);
	trust_release(&run.trust);
	return r;
}
