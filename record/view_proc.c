/*
 * Reads of files in /proc and /sys, answered at their entry from a list. The position that the kernel keeps for the
 * open file is used as it is; the content is made anew by each read that begins at its start, and kept for those that
 * go on from there. Whatever is not on the list is the host's, and the trace says that it was read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"
#include "view.h"

static const struct view_text *find_text(const struct view_text *texts, const char *name)
{
	while (texts->name && strcmp(texts->name, name) != 0)
		texts++;
	return texts->name ? texts : NULL;
}

static int make_text(const struct view_text *text, const struct view_reading *reading, struct buffer *out)
{
	return text->fixed ? buffer_append(out, text->fixed, strlen(text->fixed))
			   : text->make(reading, out);
}

static struct thread *find_guest(const struct guests *guests, uint32_t tid)
{
	struct thread *thread = guests->first;

	while (thread && thread->guest_tid != tid)
		thread = thread->next;
	return thread;
}

/* Content of a guest's memory and what guests told the kernel: not the host's. */
static bool is_guests_own(const char *name)
{
	return strcmp(name, "cmdline") == 0 || strcmp(name, "environ") == 0 ||
	       strcmp(name, "comm") == 0 || strcmp(name, "mem") == 0;
}

/* Makes the content. 1 when it is on the list, 0 for a file that is as it is, -ENOENT for one of the host's. */
static int make_content(struct view_reading *reading, const char *path, struct buffer *out)
{
	const struct view_text *text = find_text(view_texts, path);
	unsigned int pid, tid, fd;
	char name[64];
	int r = -ENOENT, used = 0;

	if (text)
		return (r = make_text(text, reading, out)) < 0 ? r : 1;
	if (sscanf(path, "/proc/%u/task/%u/%n", &pid, &tid, &used) == 2 && used) {
		pid = tid;
	} else {
		used = 0;
		if (sscanf(path, "/proc/%u/%n", &pid, &used) != 1 || !used)
			return -ENOENT;
	}
	snprintf(name, sizeof(name), "%s", path + used);
	reading->subject = find_guest(&reading->rec->guests, pid);
	if (!reading->subject) {
		text = pid == 1 && reading->rec->init ? find_text(view_init_texts, name) : NULL;
		if (!text && reading->rec->init && strcmp(name, "stat") == 0)
			return (r = view_make_dead(reading, out)) < 0 ? r : 1;
		if (!text)
			return is_guests_own(name) ? 0 : -ENOENT;
		return (r = make_text(text, reading, out)) < 0 ? r : 1;
	}
	if (is_guests_own(name))
		return 0;
	text = find_text(view_process_texts, name);
	if (text && (text->make == view_make_mounts || text->make == view_make_mountinfo) &&
	    reading->rec->view->mounts_changed)
		return -ENOENT;
	if (text)
		r = make_text(text, reading, out);
	else if (sscanf(name, "fdinfo/%u", &fd) == 1)
		r = view_make_descriptor(reading, fd, out);
	return r < 0 ? r : 1;
}

/* Remembers that the guests read something of the host's. */
static void note_outside(struct recorder *rec, const char *path)
{
	struct view *view = rec->view;
	size_t i = 0;

	while (i < view->outside_count && strcmp(view->outside[i] + strlen(VIEW_OUTSIDE_TEXT), path) != 0)
		i++;
	if (i < view->outside_count || i == VIEW_OUTSIDE_MAX)
		return;
	for (const char *c = path; *c; c++) {
		if (*c < ' ' || *c > '~')
			return;
	}
	if (asprintf(&view->outside[i], VIEW_OUTSIDE_TEXT "%s", path) < 0)
		view->outside[i] = NULL;
	else
		view->outside_count++;
}

