#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observe_inside.h"

static bool is_zero(const uint8_t digest[DIGEST_BYTES])
{
	static const uint8_t zeros[DIGEST_BYTES];
	return memcmp(digest, zeros, DIGEST_BYTES) == 0;
}

static const struct file_note *note_of(const struct observer *o, size_t file)
{
	return file < o->files.count ? (const struct file_note *)o->files.entries + file : NULL;
}

/* A file goes by the name that it has at the end. */
static void name_file(struct observer *o, uint32_t number, const struct file_note *note)
{
	static char path[HISTORY_PATH_BYTES];
	const struct history_file *file = &o->seen->history->files[number - 1];
	struct seen *seen = &o->seen->seen[note->seen - 1];
	int r = 0;
	history_path(o->seen->history, number, path);
	seen->name = strdup(path);
	seen->absent = file->deleted;
	seen->mapped = file->mapped_writable;
	if (!seen->name)
		o->error = -1;
	if (note->type == 'l')
		r = asprintf(&seen->state, "link to %s", note->target ? note->target : "?");
	else if (note->has_mode)
		r = asprintf(&seen->state, "%smode %04o",
			     note->type == 'd'	 ? "directory, "
			     : note->type == 'p' ? "pipe, "
						 : "",
			     note->mode);
	if (r < 0)
		seen->state = NULL;
}

static void name_channel(struct observer *o, uint32_t number, struct seen *seen)
{
	const struct history *h = o->seen->history;
	const struct history_socket *socket = &h->sockets[number - 1];
	const char *peer = socket->peer ? h->peers[socket->peer - 1].address : NULL;
	int r = 0;
	switch (socket->role) {
	case ROLE_NONE:
	case ROLE_PAIR: return;
	case ROLE_CONNECT:
		r = asprintf(&seen->name, "connection to %s", peer && *peer ? peer : "?");
		break;
	case ROLE_ACCEPT:
		r = asprintf(&seen->name, "connection accepted at %s",
			     socket->local ? socket->local : "?");
		break;
	case ROLE_LISTEN:
		r = asprintf(&seen->name, "offer of connections at %s",
			     socket->local ? socket->local : "?");
		break;
	case ROLE_DATAGRAM:
		r = asprintf(&seen->name, "datagrams to %s", peer && *peer ? peer : "?");
		break;
	}
	if (r < 0)
		seen->name = NULL;
	if (socket->role == ROLE_CONNECT && socket->result < 0) {
		seen->absent = true;
		if (asprintf(&seen->state, "failed: %s", strerror((int)-socket->result)) < 0)
			seen->state = NULL;
	}
}

/* Sockets that sent nothing count, too: an attempt to connect is something that others can see. */
static void name_channels(struct observer *o)
{
	const struct history *h = o->seen->history;
	for (uint32_t i = 1; i <= h->sockets_count && !o->error; i++) {
		const struct history_socket *socket = &h->sockets[i - 1];
		uint32_t *number;
		if (socket->role == ROLE_NONE || socket->role == ROLE_PAIR)
			continue;
		number = observe_entry(o, &o->channels, i, sizeof(*number));
		if (!number)
			return;
		struct seen *seen = *number ? &o->seen->seen[*number - 1]
					    : observe_add(o, SEEN_CHANNEL, NULL, socket->event);
		if (seen)
			name_channel(o, i, seen);
	}
}

static bool is_input(const struct history_file *file)
{
	return file->kind == HISTORY_FILE && file->path && file->path[0] == '/' && !file->created &&
	       strncmp(file->path, "/proc/", 6) != 0 && strncmp(file->path, "/sys/", 5) != 0 &&
	       strncmp(file->path, "/dev/", 5) != 0;
}

/* What was mapped or looked for in vain is an input as well. */
static void name_inputs(struct observer *o)
{
	const struct history *h = o->seen->history;
	for (uint32_t i = 1; i <= h->files_count && !o->error; i++) {
		const struct history_file *file = &h->files[i - 1];
		uint32_t *number;
		bool mapped = !is_zero(file->content) && !file->changed;
		if (!is_input(file) || (!mapped && !file->absent && (!file->opened || file->changed)))
			continue;
		number = observe_entry(o, &o->inputs, i, sizeof(*number));
		if (!number)
			return;
		struct seen *seen = *number ? &o->seen->seen[*number - 1]
					    : observe_add(o, SEEN_INPUT, file->path, 0);
		if (!seen)
			return;
		*number = (uint32_t)(seen - o->seen->seen) + 1;
		seen->absent = file->absent;
		if (mapped)
			memcpy(seen->digest, file->content, DIGEST_BYTES);
	}
}

/* The recorder summed up the outputs in another way: both must have counted the same bytes. */
static void check_outputs(struct observer *o)
{
	const struct history *h = o->seen->history;
	for (size_t i = 0; i < h->sinks_count; i++) {
		const struct sink *sink = &h->sinks[i].sink;
		if (sink->number == 1 || sink->number == 2)
			o->seen->seen[sink->number - 1]
				.content.blind |= sink->bytes !=
						  o->seen->seen[sink->number - 1].content.size;
	}
}

/* What has no name nobody can see: files that came and went, sockets that were never used. */
static void drop(struct observer *o)
{
	size_t kept = 0;
	for (size_t i = 0; i < o->seen->seen_count; i++) {
		struct seen *seen = &o->seen->seen[i];
		if (seen->name) {
			o->seen->seen[kept++] = *seen;
			continue;
		}
		free(seen->state);
		content_release(&seen->content);
	}
	o->seen->seen_count = kept;
}

void observe_finish(struct observer *o)
{
	const struct history *h = o->seen->history;
	for (uint32_t i = 1; i <= h->files_count; i++) {
		const struct file_note *note = note_of(o, i);
		const struct history_file *file = &h->files[i - 1];
		if (note && note->seen && !(file->created && file->deleted))
			name_file(o, i, note);
	}
	name_channels(o);
	name_inputs(o);
	check_outputs(o);
	drop(o);
}
