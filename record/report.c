#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../traces/error.h"

#define WORTH_SAYING_NS UINT64_C(1000000000)

struct cause {
	int error;
	const char *status, *advice;
};

/* What ended a command that ran. The last row is for everything else. */
static const struct cause causes[] = {
	{ SWORN_ENEEDSPMU, "needs_pmu",
	  "a thread waits for another by computing; record it on a host with hardware counters that this user may use "
	  "(sysctl kernel.perf_event_paranoid=2), with --schedule seeded --preempt pmu or with --schedule observed" },
	{ -ENOSPC, "disk_full", "free space there, or name another place with -o or --store" },
	{ -EDQUOT, "disk_full", "free some of your quota, or name another place with -o or --store" },
	{ -EFBIG, "disk_full",
	  "raise the file size limit (ulimit -f), or name another place with -o or --store" },
	{ SWORN_EDEADLOCK, "deadlock", "run the command without sworn to see whether it hangs there too" },
	{ SWORN_EREFUSED, "refused",
	  "the command needs something that cannot be recorded; leave it out of the run" },
	{ SWORN_EHOST, "failed", "record on another host" },
	{ -ENOMEM, "memory", "record with more memory" },
	{ 0, "failed", "record it again; strace -f shows what the command does there" },
};

static const struct cause *find_cause(int error)
{
	const struct cause *cause = causes;

	while (cause->error && cause->error != error)
		cause++;
	return cause;
}

static bool is_not_executable(int error)
{
	return error == -EACCES || error == -ENOEXEC || error == -EISDIR || error == -ENOTDIR;
}

const char *ending_status(const struct ending *ending)
{
	if (ending->error == 0)
		return "ok";
	switch (ending->stage) {
	case STAGE_SETUP:
	case STAGE_KEYS: return "setup";
	case STAGE_TRACE:
		return strcmp(find_cause(ending->error)->status, "disk_full") ? "setup" : "disk_full";
	case STAGE_START:
		return ending->error == -ENOENT		  ? "not_found"
		       : is_not_executable(ending->error) ? "not_executable"
							  : "setup";
	case STAGE_COUNTER: return "needs_pmu";
	case STAGE_RUN:
	case STAGE_CLOSE: break;
	}
	return find_cause(ending->error)->status;
}

int ending_code(const struct ending *ending)
{
	int status = (int)ending->wait_status;

	if (ending->error == 0)
		return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (ending->stage == STAGE_START && ending->error == -ENOENT)
		return RECORD_NOT_FOUND;
	if (ending->stage == STAGE_START && is_not_executable(ending->error))
		return RECORD_NOT_EXECUTABLE;
	return RECORD_FAILED;
}

static void describe_start(const struct ending *ending, char *text, size_t size)
{
	const char *error = error_text(ending->error);

	if (ending->error == -ENOENT && strchr(ending->command, '/') &&
	    access(ending->command, F_OK) == 0)
		snprintf(text, size,
			 "sworn record: %s: its interpreter is not found; check its first line, or `file %s`",
			 ending->command, ending->command);
	else if (ending->error == -ENOENT)
		snprintf(text, size, "sworn record: %s: not found; check the name and PATH",
			 ending->command);
	else if (ending->error == -ENOEXEC)
		snprintf(text, size,
			 "sworn record: %s: cannot be executed: %s; it has to be a program of 64 bits for this "
			 "processor, or a script: see `file %s`",
			 ending->command, error, ending->command);
	else if (is_not_executable(ending->error))
		snprintf(text, size,
			 "sworn record: %s: cannot be executed: %s; check its permissions and format",
			 ending->command, error);
	else
		snprintf(text, size,
			 "sworn record: %s: cannot be started here: %s; `sworn doctor` says what this host lacks; "
			 "free memory and descriptors",
			 ending->command, error);
}

static void describe_run(const struct ending *ending, char *text, size_t size)
{
	const struct cause *cause = find_cause(ending->error);

	int n = snprintf(text, size,
			 "sworn record: %s: recording ended at event %" PRIu64 ": %s%s%s (%s); %s",
			 ending->command, ending->events, error_text(ending->error),
			 ending->detail ? ": " : "", ending->detail ? ending->detail : "",
			 cause->status, cause->advice);

	if (ending->output && n > 0 && (size_t)n < size)
		snprintf(text + n, size - (size_t)n, "; the events so far are in %s.partial",
			 ending->output);
}

static void describe_close(const struct ending *ending, char *text, size_t size)
{
	const struct cause *cause = find_cause(ending->error);
	bool disk_full = !strcmp(cause->status, "disk_full");

	snprintf(text, size,
		 "sworn record: %s: ended, but its trace could not be completed: %s (%s); %s; what there is of it "
		 "is in %s%s",
		 ending->command, error_text(ending->error), cause->status,
		 disk_full ? cause->advice : "check the disk and the permissions there",
		 ending->output ? ending->output : "the store's traces",
		 ending->output ? ".partial, or there already" : "");
}

static void describe_success(const struct ending *ending, char *text, size_t size)
{
	int n = snprintf(text, size,
			 "sworn: %" PRIu64 " events in %s; to repeat the run: sworn replay%s%s",
			 ending->events, ending->path,
			 ending->output	  ? " "
			 : ending->tenant ? " --tenant "
					  : "",
			 ending->output	  ? ending->path
			 : ending->tenant ? ending->tenant
					  : "");

	if (ending->held_up_ns >= WORTH_SAYING_NS && n > 0 && (size_t)n < size)
		snprintf(text + n, size - (size_t)n,
			 "\nsworn: the command waited %.1f s for its trace to be written; a faster disk for "
			 "%s would save that",
			 (double)ending->held_up_ns / 1e9, ending->output ? "-o" : "the store");
}

void ending_describe(const struct ending *ending, char *ret_text, size_t size)
{
	const char *error = error_text(ending->error);

	if (ending->error == 0) {
		describe_success(ending, ret_text, size);
		return;
	}
	switch (ending->stage) {
	case STAGE_SETUP:
		snprintf(ret_text, size,
			 "sworn record: nothing could be set up: %s; free memory and descriptors",
			 error);
		return;
	case STAGE_KEYS:
		snprintf(ret_text, size,
			 "sworn record: nothing was recorded, because it could not be signed: %s",
			 ending->detail && ending->detail[0] ? ending->detail : error);
		return;
	case STAGE_TRACE:
		snprintf(ret_text, size,
			 "sworn record: %s: no trace can be written there: %s; name another place with %s",
			 ending->output ? ending->output : "the store", error,
			 ending->output ? "-o" : "--store or -o");
		return;
	case STAGE_START: describe_start(ending, ret_text, size); return;
	case STAGE_COUNTER:
		snprintf(ret_text, size,
			 "sworn record: %s: --preempt pmu needs hardware counters, which this host or user "
			 "lacks (needs_pmu); record with --preempt auto or calls",
			 ending->command);
		return;
	case STAGE_RUN: describe_run(ending, ret_text, size); return;
	case STAGE_CLOSE: describe_close(ending, ret_text, size); return;
	}
}