/* Copies the content from `position` on to where the call wants it. Bytes, or -EFAULT in *ret_result. */
static int give(struct recorder *rec, struct thread *thread, const struct view_content *content,
		uint64_t position, int64_t *ret_result)
{
	const struct range_list *entry = &thread->call.entry;
	uint64_t at = position;

	*ret_result = 0;
	for (size_t i = 0; i < entry->count && at < content->text.length; i++) {
		const struct range *range = &entry->ranges[i];
		uint64_t left = content->text.length - at;
		struct payload payload = { range->arg, DIRECTION_OUT, range->address,
					   range->length < left ? range->length : left,
					   content->text.bytes + at };
		int r;

		if (range->direction != DIRECTION_OUT)
			continue;
		r = record_give(rec, thread, &payload, ret_result);
		if (r < 0 || *ret_result < 0)
			return r;
		at += payload.length;
	}
	*ret_result = (int64_t)(at - position);
	return 0;
}

static struct view_content *find_content(struct view *view, const struct stat *status)
{
	for (size_t i = 0; i < VIEW_CONTENTS; i++) {
		if (view->contents[i].device == status->st_dev &&
		    view->contents[i].inode == status->st_ino)
			return &view->contents[i];
	}
	return NULL;
}

/* A slot for new content: its own, or the one that was filled longest ago. */
static struct view_content *renew_content(struct view *view, const struct stat *status)
{
	struct view_content *content = find_content(view, status);

	if (!content) {
		content = &view->contents[view->contents_next];
		view->contents_next = (view->contents_next + 1) % VIEW_CONTENTS;
	}
	content->text.length = 0;
	content->device = status->st_dev;
	content->inode = status->st_ino;
	return content;
}

/* The content behind the open file, for a read from `position` on. As make_content(). */
static int find_or_make(struct view_reading *reading, uint64_t position, struct view_content **ret)
{
	struct view *view = reading->rec->view;
	struct view_content *content;
	char path[PATH_BYTES_MAX];
	struct stat status;
	int r;

	if (fstat(reading->file, &status) || view_path_of(reading->reader, reading->file, path) < 0)
		return 0;
	content = find_content(view, &status);
	if (!content || position == 0) {
		content = renew_content(view, &status);
		r = make_content(reading, path, &content->text);
		if (r <= 0)
			content->device = content->inode = 0;
		if (r == -ENOENT)
			note_outside(reading->rec, path);
		if (r <= 0)
			return r == -ENOMEM ? r : 0;
	}
	*ret = content;
	return 1;
}

/* Whether the call names its own position, which *ret becomes. */
static bool has_offset(const struct call *call, uint64_t *ret)
{
	if (call->nr != SYS_pread64 && call->nr != SYS_preadv &&
	    (call->nr != SYS_preadv2 || call->args[3] == UINT64_MAX))
		return false;
	*ret = call->args[3];
	return true;
}

int view_proc_read(struct recorder *rec, struct thread *thread, bool *ret_answered)
{
	struct fd_info info = fd_lookup(thread->process->fds, thread->tid, (int)thread->call.args[0]);
	struct view_reading reading = { .rec = rec, .reader = thread };
	struct view_content *content = NULL;
	uint64_t position = 0;
	int64_t result;
	bool own;
	int r = 0;

	if (!S_ISREG(info.mode) || view_system_of(rec->view, thread, info.device) != SYSTEM_KERNEL)
		return 0;
	reading.file = fd_copy(thread->tid, (int)thread->call.args[0]);
	if (reading.file < 0)
		return 0;
	own = has_offset(&thread->call, &position);
	if (!own)
		position = (uint64_t)lseek(reading.file, 0, SEEK_CUR);
	if ((int64_t)position >= 0)
		r = find_or_make(&reading, position, &content);
	if (r > 0 && (own || lseek(reading.file, (off_t)position, SEEK_SET) == (off_t)position)) {
		r = give(rec, thread, content, position, &result);
		if (r == 0 && result > 0 && !own)
			lseek(reading.file, (off_t)position + result, SEEK_SET);
		if (r == 0)
			r = record_answer(rec, thread, result);
		*ret_answered = true;
	}
	close(reading.file);
	return r < 0 ? r : 0;
}
