#include "audit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "../traces/syscall.h"

const char *audit_program_name(const struct history *history, uint32_t process, uint64_t event)
{
	uint32_t program = process ? history->processes[process - 1].program : 0;
	while (program && history->programs[program - 1].event > event &&
	       history->programs[program - 1].previous)
		program = history->programs[program - 1].previous;
	const char *path = program ? history->programs[program - 1].path : "?";
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

static void put_signal(struct out *out, int number)
{
	const char *name = sigabbrev_np(number);
	if (name)
		out_format(out, "SIG%s", name);
	else
		out_format(out, "signal %d", number);
}

void audit_put_status(struct out *out, uint32_t status)
{
	if (WIFSIGNALED((int)status)) {
		out_text(out, "killed by ");
		put_signal(out, WTERMSIG((int)status));
	} else {
		out_format(out, "exit %d", WEXITSTATUS((int)status));
	}
}

void audit_member_status(struct out *out, bool gone, uint32_t status)
{
	if (!gone) {
		out_member_text(out, "exit", NULL);
		return;
	}
	out_open(out, "exit", '{');
	if (WIFSIGNALED((int)status))
		out_member_int(out, "signal", WTERMSIG((int)status));
	else
		out_member_int(out, "code", WEXITSTATUS((int)status));
	out_shut(out, '}');
}

void audit_put_process(struct audit *audit, uint32_t process, uint64_t event)
{
	if (!process) {
		out_text(&audit->out, "outside");
		return;
	}
	out_uint(&audit->out, audit->history->processes[process - 1].pid);
	out_char(&audit->out, ' ');
	out_name(&audit->out, audit_program_name(audit->history, process, event));
}

void audit_member_process(struct audit *audit, const char *key, uint32_t process)
{
	if (process)
		out_member_uint(&audit->out, key, audit->history->processes[process - 1].pid);
	else
		out_member_text(&audit->out, key, NULL);
}

void audit_put_arguments(struct out *out, const struct history_strings *strings)
{
	const char *at = strings->bytes;
	for (uint32_t i = 0; i < strings->count; i++, at += strlen(at) + 1) {
		if (i > 0)
			out_char(out, ' ');
		out_name(out, at);
	}
}

void audit_member_strings(struct out *out, const char *key, const struct history_strings *strings)
{
	const char *at = strings->bytes;
	if (!at) {
		out_member_text(out, key, NULL);
		return;
	}
	out_open(out, key, '[');
	for (uint32_t i = 0; i < strings->count; i++, at += strlen(at) + 1)
		out_member_text(out, NULL, at);
	out_shut(out, ']');
}

static bool is_asked(const struct audit *audit, uint32_t process)
{
	return !audit->options.pid ||
	       (process && audit->history->processes[process - 1].pid == audit->options.pid);
}

/* Children and programs are found through lists, so that a wide tree costs no more than a deep one. */
struct tree {
	uint32_t *first, *next; /* by process: its first child, its next sibling */
	uint32_t *program,
		*next_program; /* by process: its first exec; by program: the next of its process */
};

static void tree_release(struct tree *tree)
{
	free(tree->first);
	free(tree->next);
	free(tree->program);
	free(tree->next_program);
}

static bool tree_init(const struct history *history, struct tree *tree)
{
	size_t processes = history->processes_count + 1;
	tree->first = calloc(processes, sizeof(*tree->first));
	tree->next = calloc(processes, sizeof(*tree->next));
	tree->program = calloc(processes, sizeof(*tree->program));
	tree->next_program = calloc(history->programs_count + 1, sizeof(*tree->next_program));
	if (!tree->first || !tree->next || !tree->program || !tree->next_program)
		return false;
	for (uint32_t i = (uint32_t)history->processes_count; i > 0; i--) {
		uint32_t parent = history->processes[i - 1].parent;
		tree->next[i] = tree->first[parent];
		tree->first[parent] = i;
	}
	for (uint32_t i = (uint32_t)history->programs_count; i > 0; i--) {
		uint32_t process = history->programs[i - 1].process;
		tree->next_program[i] = tree->program[process];
		tree->program[process] = i;
	}
	return true;
}

static void ps_json(struct audit *audit, const struct tree *tree, uint32_t number)
{
	const struct history *history = audit->history;
	const struct history_process *process = &history->processes[number - 1];
	struct out *out = &audit->out;
	out_line(out, "process");
	out_member_uint(out, "process", number);
	out_member_uint(out, "pid", process->pid);
	audit_member_process(audit, "parent_pid", process->parent);
	out_member_uint(out, "parent", process->parent);
	out_member_uint(out, "start", process->start);
	out_member_event(out, "end", process->end);
	audit_member_status(out, process->gone, process->status);
	out_member_uint(out, "threads", process->threads);
	out_member_uint(out, "calls", process->calls);
	out_open(out, "programs", '[');
	for (uint32_t i = tree->program[number]; i; i = tree->next_program[i]) {
		const struct history_program *program = &history->programs[i - 1];
		out_open(out, NULL, '{');
		out_member_uint(out, "event", program->event);
		out_member_text(out, "path", program->path);
		out_member_digest(out, "digest", program->digest);
		audit_member_strings(out, "argv", &program->arguments);
		out_shut(out, '}');
	}
	out_shut(out, ']');
	out_end(out);
}

static void indent(struct out *out, unsigned int depth)
{
	out_line(out, NULL);
	for (unsigned int i = 0; i < depth && i < 64; i++)
		out_text(out, "  ");
}

static void put_program(struct out *out, const struct history_program *program)
{
	out_text(out, "  [event ");
	out_uint(out, program->event);
	out_char(out, ' ');
	out_name(out, program->path);
	out_char(out, ' ');
	out_digest(out, program->digest);
	out_char(out, ']');
}

/* A line for the process with the first program of its own, and one for each that took its place. */
static void ps_text(struct audit *audit, const struct tree *tree, uint32_t number, unsigned int depth)
{
	const struct history *history = audit->history;
	const struct history_process *process = &history->processes[number - 1];
	uint32_t at = tree->program[number];
	struct out *out = &audit->out;
	indent(out, depth);
	out_uint(out, process->pid);
	out_text(out, at ? " " : " fork of ");
	if (at)
		audit_put_arguments(out, &history->programs[at - 1].arguments);
	else
		out_name(out, audit_program_name(history, number, process->start));
	out_format(out, "  %llu-", (unsigned long long)process->start);
	if (process->gone)
		out_uint(out, process->end);
	out_text(out, ", ");
	if (process->gone)
		audit_put_status(out, process->status);
	else
		out_text(out, "no end in the trace");
	if (process->threads > 1)
		out_format(out, ", %u threads", process->threads);
	if (at)
		put_program(out, &history->programs[at - 1]);
	out_end(out);
	for (at = at ? tree->next_program[at] : 0; at; at = tree->next_program[at]) {
		indent(out, depth);
		out_text(out, "= ");
		audit_put_arguments(out, &history->programs[at - 1].arguments);
		put_program(out, &history->programs[at - 1]);
		out_end(out);
	}
}

/* Depth first, without recursion: a chain of forks may be as long as it likes. */
static void ps_walk(struct audit *audit, const struct tree *tree)
{
	uint32_t at = tree->first[0];
	unsigned int depth = 0;
	while (at) {
		if (is_asked(audit, at))
			ps_text(audit, tree, at, depth);
		if (tree->first[at]) {
			at = tree->first[at];
			depth++;
			continue;
		}
		while (at && !tree->next[at]) {
			at = audit->history->processes[at - 1].parent;
			depth -= depth > 0;
		}
		at = at ? tree->next[at] : 0;
	}
}

int audit_ps(struct audit *audit)
{
	struct tree tree = { 0 };
	uint64_t before = audit->out.lines;
	bool ok = tree_init(audit->history, &tree);
	for (uint32_t i = 1; ok && audit->options.json && i <= audit->history->processes_count; i++)
		if (is_asked(audit, i))
			ps_json(audit, &tree, i);
	if (ok && !audit->options.json)
		ps_walk(audit, &tree);
	tree_release(&tree);
	if (!ok)
		return audit_fail(audit, VERIFY_UNKNOWN, "memory is short; free some and ask again");
	if (audit->out.lines == before && audit->options.pid)
		return audit_fail(audit, VERIFY_NOTHING,
				  "no process %u; `sworn audit ps TRACE` lists them",
				  audit->options.pid);
	return VERIFY_OK;
}

int audit_exec(struct audit *audit)
{
	struct out *out = &audit->out;
	for (size_t i = 0; i < audit->history->programs_count; i++) {
		const struct history_program *program = &audit->history->programs[i];
		if (!is_asked(audit, program->process))
			continue;
		out_line(out, "exec");
		if (out->json) {
			out_member_uint(out, "event", program->event);
			out_member_uint(out, "unit", program->unit);
			audit_member_process(audit, "pid", program->process);
			out_member_text(out, "path", program->path);
			out_member_digest(out, "digest", program->digest);
			out_member_text(out, "directory", program->directory);
			audit_member_strings(out, "argv", &program->arguments);
		} else {
			out_format(out, "%llu pid %u ", (unsigned long long)program->event,
				   audit->history->processes[program->process - 1].pid);
			out_name(out, program->path);
			out_char(out, ' ');
			out_digest(out, program->digest);
			out_text(out, " in ");
			out_name(out, program->directory);
			out_text(out, ": ");
			audit_put_arguments(out, &program->arguments);
		}
		out_end(out);
	}
	return VERIFY_OK;
}

/* The variable's text in a list, or NULL. */
static const char *variable(const struct history_strings *strings, const char *name, size_t length)
{
	const char *at = strings->bytes;
	for (uint32_t i = 0; i < strings->count; i++, at += strlen(at) + 1)
		if (strncmp(at, name, length) == 0 && (at[length] == '=' || at[length] == '\0'))
			return at;
	return NULL;
}

static void put_variable(struct audit *audit, const struct history_program *program,
			 const char *change, const char *text)
{
	struct out *out = &audit->out;
	out_line(out, "env");
	if (out->json) {
		out_member_uint(out, "event", program->event);
		audit_member_process(audit, "pid", program->process);
		out_member_text(out, "program", program->path);
		out_member_text(out, "change",
				change[0] == '+'   ? "set"
				: change[0] == '-' ? "unset"
						   : "kept");
		out_member_text(out, "variable", text);
	} else {
		out_format(out, "%llu pid ", (unsigned long long)program->event);
		audit_put_process(audit, program->process, program->event);
		out_format(out, " %s ", change);
		out_name(out, text);
	}
	out_end(out);
}

/* What an exec changed in the environment of the one that made it; of the first program, everything. */
static void env_changes(struct audit *audit, const struct history_program *program, const char *wanted)
{
	static const struct history_strings none = { 0 };
	const struct history_strings
		*before = program->previous
				  ? &audit->history->programs[program->previous - 1].environment
				  : &none;
	const char *at = program->environment.bytes;
	for (uint32_t i = 0; i < program->environment.count; i++, at += strlen(at) + 1) {
		size_t length = strcspn(at, "=");
		if (wanted && (strlen(wanted) != length || strncmp(wanted, at, length) != 0))
			continue;
		const char *old = before->bytes == program->environment.bytes
					  ? at
					  : variable(before, at, length);
		if (!old || strcmp(old, at) != 0)
			put_variable(audit, program, "+", at);
		else if (wanted || audit->options.all)
			put_variable(audit, program, "=", at);
	}
	at = before->bytes;
	for (uint32_t i = 0; i < before->count && before->bytes != program->environment.bytes;
	     i++, at += strlen(at) + 1) {
		size_t length = strcspn(at, "=");
		if (wanted && (strlen(wanted) != length || strncmp(wanted, at, length) != 0))
			continue;
		if (!variable(&program->environment, at, length))
			put_variable(audit, program, "-", at);
	}
}

static int no_variable(struct audit *audit, const char *wanted)
{
	const struct history_strings *list = &audit->history->programs[0].environment;
	const char *at = list->bytes, *nearest = NULL;
	char names[2][100], name[100];
	unsigned int best = UINT32_MAX;
	for (uint32_t i = 0; i < list->count; i++, at += strlen(at) + 1) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, "="), at);
		if (audit_distance(wanted, name) < best) {
			best = audit_distance(wanted, name);
			nearest = at;
		}
	}
	snprintf(name, sizeof(name), "%.*s", nearest ? (int)strcspn(nearest, "=") : 0,
		 nearest ? nearest : "");
	return audit_fail(audit, VERIFY_NOTHING,
			  "no program had a variable %s; the nearest is %s, "
			  "`sworn audit env TRACE` lists them",
			  audit_quote(wanted, names[0], sizeof(names[0])),
			  audit_quote(name, names[1], sizeof(names[1])));
}

