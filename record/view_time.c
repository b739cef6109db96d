/* Files that guests make and change: when that was by the virtual clock, and who owns them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"
#include "../traces/error.h"
#include "view.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#define NONE 6 /* no such argument; the array behind it holds AT_FDCWD */

/* What happened to the file that a path names. */
enum happening {
	HAPPENED_CREATE = 1,
	HAPPENED_CHANGE = 2, /* what the inode says */
	HAPPENED_PARENT = 4, /* an entry of its directory came or went */
	HAPPENED_OWNER = 8,
	HAPPENED_WRITE = 16,
	HAPPENED_FOLLOW = 32,
};

/* A call, the arguments with directory and path, and what that means. The same call may have two rows. */
struct path_call {
	uint32_t nr;
	uint8_t directory, path, happening;
};

static const struct path_call path_calls[] = {
	{ SYS_mkdir, NONE, 0, HAPPENED_CREATE | HAPPENED_PARENT },
	{ SYS_mkdirat, 0, 1, HAPPENED_CREATE | HAPPENED_PARENT },
	{ SYS_mknod, NONE, 0, HAPPENED_CREATE | HAPPENED_PARENT },
	{ SYS_mknodat, 0, 1, HAPPENED_CREATE | HAPPENED_PARENT },
	{ SYS_symlink, NONE, 1, HAPPENED_CREATE | HAPPENED_PARENT },
	{ SYS_symlinkat, 1, 2, HAPPENED_CREATE | HAPPENED_PARENT },
	{ SYS_link, NONE, 1, HAPPENED_CHANGE | HAPPENED_PARENT },
	{ SYS_linkat, 2, 3, HAPPENED_CHANGE | HAPPENED_PARENT },
	{ SYS_unlink, NONE, 0, HAPPENED_PARENT },
	{ SYS_unlinkat, 0, 1, HAPPENED_PARENT },
	{ SYS_rmdir, NONE, 0, HAPPENED_PARENT },
	{ SYS_rename, NONE, 0, HAPPENED_PARENT },
	{ SYS_rename, NONE, 1, HAPPENED_CHANGE | HAPPENED_PARENT },
	{ SYS_renameat, 0, 1, HAPPENED_PARENT },
	{ SYS_renameat, 2, 3, HAPPENED_CHANGE | HAPPENED_PARENT },
	{ SYS_renameat2, 0, 1, HAPPENED_PARENT },
	{ SYS_renameat2, 2, 3, HAPPENED_CHANGE | HAPPENED_PARENT },
	{ SYS_chmod, NONE, 0, HAPPENED_CHANGE | HAPPENED_FOLLOW },
	{ SYS_fchmodat, 0, 1, HAPPENED_CHANGE | HAPPENED_FOLLOW },
	{ SYS_chown, NONE, 0, HAPPENED_CHANGE | HAPPENED_OWNER | HAPPENED_FOLLOW },
	{ SYS_lchown, NONE, 0, HAPPENED_CHANGE | HAPPENED_OWNER },
	{ SYS_setxattr, NONE, 0, HAPPENED_CHANGE | HAPPENED_FOLLOW },
	{ SYS_lsetxattr, NONE, 0, HAPPENED_CHANGE },
	{ SYS_removexattr, NONE, 0, HAPPENED_CHANGE | HAPPENED_FOLLOW },
	{ SYS_lremovexattr, NONE, 0, HAPPENED_CHANGE },
	{ SYS_truncate, NONE, 0, HAPPENED_WRITE | HAPPENED_FOLLOW },
};

/* By the user namespace that an ordinary user's guests have. */
static uint32_t shown_owner(uint32_t id)
{
	return geteuid() ? 0 : id;
}

static int note(struct recorder *rec, const struct stat *status, unsigned int happening)
{
	struct view_file *file = happening & HAPPENED_CREATE
					 ? view_file_create(rec, status)
					 : view_file_find(rec, status->st_dev, status->st_ino);

	if (!file)
		return SWORN_ELIMIT;
	if (happening & (HAPPENED_CREATE | HAPPENED_OWNER)) {
		file->owner = shown_owner(status->st_uid);
		file->group = shown_owner(status->st_gid);
	}
	file->timed = true;
	file->change = view_stamp(rec);
	if (happening & HAPPENED_WRITE)
		file->modified = file->change;
	return 0;
}

