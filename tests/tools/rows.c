/*
 * Without arguments: the name of every row that a guest may call, one per line.
 * With traces: the names of the rows that their guests called with success; a call that came back
 * because of a signal has done what it is there for.
 */
#include "../../traces/event.h"
#include "../../traces/reader.h"
#include "../../traces/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NR_EXIT 60
#define NR_EXIT_GROUP 231
#define ERRNO_MAX 4095

static void print_callable(const struct row *row)
{
	/* A fallback means that only what is listed can be called. */
	if (row->treatment != TREAT_REFUSE && !row->fallback)
		printf("%s\n", row->name);
	for (size_t i = 0; i < row->sub_count; i++) {
		if (row->sub[i].treatment != TREAT_REFUSE)
			printf("%s\n", row->sub[i].name);
	}
}

static bool succeeded(const struct event *event)
{
	return event->result >= 0 || event->result < -ERRNO_MAX || event->result == -EINTR;
}

static int print_called(void *context, const struct event *event)
{
	const struct row *row = NULL;

	(void)context;
	switch (event->kind) {
	case EVENT_CALL:
		if (succeeded(event) && !(event->flags & CALL_UNFINISHED))
			row = syscall_resolve(event->nr, event->args);
		break;
	case EVENT_EXEC:
	case EVENT_CLONE:
	case EVENT_SIGRETURN: row = syscall_resolve(event->nr, event->args); break;
	case EVENT_EXIT:
		/* The event does not say which call it was; the C library ends threads with one, processes with the other. */
		if (event->exit.cause == EXIT_CALL)
			row = syscall_row(event->exit.process_gone ? NR_EXIT_GROUP : NR_EXIT);
		break;
	case EVENT_PART:
	case EVENT_TURN:
	case EVENT_SIGNAL:
	case EVENT_TRAP:
	case EVENT_CHECKPOINT:
	case EVENT_REFUSED:
	case EVENT_MEMORY:
	case EVENT_END: break;
	}
	if (row)
		printf("%s\n", row->name);
	return 0;
}

static int print_trace(const char *path)
{
	struct trace_report report;
	struct reader *reader = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : reader_open(fd, -1, &reader);

	if (r == 0)
		r = reader_check(reader, &report, print_called, NULL);
	if (r != 0)
		fprintf(stderr, "rows: %s: error %d\n", path, r);
	reader_close(reader);
	if (fd >= 0)
		close(fd);
	return r;
}

int main(int argc, char **argv)
{
	int status = 0;

	if (argc < 2) {
		for (size_t i = 0; i < syscall_rows(); i++)
			print_callable(syscall_row_at(i));
	}
	for (int i = 1; i < argc; i++)
		status |= print_trace(argv[i]) != 0;
	return fflush(stdout) == 0 ? status : 1;
}
