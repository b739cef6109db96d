#include "history_inside.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

static const char *path_of_place(struct history *history, uint32_t place)
{
	struct history_inside *inside = history->inside;
	size_t length = place_path(&inside->places, place, inside->path, sizeof(inside->path));
	const char *path = pool_keep(&inside->pool, inside->path, length);
	if (!path)
		inside->error = -ENOMEM;
	return path ? path : "";
}

struct history_file *file_get(const struct history *history, uint32_t file)
{
	return file > 0 && file <= history->files_count ? &history->files[file - 1] : NULL;
}

uint32_t file_new(struct history *history, enum history_kind kind, const char *name)
{
	struct history_file *file = HISTORY_ADD(history, files);
	if (!file)
		return 0;
	file->kind = kind;
	file->path = name ? name : "";
	return (uint32_t)history->files_count;
}

uint32_t file_at_place(struct history *history, uint32_t number)
{
	struct place *place = place_at(&history->inside->places, number);
	if (!place)
		return 0;
	if (place->file)
		return place->file;
	uint32_t file = file_new(history, HISTORY_FILE, path_of_place(history, number));
	if (!file)
		return 0;
	file_get(history, file)->place = number;
	file_get(history, file)->names = 1;
	place->file = file;
	return file;
}

static uint32_t find_use(const struct moment *moment, uint32_t number, uint32_t process)
{
	const struct history *history = moment->history;
	uint32_t newest = file_get(history, number)->uses;
	if (newest && history->uses[newest - 1].process == process)
		return newest;
	return map_find(&moment->inside->uses, number, process);
}

struct history_use *file_use(const struct moment *moment, uint32_t number)
{
	static struct history_use spare;
	struct history *history = moment->history;
	struct history_file *file = file_get(history, number);
	uint32_t process = moment->thread->process;
	uint32_t found = file ? find_use(moment, number, process) : 0;
	struct history_use *use = found ? &history->uses[found - 1] : NULL;
	/* The newest of a file is found by the file: most have no other one, and none in the map. */
	if (!use && file && file->uses &&
	    map_set(&moment->inside->uses, number, history->uses[file->uses - 1].process, file->uses) < 0)
		moment->inside->error = -ENOMEM;
	if (!use && file && (use = HISTORY_ADD(history, uses)) != NULL) {
		use->file = number;
		use->process = process;
		use->first = moment->event->number;
		use->next = file->uses;
		file->uses = (uint32_t)history->uses_count;
	}
	if (!use)
		use = &spare;
	use->last = moment->event->number;
	return use;
}

void file_change(const struct moment *moment, uint32_t number, enum history_action action,
		 const char *other)
{
	struct history *history = moment->history;
	struct history_file *file = file_get(history, number);
	struct history_change *change = file ? HISTORY_ADD(history, changes) : NULL;
	if (!change)
		return;
	change->action = action;
	change->file = number;
	change->process = moment->thread->process;
	change->event = moment->event->number;
	change->next = file->changes;
	change->path = file->place ? path_of_place(history, file->place) : file->path;
	change->other = other ? pool_keep_text(&moment->inside->pool, other) : NULL;
	file->changes = (uint32_t)history->changes_count;
	file->changed = true;
	file->created |= action == ACTION_CREATE || action == ACTION_SYMLINK;
	file_use(moment, number);
}

/* One name less; without any the file is gone, but for those who have it open. */
static void lose_name(struct history_file *file, uint32_t place)
{
	if (file->names > 0)
		file->names--;
	file->deleted = file->names == 0;
	if (file->place == place)
		file->place = 0;
}

void file_delete(const struct moment *moment, uint32_t number, enum history_action action)
{
	struct place *place = place_at(&moment->inside->places, number);
	uint32_t file = file_at_place(moment->history, number);
	if (!place || !file)
		return;
	file_change(moment, file, action, NULL);
	file_get(moment->history, file)->last = path_of_place(moment->history, number);
	lose_name(file_get(moment->history, file), number);
	place_at(&moment->inside->places, number)->file = 0;
}

void file_rename(const struct moment *moment, uint32_t from, uint32_t to, bool exchange)
{
	struct history *history = moment->history;
	struct places *places = &moment->inside->places;
	uint32_t file = file_at_place(history, from);
	if (!file || from == to)
		return;
	if (exchange) {
		file_change(moment, file, ACTION_RENAME, path_of_place(history, to));
		uint32_t other = file_at_place(history, to);
		if (other)
			file_change(moment, other, ACTION_RENAME, path_of_place(history, from));
		place_swap(places, from, to);
		return;
	}
	const struct place *target = place_at(places, to);
	/* Two names of one file: rename does nothing. */
	if (target && target->file == file)
		return;
	if (target && target->file)
		file_delete(moment, to, ACTION_REPLACE);
	file_change(moment, file, ACTION_RENAME, path_of_place(history, to));
	place_move(places, from, to);
}

void file_link(const struct moment *moment, uint32_t from, uint32_t to)
{
	struct history *history = moment->history;
	uint32_t file = file_at_place(history, from);
	struct place *place = place_at(&moment->inside->places, to);
	if (!file || !place)
		return;
	file_change(moment, file, ACTION_LINK, path_of_place(history, to));
	place->file = file;
	file_get(history, file)->names++;
	file_get(history, file)->deleted = false;
	if (!file_get(history, file)->place)
		file_get(history, file)->place = to;
}

void file_status(const struct moment *moment, uint32_t number, const struct payload *payload)
{
	struct history_file *file = file_get(moment->history, number);
	struct statx x;
	struct stat s;
	if (!file)
		return;
	if (moment->event->nr == SYS_statx && payload->length == sizeof(x)) {
		memcpy(&x, payload->bytes, sizeof(x));
		file->mode = x.stx_mode;
		file->inode = x.stx_ino;
		file->device = makedev(x.stx_dev_major, x.stx_dev_minor);
	} else if (payload->length == sizeof(s)) {
		memcpy(&s, payload->bytes, sizeof(s));
		file->mode = s.st_mode;
		file->inode = s.st_ino;
		file->device = s.st_dev;
	}
}

void file_mapped(const struct moment *moment, uint32_t number, const struct mapping *mapping)
{
	struct history_file *file = file_get(moment->history, number);
	if (!file)
		return;
	file_use(moment, number)->maps++;
	memcpy(file->content, mapping->digest, DIGEST_BYTES);
	if (mapping->backing == BACKING_SHARED && mapping->prot & 2U)
		file->mapped_writable = file->changed = true;
}
