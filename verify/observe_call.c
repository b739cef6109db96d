#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "../traces/error.h"
#include "observe_inside.h"

#define MODE_BITS 07777U

static struct history_handle *handle_at(struct observer *o, uint32_t handle)
{
	struct history *h = o->seen->history;
	return handle && handle <= h->handles_count ? &h->handles[handle - 1] : NULL;
}

static struct history_file *file_at(struct observer *o, uint32_t file)
{
	struct history *h = o->seen->history;
	return file && file <= h->files_count ? &h->files[file - 1] : NULL;
}

/* Where a handle stands; it starts at 0 when it is opened. */
static uint64_t *position(struct observer *o, uint32_t handle)
{
	static uint64_t spare;
	const struct history_handle *open = handle_at(o, handle);
	struct position *p = observe_entry(o, &o->positions, handle, sizeof(*p));
	if (!p || !open)
		return &spare;
	if (p->opened != open->opened)
		*p = (struct position){ .opened = open->opened };
	return &p->at;
}

/* Devices and what the kernel makes up are not files that a run leaves behind. */
static bool is_special(const char *path)
{
	return !path || path[0] != '/' || !strncmp(path, "/proc/", 6) || !strncmp(path, "/sys/", 5) ||
	       (!strncmp(path, "/dev/", 5) && strncmp(path, "/dev/shm/", 9) != 0);
}

/* The entry of a file that the run changes, made where there is none; NULL for what is no such file. */
static struct seen *file_seen(struct observer *o, uint32_t file, uint64_t event)
{
	struct file_note *note = observe_entry(o, &o->files, file, sizeof(*note));
	const struct history_file *f = file_at(o, file);
	struct seen *seen;
	if (!note || !f || f->kind != HISTORY_FILE || is_special(f->path))
		return NULL;
	if (note->seen)
		return &o->seen->seen[note->seen - 1];
	seen = observe_add(o, SEEN_FILE, NULL, event);
	if (!seen)
		return NULL;
	content_init(&seen->content, f->created ? 0 : CONTENT_BASE_ALL, &o->seen->budget);
	note->seen = (uint32_t)o->seen->seen_count;
	return seen;
}

static struct seen *input_seen(struct observer *o, uint32_t file, uint64_t event)
{
	uint32_t *number = observe_entry(o, &o->inputs, file, sizeof(*number));
	const struct history_file *f = file_at(o, file);
	struct seen *seen;
	if (!number || !f || f->kind != HISTORY_FILE || is_special(f->path))
		return NULL;
	if (*number)
		return &o->seen->seen[*number - 1];
	seen = observe_add(o, SEEN_INPUT, f->path, event);
	if (!seen)
		return NULL;
	content_init(&seen->content, CONTENT_BASE_ALL, &o->seen->input_budget);
	*number = (uint32_t)o->seen->seen_count;
	return seen;
}

static struct seen *channel_seen(struct observer *o, uint32_t socket, uint64_t event)
{
	uint32_t *number = observe_entry(o, &o->channels, socket, sizeof(*number));
	struct seen *seen;
	if (!number)
		return NULL;
	if (*number)
		return &o->seen->seen[*number - 1];
	seen = observe_add(o, SEEN_CHANNEL, NULL, event);
	if (seen)
		*number = (uint32_t)o->seen->seen_count;
	return seen;
}

/* Appends or puts the flow's bytes; what does not fit into memory makes the content blind. */
static void put(struct observer *o, struct content *content, uint64_t offset, uint64_t event)
{
	int r = 0;
	if (!o->flow.seen && content_put_unseen(content, offset, o->flow.bytes) < 0)
		o->error = -ENOMEM;
	if (!o->flow.seen)
		return;
	for (size_t i = 0; r == 0 && i < o->flow.messages_count; i++) {
		const struct flow_message *message = &o->flow.messages[i];
		for (size_t s = 0; r == 0 && s < message->count; s++) {
			const struct slice *slice = &o->flow.slices[message->first + s];
			r = content_put(content, offset, slice->bytes, slice->length, event);
			offset += slice->length;
		}
	}
	if (r == SWORN_ELIMIT)
		content->blind = true;
	else if (r < 0)
		o->error = r;
}

static bool has_offset(uint32_t nr, const struct event *event)
{
	switch (nr) {
	case SYS_pread64:
	case SYS_pwrite64:
	case SYS_preadv:
	case SYS_pwritev: return true;
	case SYS_preadv2:
	case SYS_pwritev2: return (int64_t)event->args[3] != -1;
	}
	return false;
}

static bool is_standard(const struct history_file *file, int fd)
{
	static const char *const names[] = { "[standard input]", "[standard output]",
					     "[standard error]" };
	return file->kind == HISTORY_OTHER && file->path && !strcmp(file->path, names[fd]);
}

