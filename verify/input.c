#include "input.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "../traces/digest.h"
#include "../traces/error.h"
#include "../traces/store.h"

#define NAME_MAX_BYTES 256

int input_usage(const char *verb, const char *problem)
{
	fprintf(stderr, "sworn %s: %s; `sworn %s --help` explains\n", verb, problem, verb);
	return VERIFY_USAGE;
}

int input_unknown(const char *verb, const char *option)
{
	char problem[128];
	snprintf(problem, sizeof(problem), "unknown option %s", option);
	return input_usage(verb, problem);
}

static const char *advice(int error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT: return "free space there, or name another place";
	case -EFBIG: return "raise the file size limit (ulimit -f)";
	case -EBUSY: return "wait until the other process is done with it";
	case -EROFS:
	case -EACCES:
	case -EPERM: return "check the permissions there, or name another place";
	case SWORN_EBLOB:
		return "name the store that holds its blobs with --store, or get an intact copy";
	case SWORN_EINTEGRITY: return "it changed while it was read; do it again";
	case -ENOMEM: return "free memory";
	}
	return "check the path and its permissions";
}

enum verify_code input_fail(const char *verb, const char *what, int error)
{
	fprintf(stderr, "sworn %s: %s: %s; %s\n", verb, what, error_text(error), advice(error));
	return error == SWORN_EBLOB ? VERIFY_INTEGRITY : VERIFY_UNKNOWN;
}

size_t input_distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_BYTES + 1], columns = strnlen(b, NAME_MAX_BYTES);
	for (size_t j = 0; j <= columns; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= columns; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[columns];
}

/* The name in the directory that is most like `name`, if one is like it at all. */
static bool find_nearest(int directory_fd, const char *name, char ret_name[NAME_MAX_BYTES])
{
	DIR *directory = directory_fd < 0 ? NULL : fdopendir(directory_fd);
	size_t length = strlen(name), best = length / 3 + 2;
	struct dirent *entry;
	bool found = false;
	if (!directory) {
		if (directory_fd >= 0)
			close(directory_fd);
		return false;
	}
	while (length < NAME_MAX_BYTES && (entry = readdir(directory))) {
		char start[NAME_MAX_BYTES];
		if (entry->d_name[0] == '.')
			continue;
		/* The beginning of a name is a name too. */
		snprintf(start, sizeof(start), "%.*s", (int)length, entry->d_name);
		size_t whole = input_distance(name, entry->d_name), part = input_distance(name, start);
		size_t near = whole < part ? whole : part;
		if (near >= best)
			continue;
		best = near;
		found = true;
		snprintf(ret_name, NAME_MAX_BYTES, "%s", entry->d_name);
	}
	closedir(directory);
	return found;
}

void input_missing_text(int store_fd, const char *name, char *ret_text, size_t size)
{
	const char *slash = strrchr(name, '/');
	const char *wanted = name[0] == '@' ? name + 1 : slash ? slash + 1 : name;
	char near[NAME_MAX_BYTES], folder[PATH_BYTES_MAX] = ".";
	int fd = -1;
	if (name[0] == '@' && store_fd >= 0)
		fd = openat(store_fd, "traces", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (name[0] != '@' && slash)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - name) + 1, name);
	if (name[0] != '@')
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (find_nearest(fd, wanted, near))
		snprintf(ret_text, size, "there is no such trace; the name most like it is %s%s",
			 name[0] == '@' ? "@"
			 : slash	? folder
					: "",
			 near);
	else
		snprintf(ret_text, size, "there is no such trace%s",
			 name[0] == '@' && store_fd < 0 ? ", and no store" : "");
}

enum verify_code input_missing(const char *verb, int store_fd, const char *name)
{
	char text[PATH_BYTES_MAX + NAME_MAX_BYTES];
	input_missing_text(store_fd, name, text, sizeof(text));
	fprintf(stderr, "sworn %s: %s: %s; `sworn list` shows what is in the store\n", verb, name, text);
	return VERIFY_NOTHING;
}

