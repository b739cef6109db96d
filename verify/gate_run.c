#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../traces/blob.h"
#include "gate.h"
#include "gate_rerun.h"

enum gate_code gate_worse(enum gate_code a, enum gate_code b)
{
	static const enum gate_code order[] = { GATE_USAGE,   GATE_INTEGRITY, GATE_FAILED,
						GATE_UNKNOWN, GATE_NOTHING,   GATE_OK };
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return GATE_UNKNOWN;
}

/* Whoever runs the gate can run this to see one trace alone. */
static char *reproduce(const struct gate *gate, const char *path)
{
	struct gate_options one = gate->options;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	if (!out)
		return NULL;
	fputs("sworn gate run --mode ", out);
	fputs(one.mode == GATE_RERUN ? "rerun" : "replay", out);
	for (size_t i = 0; one.with[i]; i++) {
		fputs(" --with ", out);
		gate_word(out, one.with[i]);
	}
	for (size_t i = 0; one.tenants[i]; i++) {
		fputs(" --tenant ", out);
		gate_word(out, one.tenants[i]);
	}
	for (size_t i = 0; one.allow[i]; i++) {
		fputc(' ', out);
		gate_word(out, one.allow[i]);
	}
	if (one.passphrase_file) {
		fputs(" --passphrase-file ", out);
		gate_word(out, one.passphrase_file);
	}
	if (one.repeat > 1)
		fprintf(out, " --repeat %u", one.repeat);
	if (one.store) {
		fputs(" --store ", out);
		gate_word(out, one.store);
	}
	fputc(' ', out);
	gate_word(out, path);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* In the worker: everything about one trace, written as one JSON object. */
static int work(const struct gate *gate, const struct gate_item *item)
{
	static struct gate_result result;
	uint64_t start_ns = report_now_ns();
	char *text = NULL;
	size_t length;
	struct json json = { .out = open_memstream(&text, &length) };
	int r;
	if (!json.out)
		return -ENOMEM;
	result.path = item->path;
	result.item = item;
	if (item->problem)
		gate_decide(&result, "refused", item->code, "%s", item->problem);
	else if (gate->options.mode == GATE_RERUN)
		gate_rerun(gate, (size_t)(item - gate->items), &result);
	else
		gate_replay(gate, &result);
	result.reproduce = reproduce(gate, item->path);
	result.wall_ns = report_now_ns() - start_ns;
	gate_result_json(&json, gate, &result);
	r = fclose(json.out) != 0 ? -ENOMEM : write_all(item->answer, text, length);
	free(text);
	gate_result_release(&result);
	return r;
}

static int start_worker(struct gate *gate, struct gate_item *item)
{
	pid_t gate_pid = getpid();
	item->answer = gate_file("result");
	if (item->answer < 0)
		return item->answer;
	item->worker = fork();
	if (item->worker == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != gate_pid)
			_exit(1);
		_exit(work(gate, item) < 0);
	}
	if (item->worker > 0)
		item->watch = (int)syscall(SYS_pidfd_open, item->worker, 0);
	if (item->worker > 0 && item->watch >= 0)
		return 0;
	int r = -errno;
	if (item->worker > 0) {
		kill(item->worker, SIGKILL);
		waitpid(item->worker, NULL, 0);
	}
	item->worker = 0;
	close(item->answer);
	return r;
}

/* A worker that said nothing leaves the question of its trace open. */
static struct value *own_result(const struct gate *gate, const char *path, const char *reason)
{
	struct gate_result result = { .path = path };
	struct value *value = NULL;
	char *text = NULL;
	size_t length;
	struct json json = { .out = open_memstream(&text, &length) };
	if (!json.out)
		return NULL;
	gate_decide(&result, "incomplete", GATE_UNKNOWN, "%s", reason);
	gate_result_json(&json, gate, &result);
	if (fclose(json.out) != 0 || document_parse(text, length, &value) < 0)
		value = NULL;
	free(text);
	gate_result_release(&result);
	return value;
}

static void conclude(const struct gate *gate, struct gate_item *item, const char *problem)
{
	if (!item->result)
		item->result = own_result(gate, item->path, problem);
	item->code = item->result ? (enum gate_code)value_number(item->result, "code") : GATE_UNKNOWN;
	/* A number that is none of ours would count as the best one. */
	item->code = gate_worse(item->code, item->code);
}

static void collect(const struct gate *gate, struct gate_item *item)
{
	char problem[96], *text;
	size_t length;
	int status = 0;
	while (waitpid(item->worker, &status, 0) < 0 && errno == EINTR)
		continue;
	item->worker = 0;
	close(item->watch);
	text = gate_file_text(item->answer, &length);
	if (!text || length == 0 || status != 0 || document_parse(text, length, &item->result) < 0)
		item->result = NULL;
	snprintf(problem, sizeof(problem), "the worker ended without a result (wait status 0x%x)",
		 (unsigned int)status);
	conclude(gate, item, problem);
	free(text);
	close(item->answer);
}

static void show_progress(const struct gate *gate, size_t done)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Ksworn gate: %zu of %zu traces", done, gate->count);
}

/* Waits until one of the workers ends and takes what it found. */
static size_t wait_some(struct gate *gate, size_t first, size_t next)
{
	struct pollfd polls[GATE_WORKERS_MAX];
	struct gate_item *items[GATE_WORKERS_MAX];
	size_t busy = 0, done = 0;
	for (size_t i = first; i < next && busy < GATE_WORKERS_MAX; i++) {
		if (!gate->items[i].worker)
			continue;
		items[busy] = &gate->items[i];
		polls[busy++] = (struct pollfd){ .fd = gate->items[i].watch, .events = POLLIN };
	}
	if (poll(polls, busy, -1) < 0)
		return 0;
	for (size_t i = 0; i < busy; i++) {
		if (!polls[i].revents)
			continue;
		collect(gate, items[i]);
		done++;
	}
	return done;
}

bool gate_with_used(const struct gate *gate, size_t with)
{
	for (size_t i = 0; i < gate->count; i++)
		for (const struct value *used = value_list(gate->items[i].result, "with_used");
		     used; used = used->next)
			if (used->kind == VALUE_TEXT && !strcmp(used->text, gate->options.with[with]))
				return true;
	return false;
}

int gate_run(struct gate *gate)
{
	enum gate_code code = gate->count ? GATE_OK : GATE_NOTHING;
	uint64_t start_ns = report_now_ns();
	size_t first = 0, next = 0, done = 0;
	unsigned int busy = 0;
	while (done < gate->count) {
		while (busy < gate->options.workers && next < gate->count) {
			struct gate_item *item = &gate->items[next++];
			int r = start_worker(gate, item);
			if (r == 0) {
				busy++;
				continue;
			}
			conclude(gate, item, "no worker could be started: free memory or processes");
			done++;
		}
		show_progress(gate, done);
		if (busy > 0) {
			size_t ended = wait_some(gate, first, next);
			busy -= (unsigned int)ended;
			done += ended;
		}
		while (first < next && !gate->items[first].worker)
			first++;
	}
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	for (size_t i = 0; i < gate->count; i++)
		code = gate_worse(code, gate->items[i].code);
	for (size_t i = 0; gate->count && gate->options.with[i]; i++)
		if (!gate_with_used(gate, i))
			code = gate_worse(code, GATE_NOTHING);
	gate->wall_ns = report_now_ns() - start_ns;
	return (int)code;
}