static void moved_out(struct observer *o, const struct event *event, uint32_t handle,
		      const struct history_file *file)
{
	const struct history_handle *open = handle_at(o, handle);
	struct seen *seen = NULL;
	if (event->sink == 1 || event->sink == 2) {
		seen = &o->seen->seen[event->sink - 1];
		o->seen->merged |= event->sink == 1 && is_standard(file, 2);
		put(o, &seen->content, seen->content.size, event->number);
		return;
	}
	if (file->kind == HISTORY_SOCKET) {
		seen = open->socket ? channel_seen(o, open->socket, event->number) : NULL;
		if (seen)
			put(o, &seen->content, seen->content.size, event->number);
		return;
	}
	if (file->kind != HISTORY_FILE || !(seen = file_seen(o, open->file, event->number)))
		return;
	uint64_t *at = position(o, handle), offset = *at;
	if (has_offset(event->nr, event))
		offset = event->args[3];
	else if (open->flags & O_APPEND)
		offset = seen->content.size;
	put(o, &seen->content, offset, event->number);
	if (!has_offset(event->nr, event))
		*at = offset + o->flow.bytes;
}

static void moved_in(struct observer *o, const struct event *event, uint32_t handle,
		     const struct history_file *file)
{
	const struct history_handle *open = handle_at(o, handle);
	struct content *content = NULL;
	struct seen *seen;
	uint64_t *at = position(o, handle);
	uint64_t offset = has_offset(event->nr, event) ? event->args[3] : *at;
	if (is_standard(file, 0)) {
		o->seen->has_input = true;
		content = &o->seen->input;
	} else if (file->kind == HISTORY_FILE && !file->changed &&
		   (seen = input_seen(o, open->file, event->number)) != NULL) {
		content = &seen->content;
	}
	if (content)
		put(o, content, offset, event->number);
	if (!has_offset(event->nr, event))
		*at += o->flow.bytes;
}

static void moved(struct observer *o, const struct event *event)
{
	uint32_t handle = history_descriptor(o->seen->history, event->thread, o->flow.fd);
	const struct history_handle *open = handle_at(o, handle);
	const struct history_file *file = open ? file_at(o, open->file) : NULL;
	if (!file)
		return;
	if (o->flow.way == FLOW_WRITE)
		moved_out(o, event, handle, file);
	else
		moved_in(o, event, handle, file);
}

/* The kernel moved bytes from one descriptor to another. */
static void copied(struct observer *o, const struct event *event, int from, int to)
{
	uint32_t handles[2] = { history_descriptor(o->seen->history, event->thread, from),
				history_descriptor(o->seen->history, event->thread, to) };
	const struct history_handle *open = handle_at(o, handles[1]);
	const struct history_file *file = open ? file_at(o, open->file) : NULL;
	uint64_t bytes = (uint64_t)event->result;
	struct seen *seen = NULL;
	if (handles[0])
		*position(o, handles[0]) += bytes;
	if (!file)
		return;
	if (is_standard(file, 1) || is_standard(file, 2))
		seen = &o->seen->seen[is_standard(file, 2)];
	else if (open->socket)
		seen = channel_seen(o, open->socket, event->number);
	else if (file->kind == HISTORY_FILE)
		seen = file_seen(o, open->file, event->number);
	uint64_t offset = file->kind == HISTORY_FILE ? *position(o, handles[1])
			  : seen		     ? seen->content.size
						     : 0;
	if (seen && content_put_unseen(&seen->content, offset, bytes) < 0)
		o->error = -ENOMEM;
	*position(o, handles[1]) += bytes;
}

/* A file that shares blocks with another one: what it holds now no event shows. */
static void cloned(struct observer *o, const struct event *event)
{
	uint32_t handle = history_descriptor(o->seen->history, event->thread, (int)event->args[0]);
	const struct history_handle *open = handle_at(o, handle);
	const struct history_file *file = open ? file_at(o, open->file) : NULL;
	struct seen *seen = NULL;
	if (file && file->kind == HISTORY_FILE)
		seen = file_seen(o, open->file, event->number);
	if (seen && content_put_unseen(&seen->content, 0, 1) < 0)
		o->error = -ENOMEM;
}

/* The argument that holds the mode of a call that makes a file, or -1. */
static int mode_argument(const struct event *event)
{
	switch (event->nr) {
	case SYS_open:
	case SYS_mknodat:
	case SYS_fchmodat:
	case SYS_mkdirat: return 2;
	case SYS_openat: return 3;
	case SYS_creat:
	case SYS_mknod:
	case SYS_mkdir:
	case SYS_chmod:
	case SYS_fchmod: return 1;
	}
	return -1;
}

