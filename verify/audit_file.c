#include "audit.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../traces/digest.h"

static const char *kind_word(const struct history_file *file)
{
	static const char *const kinds[] = { "path", "pipe", "socket", "other" };
	switch (file->mode & S_IFMT) {
	case S_IFREG: return "file";
	case S_IFDIR: return "directory";
	case S_IFCHR: return "character device";
	case S_IFBLK: return "block device";
	case S_IFIFO: return file->kind == HISTORY_PIPE ? "pipe" : "named pipe";
	case S_IFSOCK: return "socket";
	case S_IFLNK: return "link";
	}
	return kinds[file->kind];
}

/* A pattern matches the path of the first use, or the one that the file has now. */
static bool matches(const struct audit *audit, uint32_t number)
{
	char now[HISTORY_PATH_BYTES];
	if (audit->arguments_count == 0)
		return true;
	history_path(audit->history, number, now);
	for (int i = 0; i < audit->arguments_count; i++) {
		const char *pattern = audit->arguments[i];
		if (fnmatch(pattern, audit->history->files[number - 1].path, 0) == 0 ||
		    fnmatch(pattern, now, 0) == 0)
			return true;
	}
	return false;
}

static bool used_by(const struct audit *audit, const struct history_file *file)
{
	if (!audit->options.pid)
		return true;
	for (uint32_t use = file->uses; use; use = audit->history->uses[use - 1].next) {
		uint32_t process = audit->history->uses[use - 1].process;
		if (process && audit->history->processes[process - 1].pid == audit->options.pid)
			return true;
	}
	return false;
}

static bool is_shown(const struct audit *audit, uint32_t number)
{
	const struct history_file *file = &audit->history->files[number - 1];
	bool touched = file->opened || file->changed || file->created || file->deleted ||
		       file->moved.calls[0] || file->moved.calls[1] || !digest_is_zero(file->content);
	if (audit->arguments_count == 0 && !audit->options.all && file->kind != HISTORY_FILE &&
	    file->moved.calls[0] == 0 && file->moved.calls[1] == 0)
		return false;
	return (touched || audit->options.all || audit->arguments_count > 0) &&
	       used_by(audit, file) && matches(audit, number);
}

static void put_moved(struct out *out, const struct history_file *file)
{
	static const char *const words[] = { "read", "written" };
	for (int way = 0; way < 2; way++) {
		if (file->moved.calls[way] == 0)
			continue;
		out_format(out, ", %llu bytes %s", (unsigned long long)file->moved.bytes[way],
			   words[way]);
		if (!digest_is_zero(file->moved.digest[way])) {
			out_char(out, ' ');
			out_digest(out, file->moved.digest[way]);
		} else if (file->moved.unseen[way]) {
			out_text(out, " (in part by the kernel alone)");
		}
	}
	if (!digest_is_zero(file->content)) {
		out_text(out, ", mapped ");
		out_digest(out, file->content);
	}
	if (file->mapped_writable)
		out_text(out, ", mapped for writing: what was written there is not counted");
}

static void put_use(struct audit *audit, const struct history_use *use)
{
	struct out *out = &audit->out;
	out_line(out, NULL);
	out_text(out, "    pid ");
	audit_put_process(audit, use->process, use->last);
	out_char(out, ':');
	if (use->opens)
		out_format(out, " opened %u times (%u for writing),", use->opens,
			   use->opens_for_writing);
	if (use->calls[0])
		out_format(out, " read %llu bytes in %llu calls,",
			   (unsigned long long)use->bytes[0], (unsigned long long)use->calls[0]);
	if (use->calls[1])
		out_format(out, " wrote %llu bytes in %llu calls,",
			   (unsigned long long)use->bytes[1], (unsigned long long)use->calls[1]);
	if (use->maps)
		out_format(out, " mapped %u times,", use->maps);
	if (use->looks)
		out_format(out, " looked at %u times,", use->looks);
	if (use->failures)
		out_format(out, " failed %u times,", use->failures);
	out_format(out, " events %llu-%llu", (unsigned long long)use->first,
		   (unsigned long long)use->last);
	out_end(out);
}

static void put_change(struct audit *audit, const struct history_change *change)
{
	struct out *out = &audit->out;
	out_line(out, NULL);
	out_format(out, "    event %llu pid ", (unsigned long long)change->event);
	audit_put_process(audit, change->process, change->event);
	out_format(out, ": %s ", history_action_name(change->action));
	out_name(out, change->path);
	if (change->other) {
		out_text(out, " -> ");
		out_name(out, change->other);
	}
	out_end(out);
}

/* Lists lead from the newest to the oldest; people read them the other way. */
static uint32_t *in_order(const struct audit *audit, const struct history_file *file, bool uses,
			  size_t *ret_count)
{
	size_t count = 0, at;
	uint32_t *list;
	const struct history *history = audit->history;
	for (uint32_t i = uses ? file->uses : file->changes; i;
	     i = uses ? history->uses[i - 1].next : history->changes[i - 1].next)
		count++;
	list = calloc(count + 1, sizeof(*list));
	at = count;
	for (uint32_t i = uses ? file->uses : file->changes; list && i;
	     i = uses ? history->uses[i - 1].next : history->changes[i - 1].next)
		list[--at] = i;
	*ret_count = list ? count : 0;
	return list;
}