static int note_path(struct recorder *rec, struct thread *thread, struct view_path *path,
		     unsigned int happening)
{
	struct stat status;
	int r = 0;

	path->follow = happening & HAPPENED_FOLLOW;
	if (happening & ~(unsigned int)(HAPPENED_PARENT | HAPPENED_FOLLOW) &&
	    view_path_status(rec->view, thread, path, &status) == 0)
		r = note(rec, &status, happening);
	if (r < 0 || !(happening & HAPPENED_PARENT))
		return r;
	view_path_parent(path);
	if (view_path_status(rec->view, thread, path, &status) < 0)
		return 0;
	return note(rec, &status, HAPPENED_WRITE);
}

static int note_fd(struct recorder *rec, struct thread *thread, int fd, unsigned int happening)
{
	struct stat status;

	return view_fd_status(thread, fd, &status) == 0 ? note(rec, &status, happening) : 0;
}

/* Written by a descriptor, which is told by the cache: this is what happens most. */
static int note_written(struct recorder *rec, struct thread *thread, int fd)
{
	struct fd_info info = fd_lookup(thread->process->fds, thread->tid, fd);
	struct stat status = { .st_dev = info.device, .st_ino = info.inode };

	return S_ISREG(info.mode) ? note(rec, &status, HAPPENED_WRITE) : 0;
}

/* utime(2), utimes(2), utimensat(2): one of the times from the guest's memory, by the call's own kind of structure. */
static void choose_time(struct recorder *rec, struct thread *thread, unsigned int which,
			struct timespec *time)
{
	uint32_t nr = thread->call.nr;
	uint64_t address = thread->call.args[nr == SYS_utime || nr == SYS_utimes ? 1 : 2];
	size_t size = nr == SYS_utime ? sizeof(time_t) : sizeof(*time);
	struct timespec given = { 0 };

	if (address && guest_read(thread, address + which * size, &given, size) != size)
		return;
	if (!address || (nr == SYS_utimensat && given.tv_nsec == UTIME_NOW))
		given = view_stamp(rec);
	else if (nr == SYS_utimensat && given.tv_nsec == UTIME_OMIT)
		return;
	else if (nr != SYS_utimensat)
		given.tv_nsec *= 1000;
	*time = given;
}

/* The file of utime(2) and its like: by a path, or the descriptor itself. */
static bool timed_status(struct recorder *rec, struct thread *thread, struct stat *ret)
{
	const uint64_t *args = thread->call.args;
	bool by_path = thread->call.nr == SYS_utime || thread->call.nr == SYS_utimes;
	struct view_path path;

	if (!by_path && !args[1])
		return view_fd_status(thread, (int)args[0], ret) == 0;
	if (view_path_read(thread, by_path ? AT_FDCWD : (int)args[0], args[by_path ? 0 : 1], &path) < 0)
		return false;
	path.follow = thread->call.nr != SYS_utimensat || !(args[3] & AT_SYMLINK_NOFOLLOW);
	return view_path_status(rec->view, thread, &path, ret) == 0;
}

static int set_times(struct recorder *rec, struct thread *thread)
{
	struct view_file *file;
	struct stat status;

	if (!timed_status(rec, thread, &status))
		return 0;
	file = view_file_find(rec, status.st_dev, status.st_ino);
	if (!file)
		return SWORN_ELIMIT;
	choose_time(rec, thread, 0, &file->access);
	choose_time(rec, thread, 1, &file->modified);
	file->timed = true;
	file->change = view_stamp(rec);
	return 0;
}

struct opening {
	uint64_t flags;
	struct view_path path;
};

/* False for calls that open nothing by a path. */
static bool read_opening(struct thread *thread, struct opening *ret)
{
	const uint64_t *args = thread->call.args;
	bool at = thread->call.nr == SYS_openat || thread->call.nr == SYS_openat2;
	struct open_how how = { 0 };

	switch (thread->call.nr) {
	case SYS_open: how.flags = args[1]; break;
	case SYS_creat: how.flags = O_CREAT | O_WRONLY | O_TRUNC; break;
	case SYS_openat: how.flags = args[2]; break;
	case SYS_openat2: guest_read(thread, args[2], &how, sizeof(how)); break;
	default: return false;
	}
	ret->flags = how.flags;
	if (!(how.flags & (O_CREAT | O_TRUNC | __O_TMPFILE)) || (how.flags & O_PATH))
		return false;
	return view_path_read(thread, at ? (int)args[0] : AT_FDCWD, args[at ? 1 : 0], &ret->path) == 0;
}

void view_time_entry(struct recorder *rec, struct thread *thread)
{
	struct opening opening;
	struct stat status;

	thread->record->absent = false;
	if (!read_opening(thread, &opening) || !(opening.flags & O_CREAT))
		return;
	opening.path.follow = !(opening.flags & (O_NOFOLLOW | O_EXCL));
	thread->record->absent = view_path_status(rec->view, thread, &opening.path, &status) < 0;
}