int input_store(const char *verb, const char *store, bool must_exist)
{
	int fd = must_exist ? store_find(store) : store_open(store);
	if (fd >= 0)
		return fd;
	fprintf(stderr, "sworn %s: the store%s%s cannot be opened: %s; name another one with --store\n",
		verb, store ? " " : "", store ? store : "", error_text(fd));
	return -1;
}

static int note(void *context, const struct event *event)
{
	struct input *input = context;
	result_note(&input->result, event);
	if (event->kind == EVENT_TURN &&
	    (event->turn.end == TURN_COUNT || event->turn.end == TURN_ADDRESS))
		input->cuts = true;
	return 0;
}

/* A recorder that still writes the file has it locked. */
static bool is_recording(int fd)
{
	return flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static enum verify_code check(struct input *input, bool repair)
{
	struct result *result = &input->result;
	result->name = input->name;
	result->allow_repaired = input->allow_repaired;
	if (repair && is_recording(input->fd)) {
		fprintf(stderr,
			"sworn %s: %s: it is still being recorded; wait until the command has ended\n",
			input->verb, input->name);
		return VERIFY_UNKNOWN;
	}
	result->error = reader_open(input->fd, input->blobs_fd, &input->reader);
	if (result->error < 0)
		reader_reason(input->fd, result->report.reason);
	if (result->error == 0) {
		result->info = reader_info(input->reader);
		result->error = reader_check(input->reader, &result->report, note, input);
		result->summary = reader_summary(input->reader);
	}
	if (result_code(result) == VERIFY_OK ||
	    (repair && result->error == SWORN_ETRUNCATED && !result->report.sealed && result->info))
		return VERIFY_OK;
	fprintf(stderr, "sworn %s: ", input->verb);
	result_print_problem(stderr, result);
	return result_code(result);
}

enum verify_code input_open(struct input *input, const char *store, const char *name, bool repair)
{
	const char *verb = input->verb;
	*input = (struct input){
		.verb = verb, .allow_repaired = input->allow_repaired, .fd = -1, .blobs_fd = -1
	};
	int store_fd = store_find(store);
	if (store && store_fd < 0)
		return input_fail(verb, store, store_fd);
	input->fd = name[0] == '@' && store_fd < 0 ? SWORN_ENOTRACE
						   : store_trace(store_fd, name, &input->name);
	enum verify_code code = VERIFY_OK;
	if (input->fd == SWORN_ENOTRACE || input->fd == -ENOENT)
		code = input_missing(verb, store_fd, name);
	else if (input->fd < 0)
		code = input_fail(verb, name, input->fd);
	if (code == VERIFY_OK)
		input->blobs_fd = store_find_blobs(store_fd, store != NULL, input->fd);
	if (code == VERIFY_OK && input->blobs_fd < 0 && input->blobs_fd != -ENOENT)
		code = input_fail(verb, name, input->blobs_fd);
	if (store_fd >= 0)
		close(store_fd);
	return code == VERIFY_OK ? check(input, repair) : code;
}

void input_release(struct input *input)
{
	reader_close(input->reader);
	if (input->fd >= 0)
		close(input->fd);
	if (input->blobs_fd >= 0)
		close(input->blobs_fd);
	free(input->name);
}

void input_print_made(const struct rewritten *made, bool in_store)
{
	char hex[2 * ARCHIVE_ID_BYTES + 1];
	hex_encode(made->archive, ARCHIVE_ID_BYTES, hex);
	printf("%s%s\n", in_store ? "@" : "", in_store ? hex : made->path);
}

void input_print_left(const struct input *input)
{
	size_t count;
	reader_trailers(input->reader, &count);
	if (count > 0)
		fprintf(stderr,
			"sworn %s: %zu statement%s of others behind the seal of %s %s not copied: they are about that trace, and "
			"this is a new one\n",
			input->verb, count, count == 1 ? "" : "s", input->name,
			count == 1 ? "is" : "are");
}