static void put_file(struct audit *audit, uint32_t number)
{
	const struct history_file *file = &audit->history->files[number - 1];
	char now[HISTORY_PATH_BYTES];
	struct out *out = &audit->out;
	size_t count;
	out_line(out, NULL);
	out_name(out, file->path);
	history_path(audit->history, number, now);
	if (strcmp(now, file->path) != 0) {
		out_text(out, " now ");
		out_name(out, now);
	}
	out_format(out, "  %s", kind_word(file));
	if (file->created)
		out_text(out, ", created");
	if (file->deleted)
		out_text(out, ", deleted");
	if (file->absent)
		out_text(out, ", not there");
	put_moved(out, file);
	out_end(out);
	uint32_t *list = in_order(audit, file, true, &count);
	for (size_t i = 0; i < count; i++)
		put_use(audit, &audit->history->uses[list[i] - 1]);
	free(list);
	list = in_order(audit, file, false, &count);
	for (size_t i = 0; i < count; i++)
		put_change(audit, &audit->history->changes[list[i] - 1]);
	free(list);
}

static void json_uses(struct audit *audit, const struct history_file *file)
{
	struct out *out = &audit->out;
	size_t count;
	uint32_t *list = in_order(audit, file, true, &count);
	out_open(out, "uses", '[');
	for (size_t i = 0; i < count; i++) {
		const struct history_use *use = &audit->history->uses[list[i] - 1];
		out_open(out, NULL, '{');
		audit_member_process(audit, "pid", use->process);
		out_member_text(out, "program",
				audit_program_name(audit->history, use->process, use->last));
		out_member_uint(out, "opens", use->opens);
		out_member_uint(out, "opens_for_writing", use->opens_for_writing);
		out_member_uint(out, "bytes_read", use->bytes[0]);
		out_member_uint(out, "bytes_written", use->bytes[1]);
		out_member_uint(out, "reads", use->calls[0]);
		out_member_uint(out, "writes", use->calls[1]);
		out_member_uint(out, "maps", use->maps);
		out_member_uint(out, "looks", use->looks);
		out_member_uint(out, "failures", use->failures);
		out_member_uint(out, "first", use->first);
		out_member_uint(out, "last", use->last);
		out_shut(out, '}');
	}
	out_shut(out, ']');
	free(list);
	list = in_order(audit, file, false, &count);
	out_open(out, "changes", '[');
	for (size_t i = 0; i < count; i++) {
		const struct history_change *change = &audit->history->changes[list[i] - 1];
		out_open(out, NULL, '{');
		out_member_uint(out, "event", change->event);
		audit_member_process(audit, "pid", change->process);
		out_member_text(out, "action", history_action_name(change->action));
		out_member_text(out, "path", change->path);
		out_member_text(out, "other", change->other);
		out_shut(out, '}');
	}
	out_shut(out, ']');
	free(list);
}

static void json_file(struct audit *audit, uint32_t number)
{
	const struct history_file *file = &audit->history->files[number - 1];
	char now[HISTORY_PATH_BYTES];
	struct out *out = &audit->out;
	history_path(audit->history, number, now);
	out_line(out, "file");
	out_member_uint(out, "file", number);
	out_member_text(out, "path", file->path);
	out_member_text(out, "path_now", file->deleted ? NULL : now);
	out_member_text(out, "type", kind_word(file));
	out_member_uint(out, "mode", file->mode);
	out_member_uint(out, "device", file->device);
	out_member_uint(out, "inode", file->inode);
	out_member_bool(out, "created", file->created);
	out_member_bool(out, "deleted", file->deleted);
	out_member_bool(out, "absent", file->absent);
	out_member_bool(out, "mapped_writable", file->mapped_writable);
	out_member_uint(out, "bytes_read", file->moved.bytes[0]);
	out_member_uint(out, "bytes_written", file->moved.bytes[1]);
	out_member_digest(out, "digest_read", file->moved.digest[0]);
	out_member_digest(out, "digest_written", file->moved.digest[1]);
	out_member_bool(out, "unseen", file->moved.unseen[0] || file->moved.unseen[1]);
	out_member_digest(out, "content", file->content);
	out_member_uint(out, "sink", file->sink);
	json_uses(audit, file);
	out_end(out);
}

static int no_file(struct audit *audit)
{
	const struct history *history = audit->history;
	const char *wanted = audit->arguments[0], *nearest = NULL;
	char names[2][256];
	unsigned int best = UINT32_MAX;
	for (size_t i = 0; i < history->files_count; i++) {
		if (history->files[i].absent || strlen(history->files[i].path) > 120)
			continue;
		const char *paths[] = { history->files[i].path, history->files[i].last };
		for (int n = 0; n < 2 && paths[n]; n++) {
			if (strlen(paths[n]) > 120 || audit_distance(wanted, paths[n]) >= best)
				continue;
			best = audit_distance(wanted, paths[n]);
			nearest = paths[n];
		}
	}
	return audit_fail(audit, VERIFY_NOTHING,
			  "nothing was done to %s; the nearest path is %s, "
			  "`sworn audit files TRACE` lists all",
			  audit_quote(wanted, names[0], sizeof(names[0])),
			  audit_quote(nearest ? nearest : "none", names[1], sizeof(names[1])));
}

int audit_files(struct audit *audit)
{
	uint64_t before = audit->out.lines;
	for (uint32_t i = 1; i <= audit->history->files_count; i++) {
		if (!is_shown(audit, i))
			continue;
		if (audit->options.json)
			json_file(audit, i);
		else
			put_file(audit, i);
	}
	if (audit->arguments_count > 0 && audit->out.lines == before)
		return no_file(audit);
	return VERIFY_OK;
}