int audit_env(struct audit *audit)
{
	const char *wanted = audit->arguments_count > 0 ? audit->arguments[0] : NULL;
	uint64_t before = audit->out.lines;
	for (size_t i = 0; i < audit->history->programs_count; i++)
		if (is_asked(audit, audit->history->programs[i].process))
			env_changes(audit, &audit->history->programs[i], wanted);
	if (wanted && audit->out.lines == before && audit->history->programs_count > 0)
		return no_variable(audit, wanted);
	return VERIFY_OK;
}

static void put_signal_line(struct audit *audit, const struct history_signal *signal)
{
	static const char *const words[] = { "?", "sends", "handles", "is killed by" };
	struct out *out = &audit->out;
	out_format(out, "%llu pid ", (unsigned long long)signal->event);
	audit_put_process(audit, signal->process, signal->event);
	out_format(out, " %s ", words[signal->kind]);
	put_signal(out, (int)signal->number);
	if (signal->kind == SIGNAL_SENT) {
		out_format(out, " to %d", signal->target);
		if (signal->result < 0)
			out_format(out, ": %s", strerrorname_np((int)-signal->result));
		return;
	}
	if (signal->sender)
		out_format(out, " from %u", signal->sender);
	if (signal->address) {
		out_text(out, " at ");
		out_hex(out, signal->address);
	}
	out_format(out, " (code %d)", signal->code);
}

int audit_signals(struct audit *audit)
{
	static const char *const kinds[] = { "?", "sent", "handled", "fatal" };
	struct out *out = &audit->out;
	for (size_t i = 0; i < audit->history->signals_count; i++) {
		const struct history_signal *signal = &audit->history->signals[i];
		if (!is_asked(audit, signal->process))
			continue;
		out_line(out, "signal");
		if (!out->json) {
			put_signal_line(audit, signal);
			out_end(out);
			continue;
		}
		out_member_uint(out, "event", signal->event);
		out_member_text(out, "what", kinds[signal->kind]);
		audit_member_process(audit, "pid", signal->process);
		out_member_uint(out, "thread", signal->thread);
		out_member_uint(out, "signal", signal->number);
		out_member_text(out, "name", sigabbrev_np((int)signal->number));
		if (signal->kind == SIGNAL_SENT) {
			out_member_int(out, "target", signal->target);
			out_member_int(out, "result", signal->result);
		} else {
			out_member_int(out, "code", signal->code);
			out_member_uint(out, "sender", signal->sender);
			out_member_uint(out, "address", signal->address);
		}
		out_end(out);
	}
	return VERIFY_OK;
}