static int note_opened(struct recorder *rec, struct thread *thread, int fd)
{
	struct opening opening;
	int r;

	if (!read_opening(thread, &opening))
		return 0;
	if ((opening.flags & __O_TMPFILE) == __O_TMPFILE)
		return note_fd(rec, thread, fd, HAPPENED_CREATE);
	if (thread->record->absent) {
		r = note_fd(rec, thread, fd, HAPPENED_CREATE);
		return r < 0 ? r : note_path(rec, thread, &opening.path, HAPPENED_PARENT);
	}
	fd_forget(thread->process->fds, fd);
	return opening.flags & O_TRUNC ? note_written(rec, thread, fd) : 0;
}

/* A socket that got a name in the file system. */
static int note_bound(struct recorder *rec, struct thread *thread)
{
	struct view_path path = { .directory = AT_FDCWD };
	struct sockaddr_un name = { 0 };
	size_t size = (size_t)(uint32_t)thread->call.args[2];

	if (size > sizeof(name))
		size = sizeof(name);
	if (guest_read(thread, thread->call.args[1], &name, size) != size ||
	    name.sun_family != AF_UNIX || !name.sun_path[0])
		return 0;
	memcpy(path.text, name.sun_path, sizeof(name.sun_path));
	return note_path(rec, thread, &path, HAPPENED_CREATE | HAPPENED_PARENT);
}

static int note_path_call(struct recorder *rec, struct thread *thread)
{
	uint64_t args[NONE + 1];

	memcpy(args, thread->call.args, NONE * sizeof(args[0]));
	args[NONE] = (uint64_t)AT_FDCWD;
	for (size_t i = 0; i < sizeof(path_calls) / sizeof(path_calls[0]); i++) {
		const struct path_call *call = &path_calls[i];
		struct view_path path;
		int r;

		if (call->nr != thread->call.nr)
			continue;
		r = view_path_read(thread, (int)args[call->directory], args[call->path], &path);
		r = r < 0 ? 0 : note_path(rec, thread, &path, call->happening);
		if (r < 0)
			return r;
	}
	return 0;
}

/* fchownat(2) and fchmodat2: with flags of their own. */
static int note_at_call(struct recorder *rec, struct thread *thread)
{
	const uint64_t *args = thread->call.args;
	bool owner = thread->call.nr == SYS_fchownat;
	uint64_t flags = args[owner ? 4 : 3];
	unsigned int happening = HAPPENED_CHANGE | (owner ? HAPPENED_OWNER : 0U) |
				 (flags & AT_SYMLINK_NOFOLLOW ? 0U : HAPPENED_FOLLOW);
	struct view_path path;

	if (view_path_read(thread, (int)args[0], args[1], &path) < 0)
		return 0;
	return note_path(rec, thread, &path, happening);
}

int view_time_return(struct recorder *rec, struct thread *thread, int64_t result)
{
	const struct call *call = &thread->call;
	const uint64_t *args = call->args;

	switch (call->nr) {
	case SYS_open:
	case SYS_creat:
	case SYS_openat:
	case SYS_openat2: return note_opened(rec, thread, (int)result);
	case SYS_memfd_create: return note_fd(rec, thread, (int)result, HAPPENED_CREATE);
	case SYS_fchmod:
	case SYS_fsetxattr:
	case SYS_fremovexattr: return note_fd(rec, thread, (int)args[0], HAPPENED_CHANGE);
	case SYS_fchown:
		return note_fd(rec, thread, (int)args[0], HAPPENED_CHANGE | HAPPENED_OWNER);
	case SYS_fchownat:
	case SYS_fchmodat2: return note_at_call(rec, thread);
	case SYS_utime:
	case SYS_utimes:
	case SYS_futimesat:
	case SYS_utimensat: return set_times(rec, thread);
	case SYS_bind: return note_bound(rec, thread);
	case SYS_mmap:
		return args[3] & MAP_SHARED && args[2] & PROT_WRITE && !(args[3] & MAP_ANONYMOUS)
			       ? note_written(rec, thread, (int)args[4])
			       : 0;
	case SYS_copy_file_range:
	case SYS_splice: return result > 0 ? note_written(rec, thread, (int)args[2]) : 0;
	case SYS_ftruncate:
	case SYS_fallocate: return note_written(rec, thread, (int)args[0]);
	default: break;
	}
	if (call->row->flags & (ROW_OUTPUT | ROW_WRITES_FILE) && call->nr != SYS_truncate)
		return result > 0 ? note_written(rec, thread, (int)args[0]) : 0;
	return note_path_call(rec, thread);
}
