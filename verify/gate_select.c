#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../traces/error.h"
#include "../traces/store.h"
#include "gate.h"
#include "input.h"

#define SUFFIX ".sworn"
#define DEPTH_MAX 32

static const char pointer[] = "version https://git-lfs.github.com/spec/";

void gate_item_release(struct gate_item *item)
{
	free(item->path);
	free(item->problem);
	free(item->store);
	document_release(item->result);
}

void gate_release(struct gate *gate)
{
	for (size_t i = 0; i < gate->count; i++)
		gate_item_release(&gate->items[i]);
	free(gate->items);
	trust_release(&gate->trust);
	gate->items = NULL;
	gate->count = gate->room = 0;
}

static int add(struct gate *gate, const char *path, struct gate_item **ret_item)
{
	struct gate_item *items = gate->items;
	if (gate->count == gate->room) {
		size_t room = gate->room ? gate->room * 2 : 64;
		items = room > GATE_TRACES_MAX * 2U ? NULL : realloc(items, room * sizeof(*items));
		if (!items)
			return -ENOMEM;
		gate->items = items;
		gate->room = room;
	}
	items[gate->count] = (struct gate_item){ .path = strdup(path), .watch = -1, .answer = -1 };
	if (!items[gate->count].path)
		return -ENOMEM;
	*ret_item = &items[gate->count++];
	return 0;
}

__attribute__((format(printf, 4, 5))) static int add_problem(struct gate *gate, const char *path,
							     enum gate_code code, const char *text, ...)
{
	struct gate_item *item;
	va_list list;
	int r = add(gate, path, &item);
	if (r < 0)
		return r;
	item->code = code;
	va_start(list, text);
	r = vasprintf(&item->problem, text, list);
	va_end(list);
	if (r < 0)
		item->problem = NULL;
	return r < 0 ? -ENOMEM : 0;
}

/* What a checkout leaves in the place of a large file that was not fetched. */
static bool is_pointer(const char *path)
{
	char head[sizeof(pointer) - 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool is = fd >= 0 && read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
		  memcmp(head, pointer, sizeof(head)) == 0;
	if (fd >= 0)
		close(fd);
	return is;
}

static int add_trace(struct gate *gate, const char *path)
{
	struct gate_item *item;
	if (is_pointer(path))
		return add_problem(gate, path, GATE_UNKNOWN,
				   "a pointer of Git LFS, not the trace: fetch it with `git lfs pull`");
	return add(gate, path, &item);
}

static int is_wanted(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool is_trace_name(const char *name)
{
	size_t length = strlen(name), suffix = strlen(SUFFIX);
	return length > suffix && strcmp(name + length - suffix, SUFFIX) == 0;
}

/* Traces below a directory, in the order of names; links to directories are not followed. */
static int add_directory(struct gate *gate, const char *path, unsigned int depth)
{
	struct dirent **entries = NULL;
	int count = depth > DEPTH_MAX ? -1 : scandir(path, &entries, is_wanted, alphasort), r = 0;
	if (count < 0)
		return add_problem(gate, path, GATE_UNKNOWN, "the directory cannot be read: %s",
				   depth > DEPTH_MAX ? "too many levels" : strerror(errno));
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		struct stat status;
		char *below = NULL;
		size_t length = strlen(path);
		const char *between = length && path[length - 1] == '/' ? "" : "/";
		if (r == 0 && asprintf(&below, "%s%s%s", path, between, name) < 0) {
			below = NULL;
			r = -ENOMEM;
		}
		if (r == 0 && lstat(below, &status) == 0) {
			if (S_ISDIR(status.st_mode))
				r = add_directory(gate, below, depth + 1);
			else if (is_trace_name(name))
				r = add_trace(gate, below);
		}
		free(below);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int add_path(struct gate *gate, const char *path)
{
	struct stat status;
	size_t before = gate->count;
	int r;
	if (path[0] == '@')
		return add_trace(gate, path);
	if (stat(path, &status) < 0 && errno == ENOENT) {
		char text[512];
		input_missing_text(-1, path, text, sizeof(text));
		return add_problem(gate, path, GATE_NOTHING,
				   "%s; name a trace, or a directory with traces", text);
	}
	if (stat(path, &status) < 0)
		return add_problem(gate, path, GATE_UNKNOWN,
				   "%s; name a trace, or a directory with traces", strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return add_trace(gate, path);
	r = add_directory(gate, path, 0);
	if (r == 0 && gate->count == before)
		r = add_problem(gate, path, GATE_NOTHING, "no *" SUFFIX " in this directory");
	return r;
}

/* Traces that two paths lead to are taken once. */
static void drop_twice(struct gate *gate)
{
	size_t kept = 0;
	for (size_t i = 0; i < gate->count; i++) {
		struct gate_item *item = &gate->items[i];
		bool again = false;
		for (size_t j = 0; j < kept && !again; j++)
			again = strcmp(gate->items[j].path, item->path) == 0;
		if (again)
			gate_item_release(item);
		else
			gate->items[kept++] = *item;
	}
	gate->count = kept;
}

static void drop_shards(struct gate *gate)
{
	size_t kept = 0;
	for (size_t i = 0; gate->options.shards && i < gate->count; i++) {
		struct gate_item *item = &gate->items[i];
		if (i % gate->options.shards + 1 == gate->options.shard)
			gate->items[kept++] = *item;
		else
			gate_item_release(item);
	}
	if (gate->options.shards)
		gate->count = kept;
}

int gate_select(struct gate *gate)
{
	int r = 0;
	for (int i = 0; i < gate->options.paths_count && r == 0; i++)
		r = add_path(gate, gate->options.paths[i]);
	drop_twice(gate);
	gate_tenants_choose(gate);
	drop_shards(gate);
	return r;
}

int gate_open(const struct gate_item *item)
{
	char *name = NULL;
	bool stored = item->path[0] == '@';
	int store_fd = stored ? store_find(item->store) : -1;
	int fd = stored && store_fd < 0 ? SWORN_ENOTRACE : store_trace(store_fd, item->path, &name);
	if (store_fd >= 0)
		close(store_fd);
	free(name);
	return fd;
}

int gate_blobs(const struct gate *gate, const struct gate_item *item)
{
	int trace_fd = gate->options.store || item->path[0] == '@' ? -1 : gate_open(item);
	int fd = trace_fd < 0 ? -1 : store_blobs_beside(trace_fd);
	int store_fd = fd < 0 ? store_find(item->store) : -1;
	if (trace_fd >= 0)
		close(trace_fd);
	if (store_fd < 0)
		return fd;
	fd = store_blobs(store_fd);
	close(store_fd);
	return fd;
}
