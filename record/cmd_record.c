#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../sandbox/host.h"
#include "../sandbox/random.h"
#include "../sandbox/register.h"
#include "../sandbox/tsc.h"
#include "../traces/digest.h"
#include "../traces/error.h"
#include "../traces/final.h"
#include "../traces/store.h"
#include "../traces/report.h"
#include "options.h"
#include "outside.h"
#include "record.h"
#include "recorder.h"
#include "report.h"
#include "signing.h"
#include "socket_time.h"
#include "view.h"

#define WARNINGS_MAX 64
#define TICK_US 50000

static volatile sig_atomic_t pending_signal;

static void warn_once(const char *what, const char *detail)
{
	static const char *seen[WARNINGS_MAX];

	for (size_t i = 0; i < WARNINGS_MAX; i++) {
		if (seen[i] == what)
			return;
		if (!seen[i]) {
			seen[i] = what;
			fprintf(stderr, "sworn: refused: %s (%s)\n", what, detail);
			return;
		}
	}
}

static void on_signal(int signal)
{
	if (signal != SIGALRM)
		pending_signal = signal;
}

/* The terminal's signals reach the guests by themselves; what is sent to the recorder alone is passed on. The ticker
 * interrupts waits, so that a call that turns out to sleep does not stop everything. */
static void own_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, note = { .sa_handler = on_signal };
	struct itimerval ticker = { { 0, TICK_US }, { 0, TICK_US } };

	sigaction(SIGINT, &note, NULL);
	sigaction(SIGQUIT, &note, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGTTOU, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	sigaction(SIGALRM, &note, NULL);
	sigaction(SIGTERM, &note, NULL);
	sigaction(SIGHUP, &note, NULL);
	setitimer(ITIMER_REAL, &ticker, NULL);
}

/* Once it asks the command to end; twice it ends every guest. The terminal asks the command itself, but not those that
 * it left behind in a session of their own. */
static void pass_signal(struct recorder *rec)
{
	static unsigned int asked;
	int signal = pending_signal;

	pending_signal = 0;
	if (!signal || ((signal == SIGINT || signal == SIGQUIT) && rec->command))
		return;
	if (asked++ == 0 && rec->command) {
		kill(rec->command->leader, signal);
		return;
	}
	for (const struct thread *t = rec->guests.first; t; t = t->next)
		kill(t->process->leader, SIGKILL);
}

static uint64_t own_affinity(void)
{
	cpu_set_t set;
	uint64_t bits = 0;

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	for (unsigned int i = 0; i < 64; i++)
		bits |= CPU_ISSET(i, &set) ? 1ULL << i : 0;
	return bits;
}

struct recording {
	struct record_options options;
	struct recorder recorder;
	struct random random, order, slices, pace;
	struct domain_report domain;
	char seed[SEED_BYTES_MAX], directory[PATH_BYTES_MAX], cpu[96];
	struct utsname host;
	int store_fd;
	char *path;
	uint8_t state[DIGEST_BYTES], outputs[2][DIGEST_BYTES];
	uint64_t events, bytes, started_ns, held_up_ns;
	enum stage stage;
	struct trace_info info;
	struct trace_summary summary;
	const char *assumptions[4 + VIEW_OUTSIDE_MAX], *exclusions[2];
	struct report_file report;
	struct signing signing;
};

/* The model, and which processor the guests run on: without --cpu CPUID tells them. */
static void describe_cpu(struct recording *recording, int cpu)
{
	char line[128], *name;
	FILE *file = fopen("/proc/cpuinfo", "re");
	const char *model = "unknown";

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "model name", 10) == 0 && (name = strchr(line, ':'))) {
			name[strcspn(name, "\n")] = '\0';
			model = name + 2;
			break;
		}
	}
	snprintf(recording->cpu, sizeof(recording->cpu), "%.80s #%d", model, cpu);
	if (file)
		fclose(file);
}

static void choose_seed(struct recording *recording)
{
	uint8_t bytes[32];

	if (recording->options.seed) {
		snprintf(recording->seed, sizeof(recording->seed), "%s", recording->options.seed);
		return;
	}
	randombytes_buf(bytes, sizeof(bytes));
	hex_encode(bytes, sizeof(bytes), recording->seed);
}