static void made(struct observer *o, const struct event *event, struct file_note *note)
{
	int argument = mode_argument(event);
	uint32_t process = history_thread_process(o->seen->history, event->thread);
	if (argument >= 0) {
		mode_t mode = (mode_t)event->args[argument];
		note->mode = mode & MODE_BITS & ~*observe_umask(o, process);
		note->has_mode = true;
		note->type = S_ISFIFO(mode) ? 'p' : 0;
	}
	if (event->nr == SYS_mkdir || event->nr == SYS_mkdirat)
		note->type = 'd';
}

/* An open that makes a file where there is none: a trace does not tell whether there was one, and both runs asked alike. */
static bool may_make(const struct event *event)
{
	switch (event->nr) {
	case SYS_creat: return true;
	case SYS_open: return event->args[1] & O_CREAT;
	case SYS_openat: return event->args[2] & O_CREAT;
	}
	return false;
}

static void changed(struct observer *o, const struct event *event, const struct history_change *change)
{
	struct seen *seen = file_seen(o, change->file, event->number);
	struct file_note *note = observe_entry(o, &o->files, change->file, sizeof(*note));
	int argument;
	if (!seen || !note)
		return;
	switch (change->action) {
	case ACTION_CREATE:
		content_release(&seen->content);
		content_init(&seen->content, 0, &o->seen->budget);
		made(o, event, note);
		break;
	case ACTION_SYMLINK:
		note->type = 'l';
		note->target = change->other;
		break;
	case ACTION_MODE:
		argument = mode_argument(event);
		if (argument >= 0) {
			note->mode = (mode_t)event->args[argument] & MODE_BITS;
			note->has_mode = true;
			seen->state_event = event->number;
		}
		break;
	case ACTION_TRUNCATE:
		if (!note->has_mode && may_make(event))
			made(o, event, note);
		content_truncate(&seen->content, event->nr == SYS_truncate || event->nr == SYS_ftruncate
							 ? event->args[1]
							 : 0);
		break;
	case ACTION_DELETE:
	case ACTION_RENAME:
	case ACTION_REPLACE:
	case ACTION_LINK:
	case ACTION_OWNER:
	case ACTION_TIMES:
	case ACTION_ATTRIBUTE:
	case ACTION_MOUNT: break;
	}
}

/* A read of an input that found nothing more. */
static void ended(struct observer *o, const struct event *event)
{
	uint32_t handle = history_descriptor(o->seen->history, event->thread, (int)event->args[0]);
	const struct history_handle *open = handle_at(o, handle);
	const uint32_t *number = open ? observe_entry(o, &o->inputs, open->file, sizeof(*number)) : NULL;
	uint64_t at = has_offset(event->nr, event) ? event->args[3] : *position(o, handle);
	if (!number || !*number)
		return;
	struct content *content = &o->seen->seen[*number - 1].content;
	content->ended |= event->args[2] > 0 && at == content->size;
}

void observe_call(struct observer *o, const struct event *event)
{
	const struct history *h = o->seen->history;
	uint32_t process = history_thread_process(h, event->thread), handle;
	int r;
	for (; o->changes < h->changes_count; o->changes++)
		if (h->changes[o->changes].event == event->number)
			changed(o, event, &h->changes[o->changes]);
	r = flow_of(event, &o->flow);
	if (r < 0)
		o->error = r;
	if (r > 0)
		moved(o, event);
	if (event->result < 0)
		return;
	switch (event->nr) {
	case SYS_read:
	case SYS_pread64:
		if (event->result == 0)
			ended(o, event);
		break;
	case SYS_lseek:
		handle = history_descriptor(h, event->thread, (int)event->args[0]);
		if (handle && event->args[2] <= SEEK_END)
			*position(o, handle) = (uint64_t)event->result;
		break;
	case SYS_umask: *observe_umask(o, process) = (mode_t)event->args[0] & 0777; break;
	case SYS_sendfile: copied(o, event, (int)event->args[1], (int)event->args[0]); break;
	case SYS_copy_file_range:
	case SYS_splice: copied(o, event, (int)event->args[0], (int)event->args[2]); break;
	case SYS_ioctl:
		if (event->args[1] == FICLONE || event->args[1] == FICLONERANGE)
			cloned(o, event);
		break;
	case SYS_vmsplice: copied(o, event, -1, (int)event->args[0]); break;
	case SYS_tee: copied(o, event, -1, (int)event->args[1]); break;
	}
}

void observe_refused(struct observer *o, const struct event *event)
{
	struct seen *seen;
	char name[64];
	if (event->nr != SYS_socket)
		return;
	snprintf(name, sizeof(name), "refused socket of family %d, type %d", (int)event->args[0],
		 (int)event->args[1] & 0xf);
	seen = observe_add(o, SEEN_CHANNEL, name, event->number);
	if (seen)
		seen->absent = true;
}