static int open_writer(struct recording *recording)
{
	struct signing *signing = &recording->signing;
	struct signer signer = { .key = tenant_key(&signing->file.tenant, KEY_RECORDER) };
	int r;

	recording->info = (struct trace_info){
		.table_version = SYSCALL_TABLE_VERSION,
		.seed = recording->seed,
		.argv = (const char *const *)recording->options.command,
		.directory = recording->directory,
		.clock_virtual = recording->options.clock_virtual,
		.schedule_seeded = recording->options.schedule_seeded,
		.epoch_ns = recording->options.clock_virtual ? recording->options.epoch_ns : 0,
		.host = recording->host.nodename,
		.os_release = recording->host.release,
		.operator_name = getenv("USER"),
		.tool = "sworn " SWORN_VERSION,
		.xcr0 = vector_components(),
		.cpu = recording->cpu,
	};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	recording->info.started_utc_ns = (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
	if (!recording->options.output) {
		recording->store_fd = store_open(signing_store(&recording->signing, &recording->options));
		if (recording->store_fd < 0)
			return recording->store_fd;
		r = store_claim(recording->store_fd, signing->file.tenant.id);
		if (r < 0)
			return r;
	}

	memcpy(signer.tenant, signing->file.tenant.id, sizeof(signer.tenant));
	r = writer_open_signed(recording->options.output, recording->store_fd, &recording->info,
			       signing->is_signed ? &signer : NULL, &recording->recorder.writer);
	signing_release(signing);
	return r;
}

/* The name of an open file or directory; false when there is none. */
static bool path_of(int fd, char *path, size_t size)
{
	char link[32];
	ssize_t n;

	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, size - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	return true;
}

/* Why what the guests were to see elsewhere, or not at all, could not be had. */
static void explain_places(const struct ambient_options *ambient, int error)
{
	if (error == -EXDEV && ambient->private_tmp)
		fputs("sworn record: with --private-tmp the command and the working directory must not lie in /tmp or "
		      "/var/tmp, which are empty then; add --workdir-as /work, and name a command that is elsewhere\n",
		      stderr);
	else if (ambient->substitutes)
		fputs("sworn record: --with needs namespaces of mounts, and OLD and NEW that are there and of one kind\n",
		      stderr);
	else if (ambient->workdir)
		fprintf(stderr,
			"sworn record: --workdir-as %s needs namespaces of mounts, and a directory of that name or "
			"none where its parent is /; try /work, as root or with user namespaces\n",
			ambient->workdir);
	else if (ambient->private_tmp)
		fputs("sworn record: --private-tmp needs namespaces of mounts; try it as root or with user namespaces\n",
		      stderr);
}

static int start(struct recording *recording)
{
	struct recorder *rec = &recording->recorder;
	static char store[PATH_BYTES_MAX], trace[PATH_BYTES_MAX];
	const char *hidden[SIGNING_HIDDEN_MAX + 2] = { NULL };
	struct ambient_options ambient = {
		.argv = recording->options.command,
		.environment = environ,
		.hidden = hidden,
		.allow_network = recording->options.allow_network,
		.as_root = rec->seeded,
		.placed = rec->seeded,
		.acknowledges = rec->seeded,
		.host_name = rec->seeded ? VIEW_HOST_NAME : NULL,
		.workdir = recording->options.workdir,
		.private_tmp = recording->options.private_tmp,
		.substitutes = recording->options.substitutes,
	};
	struct ambient_guest guest;
	int r;

	ambient.environment = view_environment(
		environ, &(struct view_places){ ambient.workdir, ambient.private_tmp },
		recording->options.variables);
	if (!ambient.environment)
		return -ENOMEM;

	if (path_of(recording->store_fd, store, sizeof(store)))
		hidden[0] = store;
	else if (path_of(writer_fd(rec->writer), trace, sizeof(trace)))
		hidden[0] = trace;
	signing_hide(&recording->signing, hidden);
	r = ambient_start(&ambient, &guest);
	if (r < 0 && r != -ENOENT && r != -EACCES && r != -ENOEXEC)
		explain_places(&ambient, r);
	if (r < 0)
		return r;
	if (guest.stays_unprivileged)
		fprintf(stderr,
			"sworn: %s is set-user-ID; it runs with your rights only while it is recorded\n",
			recording->options.command[0]);
	recording->domain = guest.report;
	rec->init = guest.init;
	rec->refuse_sockets = guest.refuse_sockets;
	rec->first = guest_first(&rec->guests, guest.tid, (uint32_t)guest.guest_pid);
	if (!rec->first)
		return -ENOMEM;
	record_thread_init(rec->first);
	if (!rec->first->record)
		return -ENOMEM;
	rec->command = rec->first->process;
	rec->command->ppid = guest.init ? 1 : (uint32_t)getpid();
	rec->first->stop_status = (PTRACE_EVENT_SECCOMP << 16) | (SIGTRAP << 8) | 0x7f;
	rec->current = rec->first;
	return 0;
}

static int write_end(struct recording *recording)
{
	struct recorder *rec = &recording->recorder;
	struct event end = { .kind = EVENT_END };
	struct final_input final = {
		.seed = recording->seed,
		.argv = (const char *const *)recording->options.command,
		.status = rec->command_status,
		.units_count = rec->guests.units_count,
	};
	uint8_t(*units)[DIGEST_BYTES] = calloc(rec->guests.units_count + 1U, DIGEST_BYTES);
	size_t i = 0;
	int r = units ? sinks_report(rec->sinks, &final.sinks, &final.sinks_count) : -ENOMEM;

	for (const struct unit *unit = rec->guests.units; r == 0 && unit; unit = unit->next)
		memcpy(units[i++], unit->final, DIGEST_BYTES);
	final.units = (const uint8_t(*)[DIGEST_BYTES])units;
	if (r == 0)
		r = final_state(&final, end.end.state);
	free(units);
	if (r < 0)
		return r;
	memcpy(recording->state, end.end.state, DIGEST_BYTES);
	for (i = 0; i < final.sinks_count && i < 2; i++)
		memcpy(recording->outputs[i], final.sinks[i].digest, DIGEST_BYTES);
	end.end.status = rec->command_status;
	end.end.units = rec->guests.units_count;
	end.end.threads = rec->guests.threads;
	end.end.sinks = final.sinks;
	end.end.sinks_count = final.sinks_count;
	return record_event(rec, &end);
}

static int run(struct recording *recording)
{
	struct recorder *rec = &recording->recorder;
	struct thread *thread;
	int status, r;

	while ((r = schedule_next(rec, &thread, &status)) > 0) {
		r = recorder_take(rec, thread, status);
		if (r < 0)
			break;
	}
	return r;
}

static int finish(struct recording *recording, int r)
{
	struct recorder *rec = &recording->recorder;
	size_t n = 0;

	recording->summary = (struct trace_summary){
		.requires_pmu = rec->pmu_used,
		.requires_cpu = rec->cpu ? cpu_model_name(rec->cpu) : NULL,
		.assumptions = recording->assumptions,
		.exclusions = recording->exclusions,
		.isolation = recording->domain.isolation,
		.complete = r == 0,
	};
	recording->exclusions[0] = "x87 instruction and data pointers";
	recording->assumptions[n] = record_text_assumption(rec);
	n += recording->assumptions[n] != NULL;
	if (rec->guests.units_count > 0 && !host_allows(HOST_PERSONALITY))
		recording->assumptions[n++] = "address space layout was randomised";
	if (rec->timed_cuts)
		recording->assumptions[n++] = "a turn ended where it was after a time: another recording may end it elsewhere";
	for (size_t i = 0; rec->view && i < rec->view->outside_count; i++)
		recording->assumptions[n++] = rec->view->outside[i];
	if (r == 0)
		r = write_end(recording);
	recording->events = writer_events(rec->writer);
	recording->bytes = writer_bytes(rec->writer);
	recording->held_up_ns = writer_held_up_ns(rec->writer);
	if (r == 0)
		recording->stage = STAGE_CLOSE;
	if (r < 0)
		writer_abandon(rec->writer);
	else
		r = writer_close(rec->writer, &recording->summary, &recording->path);
	rec->writer = NULL;
	return r;
}

/* Where the command works, as it sees that. */
static void tell_place(struct recording *recording)
{
	struct view *view = recording->recorder.view;
	const char *workdir = recording->options.workdir;

	if (!view)
		return;
	view->workdir = workdir ? workdir : recording->directory;
	view->moved = workdir != NULL;
}

/* Each of its own, so that drawing from one shifts no other. */
static void begin_streams(struct recording *recording)
{
	const char *order = recording->options.order ? recording->options.order : recording->seed;
	struct recorder *rec = &recording->recorder;

	random_init(&recording->random, recording->seed, "random");
	rec->random = &recording->random;
	random_init(&recording->order, order, "schedule");
	rec->order = &recording->order;
	/* Of its own, so that turns are the same with a counter and without until a slice is full. */
	random_init(&recording->slices, order, "slice");
	rec->slices = &recording->slices;
	random_init(&recording->pace, recording->seed, "clock");
	rec->pace = &recording->pace;
}

static int prepare(struct recording *recording)
{
	struct recorder *rec = &recording->recorder;
	struct sigaction too_large;
	struct rlimit files;
	bool pmu = strcmp(recording->options.preempt, "pmu") == 0;
	int r, lock, cpu;

	recording->store_fd = -1;
	if (!getcwd(recording->directory, sizeof(recording->directory)))
		recording->directory[0] = '\0';
	uname(&recording->host);
	choose_seed(recording);
	rec->virtual_clock = recording->options.clock_virtual;
	rec->seeded = recording->options.schedule_seeded;
	rec->chaos = recording->options.chaos;
	begin_streams(recording);
	outside_init(rec);
	rec->network = recording->options.allow_network;
	rec->epoch_ns = recording->options.epoch_ns;
	rec->view = rec->seeded ? view_new() : NULL;
	if (rec->seeded && !rec->view)
		return -ENOMEM;
	tell_place(recording);
	rec->checkpoint_interval = rec->next_checkpoint = recording->options.checkpoint_interval;
	rec->cpu = recording->options.cpu;
	rec->affinity = rec->seeded || rec->cpu ? 1 : own_affinity();
	rec->warn = warn_once;
	rec->interrupted = pass_signal;
	rec->one_cpu = host_pin(&lock, &cpu) == 0;
	/* Whom a call wakes does not take the processor from it before it is done: what a call does in several steps is seen whole. */
	if (rec->seeded)
		sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
	describe_cpu(recording, cpu);
	rec->sinks = sinks_new();
	if (!rec->sinks)
		return -ENOMEM;
	sinks_bind_standard(rec->sinks);
	r = arena_open(&rec->guests.arena);
	if (r < 0)
		return r;
	recording->stage = STAGE_TRACE;
	/* A file over its limit is an error like others; the command gets the signal as it was. */
	sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, &too_large);
	r = open_writer(recording);
	sigaction(SIGXFSZ, &too_large, NULL);
	if (r < 0)
		return r;
	recording->stage = STAGE_START;
	r = start(recording);
	/* Only now: guests start with the limits that the user gave. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	rec->use_counter = (pmu || (!rec->seeded && strcmp(recording->options.preempt, "calls") != 0)) &&
			   counter_usable();
	if (r == 0 && !rec->use_counter && pmu) {
		recording->stage = STAGE_COUNTER;
		return SWORN_EHOST;
	}
	own_signals();
	tsc_give_up();
	return r;
}

/* What can be said of the trace only by reading it again. */
static void fill_trace(const struct recording *recording, struct report_trace *trace)
{
	int fd = recording->path ? open(recording->path, O_RDONLY | O_CLOEXEC) : -1;

	trace->path = recording->path;
	trace->bytes = recording->bytes;
	if (fd < 0)
		return;
	report_digest(fd, trace->digest, &trace->bytes);
	report_seal(fd, trace->seal);
	close(fd);
}

/* `reason` NULL: all went well. */
static int write_report(const struct recording *recording, const struct ending *ending, const char *reason)
{
	const struct recorder *rec = &recording->recorder;
	struct report report = {
		.kind = "record",
		.status = ending ? ending_status(ending) : "unfinished",
		.info = recording->info.argv ? &recording->info : NULL,
		.summary = recording->summary.isolation ? &recording->summary : NULL,
		.events = recording->events,
		.units = rec->guests.units_count,
		.isolation = recording->domain.isolation[0] ? recording->domain.isolation : NULL,
		.verdict = !ending		? "unfinished"
			   : ending->error == 0 ? "recorded"
						: "failed",
		.code = ending ? ending_code(ending) : RECORD_FAILED,
		.checked_of = recording->events,
		.reason = reason,
	};
	char *text;
	size_t length;
	int r;

	if (recording->report.fd < 0 || (!ending && !recording->report.is_file))
		return 0;
	if (ending && ending->error == 0) {
		report.ended = true;
		report.exit = ending->wait_status;
		memcpy(report.state, recording->state, DIGEST_BYTES);
		memcpy(report.outputs, recording->outputs, sizeof(report.outputs));
	}
	fill_trace(recording, &report.trace);
	if (recording->path && recording->signing.is_signed) {
		report.trace.is_signed = true;
		report.trace.trust = trust_state_text(TRUST_OK);
		report.trace.signer = recording->signing.file.tenant.name;
		report.trace.signed_events = recording->events;
		memcpy(report.trace.kid,
		       tenant_key(&recording->signing.file.tenant, KEY_RECORDER)->id, DIGEST_BYTES);
	} else if (recording->path) {
		report.trace.trust = trust_state_text(TRUST_UNSIGNED);
	}
	memcpy(report.tenant, recording->signing.file.tenant.id, sizeof(report.tenant));
	report_usage(&report, recording->started_ns, RUSAGE_SELF);
	report.bytes = report.trace.bytes;
	r = report_format(&report, &text, &length);
	if (r < 0)
		return r;
	r = report_write(&recording->report, text, length);
	free(text);
	return r;
}

/* The report says already what holds if this process does not live to say more. 0 or an exit code. */
static int open_report(struct recording *recording)
{
	int r = report_open(recording->options.report, &recording->report);

	if (r == 0)
		r = write_report(recording, NULL, "the recorder was ended before the command was");
	if (r == 0)
		return 0;
	fprintf(stderr,
		"sworn record: the report %s cannot be written: %s; name another file with --report\n",
		recording->options.report, error_text(r));
	return RECORD_USAGE;
}

static int record(struct recording *recording)
{
	int r = prepare(recording);

	if (r == 0) {
		recording->stage = STAGE_RUN;
		return finish(recording, run(recording));
	}
	if (recording->recorder.writer)
		writer_abandon(recording->recorder.writer);
	recording->recorder.writer = NULL;
	return r;
}

/* Says how it came out and gives the exit code. */
static int conclude(const struct recording *recording, int error)
{
	struct ending ending = {
		.stage = recording->stage,
		.error = error,
		.command = recording->options.command[0],
		.output = recording->options.output,
		.tenant = recording->signing.store[0] ? recording->signing.file.tenant.name : NULL,
		.path = recording->path,
		.detail = recording->stage == STAGE_KEYS ? recording->signing.keystore.reason
							 : recording->recorder.status,
		.events = recording->events,
		.held_up_ns = recording->held_up_ns,
		.wait_status = recording->recorder.command_status,
	};
	char text[PATH_BYTES_MAX + 512];
	int r;

	ending_describe(&ending, text, sizeof(text));
	fprintf(stderr, "%s\n", text);
	r = write_report(recording, &ending, error ? text : NULL);
	if (r == 0)
		return ending_code(&ending);
	fprintf(stderr, "sworn record: the report %s cannot be written: %s; the trace is not affected\n",
		recording->options.report, error_text(r));
	return error ? ending_code(&ending) : RECORD_FAILED;
}

static bool cpu_is_possible(const struct cpu_model *model)
{
	const char *missing = cpu_model_missing(model);

	if (missing)
		fprintf(stderr,
			"sworn record: this processor lacks %s, which %s has; choose a lower level with --cpu, or --cpu host\n",
			missing, cpu_model_name(model));
	return !missing;
}

int cmd_record(int argc, char **argv)
{
	static struct recording recording;
	const char *bad = host_check();
	int r = options_parse(argc, argv, &recording.options);

	if (r != 0)
		return r;
	if (bad)
		return options_problem("SWORN_WITHOUT has the unknown name ", bad);
	if (recording.options.cpu && !cpu_is_possible(recording.options.cpu))
		return RECORD_USAGE;
	recording.started_ns = report_now_ns();
	r = open_report(&recording);
	if (r != 0)
		return r;
	r = sodium_init() < 0 ? -ENOMEM : signing_prepare(&recording.options, &recording.signing);
	if (r < 0)
		recording.stage = STAGE_KEYS;
	else
		r = record(&recording);
	if (r == 0)
		guests_release(&recording.recorder.guests);
	socket_time_release(&recording.recorder);
	return conclude(&recording, r);
}
