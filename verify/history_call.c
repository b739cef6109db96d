#include "history_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "../traces/syscall.h"

#define NR_OPENAT2 437U
#define NR_CLOSE_RANGE 436U
#define NR_FCHMODAT2 452U
#define NR_SETXATTRAT 463U
#define NR_REMOVEXATTRAT 466U
#define CALLS_MAX 512U
#define EXCHANGE 2U /* RENAME_EXCHANGE */
#define SHORT_CLOEXEC 1U

typedef void step(const struct moment *moment);

/* What a call does to paths. */
enum deed {
	DEED_LOOK = 0,
	DEED_OPEN,
	DEED_DELETE,
	DEED_RENAME,
	DEED_LINK,
	DEED_SYMLINK,
	DEED_CHDIR,
	DEED_CHROOT,
	DEED_CHANGE, /* by `action` */
};

const char *call_path(const struct event *event, unsigned int argument)
{
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];
		if (p->arg == argument && p->direction == DIRECTION_IN && p->length > 0 &&
		    p->bytes[p->length - 1] == '\0')
			return (const char *)p->bytes;
	}
	return NULL;
}

uint32_t call_place(const struct moment *moment, int dirfd, const char *path)
{
	const struct directories *directories = moment->thread->directories;
	uint32_t from = directories ? directories->current : PLACE_ROOT;
	if (dirfd != AT_FDCWD && path[0] != '/') {
		const struct history_handle *handle = handle_get(moment->history,
								 handle_find(moment->thread, dirfd));
		const struct history_file *file = handle ? file_get(moment->history, handle->file)
							 : NULL;
		from = file ? file->place : 0;
	}
	return from ? place_walk(&moment->inside->places,
				 directories ? directories->root : PLACE_ROOT, from, path)
		    : 0;
}

/* Directory that a path argument starts at: the descriptor before it, where the call has one there. */
static int base_of(const struct event *event, const struct row *row, unsigned int i)
{
	if (i == 0 || row->args[i - 1].kind != ARG_FD || event->nr == SYS_inotify_add_watch)
		return AT_FDCWD;
	return (int)event->args[i - 1];
}

static uint64_t open_flags(const struct event *event)
{
	uint64_t flags = 0;
	switch (event->nr) {
	case SYS_open: return event->args[1];
	case SYS_openat: return event->args[2];
	case SYS_creat: return O_CREAT | O_WRONLY | O_TRUNC;
	case NR_OPENAT2: break;
	default: return 0;
	}
	for (size_t i = 0; i < event->payloads_count; i++)
		if (event->payloads[i].arg == 2 && event->payloads[i].length >= sizeof(flags))
			memcpy(&flags, event->payloads[i].bytes, sizeof(flags));
	return flags;
}

static bool is_for_writing(uint64_t flags)
{
	return (flags & O_ACCMODE) == O_WRONLY || (flags & O_ACCMODE) == O_RDWR;
}

static void do_open(const struct moment *moment, uint32_t file)
{
	const struct event *event = moment->event;
	uint64_t flags = open_flags(event);
	struct history_file *opened = file_get(moment->history, file);
	struct history_use *use = file_use(moment, file);
	if (!opened)
		return;
	if (flags & O_CREAT && (flags & O_EXCL || opened->absent))
		file_change(moment, file, ACTION_CREATE, NULL);
	else if (flags & O_TRUNC && is_for_writing(flags))
		file_change(moment, file, ACTION_TRUNCATE, NULL);
	use = file_use(moment, file);
	use->opens++;
	use->opens_for_writing += is_for_writing(flags);
	opened = file_get(moment->history, file);
	opened->opened = true;
	opened->absent = false;
	handle_set(moment, event->result, handle_new(moment, file, (uint32_t)flags), flags & O_CLOEXEC);
}

/* O_TMPFILE makes a file without a name in a directory. */
static bool makes_nameless(uint64_t flags)
{
	return (flags & O_TMPFILE) == O_TMPFILE;
}

static void fail_path(const struct moment *moment, uint32_t place)
{
	bool missing = moment->event->result == -ENOENT || moment->event->result == -ENOTDIR;
	bool known = place_at(&moment->inside->places, place) &&
		     place_at(&moment->inside->places, place)->file != 0;
	uint32_t file = file_at_place(moment->history, place);
	if (!file)
		return;
	file_use(moment, file)->failures++;
	if (missing && !known)
		file_get(moment->history, file)->absent = true;
}

static const struct deed_row {
	uint8_t deed, argument, action;
	uint8_t by_descriptor; /* the file is that of descriptor 0 */
} deeds[CALLS_MAX] = {
	[SYS_open] = { DEED_OPEN, 0, 0, 0 },
	[SYS_openat] = { DEED_OPEN, 1, 0, 0 },
	[NR_OPENAT2] = { DEED_OPEN, 1, 0, 0 },
	[SYS_creat] = { DEED_OPEN, 0, 0, 0 },
	[SYS_unlink] = { DEED_DELETE, 0, 0, 0 },
	[SYS_unlinkat] = { DEED_DELETE, 1, 0, 0 },
	[SYS_rmdir] = { DEED_DELETE, 0, 0, 0 },
	[SYS_rename] = { DEED_RENAME, 0, 0, 0 },
	[SYS_renameat] = { DEED_RENAME, 1, 0, 0 },
	[SYS_renameat2] = { DEED_RENAME, 1, 0, 0 },
	[SYS_link] = { DEED_LINK, 0, 0, 0 },
	[SYS_linkat] = { DEED_LINK, 1, 0, 0 },
	[SYS_symlink] = { DEED_SYMLINK, 1, 0, 0 },
	[SYS_symlinkat] = { DEED_SYMLINK, 2, 0, 0 },
	[SYS_chdir] = { DEED_CHDIR, 0, 0, 0 },
	[SYS_chroot] = { DEED_CHROOT, 0, 0, 0 },
	[SYS_mkdir] = { DEED_CHANGE, 0, ACTION_CREATE, 0 },
	[SYS_mkdirat] = { DEED_CHANGE, 1, ACTION_CREATE, 0 },
	[SYS_mknod] = { DEED_CHANGE, 0, ACTION_CREATE, 0 },
	[SYS_mknodat] = { DEED_CHANGE, 1, ACTION_CREATE, 0 },
	[SYS_truncate] = { DEED_CHANGE, 0, ACTION_TRUNCATE, 0 },
	[SYS_ftruncate] = { DEED_CHANGE, 0, ACTION_TRUNCATE, 1 },
	[SYS_chmod] = { DEED_CHANGE, 0, ACTION_MODE, 0 },
	[SYS_fchmod] = { DEED_CHANGE, 0, ACTION_MODE, 1 },
	[SYS_fchmodat] = { DEED_CHANGE, 1, ACTION_MODE, 0 },
	[NR_FCHMODAT2] = { DEED_CHANGE, 1, ACTION_MODE, 0 },
	[SYS_chown] = { DEED_CHANGE, 0, ACTION_OWNER, 0 },
	[SYS_lchown] = { DEED_CHANGE, 0, ACTION_OWNER, 0 },
	[SYS_fchown] = { DEED_CHANGE, 0, ACTION_OWNER, 1 },
	[SYS_fchownat] = { DEED_CHANGE, 1, ACTION_OWNER, 0 },
	[SYS_utime] = { DEED_CHANGE, 0, ACTION_TIMES, 0 },
	[SYS_utimes] = { DEED_CHANGE, 0, ACTION_TIMES, 0 },
	[SYS_futimesat] = { DEED_CHANGE, 1, ACTION_TIMES, 0 },
	[SYS_utimensat] = { DEED_CHANGE, 1, ACTION_TIMES, 0 },
	[SYS_setxattr] = { DEED_CHANGE, 0, ACTION_ATTRIBUTE, 0 },
	[SYS_lsetxattr] = { DEED_CHANGE, 0, ACTION_ATTRIBUTE, 0 },
	[SYS_fsetxattr] = { DEED_CHANGE, 0, ACTION_ATTRIBUTE, 1 },
	[SYS_removexattr] = { DEED_CHANGE, 0, ACTION_ATTRIBUTE, 0 },
	[SYS_lremovexattr] = { DEED_CHANGE, 0, ACTION_ATTRIBUTE, 0 },
	[SYS_fremovexattr] = { DEED_CHANGE, 0, ACTION_ATTRIBUTE, 1 },
	[NR_SETXATTRAT] = { DEED_CHANGE, 1, ACTION_ATTRIBUTE, 0 },
	[NR_REMOVEXATTRAT] = { DEED_CHANGE, 1, ACTION_ATTRIBUTE, 0 },
	[SYS_mount] = { DEED_CHANGE, 1, ACTION_MOUNT, 0 },
	[SYS_umount2] = { DEED_CHANGE, 0, ACTION_MOUNT, 0 },
};

/* The first argument that is a path, or -1. */
static int path_argument(const struct event *event, const struct row *row)
{
	const struct deed_row *deed = &deeds[event->nr];
	if (deed->deed != DEED_LOOK)
		return deed->by_descriptor ? -1 : deed->argument;
	if (row->grant != GRANT_FS_READ && row->grant != GRANT_FS_WRITE && row->grant != GRANT_FS_BY_FLAGS)
		return -1;
	for (int i = 0; i < 6; i++)
		if (row->args[i].kind == ARG_MEMORY && row->args[i].extent == EXTENT_STRING)
			return i;
	return -1;
}

static void take_status(const struct moment *moment, uint32_t file)
{
	const struct event *event = moment->event;
	bool statx = event->nr == SYS_statx;
	bool stat = statx || event->nr == SYS_stat || event->nr == SYS_lstat ||
		    event->nr == SYS_newfstatat || event->nr == SYS_fstat;
	for (size_t i = 0; stat && i < event->payloads_count; i++)
		if (event->payloads[i].direction == DIRECTION_OUT)
			file_status(moment, file, &event->payloads[i]);
}

static void second_path(const struct moment *moment, const struct row *row, uint32_t place)
{
	const struct event *event = moment->event;
	unsigned int at = deeds[event->nr].argument + 1U;
	if (row->args[at].kind == ARG_FD)
		at++;
	const char *path = call_path(event, at);
	uint32_t other = path ? call_place(moment, base_of(event, row, at), path) : 0;
	if (!other)
		return;
	if (deeds[event->nr].deed == DEED_LINK)
		file_link(moment, place, other);
	else
		file_rename(moment, place, other,
			    event->nr == SYS_renameat2 && event->args[4] & EXCHANGE);
}

static void do_deed(const struct moment *moment, const struct row *row, uint32_t place, uint32_t file)
{
	const struct deed_row *deed = &deeds[moment->event->nr];
	struct directories *directories = moment->thread->directories;
	const char *target;
	switch ((enum deed)deed->deed) {
	case DEED_LOOK:
		file_use(moment, file)->looks++;
		file_get(moment->history, file)->absent = false;
		take_status(moment, file);
		return;
	case DEED_OPEN: do_open(moment, file); return;
	case DEED_DELETE: file_delete(moment, place, ACTION_DELETE); return;
	case DEED_RENAME:
	case DEED_LINK: second_path(moment, row, place); return;
	case DEED_SYMLINK:
		target = call_path(moment->event, 0);
		file_change(moment, file, ACTION_SYMLINK, target ? target : "");
		return;
	case DEED_CHDIR:
	case DEED_CHROOT:
		if (directories && deed->deed == DEED_CHDIR)
			directories->current = place;
		else if (directories)
			directories->root = place;
		return;
	case DEED_CHANGE:
		file_change(moment, file, (enum history_action)deed->action, NULL);
		return;
	}
}

static uint32_t file_of_descriptor(const struct moment *moment, int fd)
{
	const struct history_handle *handle = handle_get(moment->history, handle_of(moment, fd));
	return handle ? handle->file : 0;
}

/* True when the call named a file, by path or by descriptor. */
static bool note_path(const struct moment *moment, const struct row *row)
{
	const struct event *event = moment->event;
	int argument = path_argument(event, row);
	const char *path = argument >= 0 ? call_path(event, (unsigned int)argument) : NULL;
	if (argument < 0 && !deeds[event->nr].by_descriptor)
		return false;
	/* An empty or absent path means the descriptor itself. */
	if (!path || path[0] == '\0') {
		int fd = argument > 0 ? (int)event->args[argument - 1] : (int)event->args[0];
		bool given = argument < 0 || row->args[argument > 0 ? argument - 1 : 0].kind == ARG_FD;
		uint32_t file = given && event->result >= 0 ? file_of_descriptor(moment, fd) : 0;
		if (file && deeds[event->nr].deed == DEED_CHANGE)
			file_change(moment, file, (enum history_action)deeds[event->nr].action, NULL);
		else if (file)
			take_status(moment, file);
		return row->result != RESULT_FD;
	}
	uint32_t place = call_place(moment, base_of(event, row, (unsigned int)argument), path);
	if (!place)
		return row->result != RESULT_FD;
	if (event->result < 0) {
		fail_path(moment, place);
		return true;
	}
	if (deeds[event->nr].deed == DEED_OPEN && makes_nameless(open_flags(event)))
		return false;
	uint32_t file = file_at_place(moment->history, place);
	if (file)
		do_deed(moment, row, place, file);
	return row->result != RESULT_FD || deeds[event->nr].deed == DEED_OPEN;
}

static void do_close(const struct moment *moment)
{
	handle_set(moment, (int)moment->event->args[0], 0, false);
}

static void copy_descriptor(const struct moment *moment, bool closes)
{
	uint32_t handle = handle_of(moment, (int)moment->event->args[0]);
	if (handle && moment->event->result != (int)moment->event->args[0])
		handle_set(moment, moment->event->result, handle, closes);
}

static void do_dup(const struct moment *moment)
{
	copy_descriptor(moment, moment->event->nr == SYS_dup3 && moment->event->args[2] & O_CLOEXEC);
}

static void do_fcntl(const struct moment *moment)
{
	int command = (int)moment->event->args[1];
	if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
		copy_descriptor(moment, command == F_DUPFD_CLOEXEC);
	else if (command == F_SETFD)
		handle_closes(moment, (int)moment->event->args[0], moment->event->args[2] & FD_CLOEXEC);
}

static void do_close_range(const struct moment *moment)
{
	const struct event *event = moment->event;
	uint32_t first = (uint32_t)event->args[0], last = (uint32_t)event->args[1];
	if (event->args[2] & CLOSE_RANGE_UNSHARE)
		handle_unshare(moment, CLONE_FILES);
	const struct descriptors *descriptors = moment->thread->descriptors;
	for (size_t fd = first; descriptors && fd <= last && fd < descriptors->count; fd++) {
		if (event->args[2] & CLOSE_RANGE_CLOEXEC)
			handle_closes(moment, (int64_t)fd, true);
		else
			handle_set(moment, (int64_t)fd, 0, false);
	}
}

static void do_unshare(const struct moment *moment)
{
	handle_unshare(moment, moment->event->args[0]);
}

/* pipe and socketpair: two descriptors in memory. */
static void do_pair(const struct moment *moment)
{
	const struct event *event = moment->event;
	bool sockets = event->nr == SYS_socketpair;
	uint64_t flags = sockets ? event->args[1] : event->nr == SYS_pipe2 ? event->args[1] : 0;
	const char *name = pool_keep_text(&moment->inside->pool, sockets ? "[socket pair]" : "[pipe]");
	uint32_t handles[2] = { 0 };
	int32_t fds[2];
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];
		if (p->direction != DIRECTION_OUT || p->length != sizeof(fds))
			continue;
		memcpy(fds, p->bytes, sizeof(fds));
		uint32_t file = sockets ? 0 : file_new(moment->history, HISTORY_PIPE, name);
		for (int n = 0; n < 2; n++) {
			if (sockets)
				file = file_new(moment->history, HISTORY_SOCKET, name);
			handles[n] = handle_new(moment, file,
						(uint32_t)flags | (!sockets && n ? O_WRONLY : 0U));
			if (sockets)
				socket_new(moment, handles[n],
					   (const int[]){ (int)event->args[0], (int)event->args[1],
							  (int)event->args[2] });
			handle_set(moment, fds[n], handles[n], flags & O_CLOEXEC);
		}
		break;
	}
	for (int n = 0; n < 2; n++)
		if (handles[0] && handles[1])
			handle_get(moment->history, handles[n])->peer = handles[!n];
	if (sockets)
		socket_pair(moment, handles[0], handles[1]);
}

static void do_socket(const struct moment *moment)
{
	const uint64_t *args = moment->event->args;
	const char *name = pool_keep_text(&moment->inside->pool, "[socket]");
	uint32_t handle = handle_new(moment, file_new(moment->history, HISTORY_SOCKET, name),
				     (uint32_t)args[1]);
	socket_new(moment, handle, (const int[]){ (int)args[0], (int)args[1], (int)args[2] });
	handle_set(moment, moment->event->result, handle, args[1] & SOCK_CLOEXEC);
}

static void do_accept(const struct moment *moment)
{
	const struct event *event = moment->event;
	uint64_t flags = event->nr == SYS_accept4 ? event->args[3] : 0;
	const char *name = pool_keep_text(&moment->inside->pool, "[socket]");
	uint32_t handle = handle_new(moment, file_new(moment->history, HISTORY_SOCKET, name),
				     (uint32_t)flags);
	socket_accept(moment, handle);
	handle_set(moment, event->result, handle, flags & SOCK_CLOEXEC);
}

static void do_fchdir(const struct moment *moment)
{
	const struct history_file *file = file_get(
		moment->history, file_of_descriptor(moment, (int)moment->event->args[0]));
	if (moment->thread->directories && file && file->place)
		moment->thread->directories->current = file->place;
}

/* The kernel moved bytes from one descriptor to another without showing them. */
static void do_copy(const struct moment *moment)
{
	const struct event *event = moment->event;
	int in = (int)event->args[0], out = (int)event->args[2];
	uint64_t bytes = (uint64_t)event->result;
	if (event->nr == SYS_sendfile) {
		in = (int)event->args[1];
		out = (int)event->args[0];
	}
	if (event->nr == SYS_tee)
		out = (int)event->args[1];
	if (bytes == 0)
		return;
	uint32_t from = handle_of(moment, in), to = handle_of(moment, out);
	handle_moved(moment, from, FLOW_READ, bytes, NULL);
	handle_moved(moment, to, FLOW_WRITE, bytes, NULL);
	const uint32_t ends[2] = { from, to };
	struct flow_message message = { .bytes = bytes };
	for (int way = 0; way < 2; way++) {
		struct flow flow = { .way = way ? FLOW_WRITE : FLOW_READ,
				     .messages = &message,
				     .messages_count = 1 };
		if (ends[way] && handle_get(moment->history, ends[way])->socket)
			socket_moved(moment, ends[way], &flow);
	}
}

static void do_map(const struct moment *moment)
{
	const struct event *event = moment->event;
	if (event->args[3] & MAP_ANONYMOUS || event->mappings_count == 0)
		return;
	uint32_t file = file_of_descriptor(moment, (int)event->args[4]);
	if (file)
		file_mapped(moment, file, &event->mappings[0]);
}

static void do_send_signal(const struct moment *moment)
{
	const struct event *event = moment->event;
	struct history_signal *signal = HISTORY_ADD(moment->history, signals);
	bool group = event->nr == SYS_tgkill || event->nr == SYS_rt_tgsigqueueinfo;
	if (!signal)
		return;
	signal->kind = SIGNAL_SENT;
	signal->process = moment->thread->process;
	signal->thread = event->thread;
	signal->target = (int32_t)event->args[group ? 1 : 0];
	signal->number = (uint32_t)event->args[group ? 2 : 1];
	signal->nr = event->nr;
	signal->event = event->number;
	signal->result = event->result;
}

static void do_getfd(const struct moment *moment)
{
	const struct history_file *pidfd = file_get(
		moment->history, file_of_descriptor(moment, (int)moment->event->args[0]));
	unsigned int pid = 0;
	uint32_t process = 0, handle = 0;
	if (pidfd && sscanf(pidfd->path, "[pidfd of %u]", &pid) == 1)
		process = map_find(&moment->inside->pids, pid, 0);
	for (size_t i = 0; process && i < moment->inside->threads_count; i++) {
		if (moment->inside->threads[i].process != process)
			continue;
		handle = handle_find(&moment->inside->threads[i], (int)moment->event->args[1]);
		break;
	}
	if (!handle)
		handle = handle_new(moment,
				    file_new(moment->history, HISTORY_OTHER,
					     pool_keep_text(&moment->inside->pool, "[passed]")),
				    0);
	socket_taken(moment, handle, (int)moment->event->result, (int)moment->event->args[1], process);
	handle_set(moment, moment->event->result, handle, true);
}

/* Everything else that makes a descriptor: the flag that closes it at exec is in different places. */
static void do_make(const struct moment *moment, const struct row *row)
{
	const struct event *event = moment->event;
	const struct row *own = syscall_row(event->nr);
	char name[300];
	bool closes = false;
	snprintf(name, sizeof(name), "[%s]", own ? own->name : row->name);
	const char *text = event->nr == SYS_memfd_create ? call_path(event, 0) : NULL;
	if (text)
		snprintf(name, sizeof(name), "[memfd %.250s]", text);
	if (event->nr == 434) /* pidfd_open */
		snprintf(name, sizeof(name), "[pidfd of %d]", (int)event->args[0]);
	for (unsigned int i = 0; i < 6; i++) {
		const char *argument = row->args[i].name;
		if (!argument || strcmp(argument, "flags") != 0)
			continue;
		bool is_short = event->nr == SYS_memfd_create || event->nr == SYS_fanotify_init ||
				event->nr == 430 || event->nr == 432 || event->nr == 433;
		closes = event->args[i] & (is_short ? SHORT_CLOEXEC : O_CLOEXEC);
	}
	if (makes_nameless(open_flags(event)))
		snprintf(name, sizeof(name), "[nameless file]");
	uint32_t file = file_new(moment->history, HISTORY_OTHER,
				 pool_keep_text(&moment->inside->pool, name));
	handle_set(moment, event->result, handle_new(moment, file, 0), closes || event->nr == 434);
}

static step *const steps[CALLS_MAX] = {
	[SYS_close] = do_close,
	[SYS_dup] = do_dup,
	[SYS_dup2] = do_dup,
	[SYS_dup3] = do_dup,
	[SYS_fcntl] = do_fcntl,
	[NR_CLOSE_RANGE] = do_close_range,
	[SYS_unshare] = do_unshare,
	[SYS_pipe] = do_pair,
	[SYS_pipe2] = do_pair,
	[SYS_socketpair] = do_pair,
	[SYS_socket] = do_socket,
	[SYS_accept] = do_accept,
	[SYS_accept4] = do_accept,
	[SYS_bind] = socket_bind,
	[SYS_listen] = socket_listen,
	[SYS_getsockname] = socket_named,
	[SYS_getpeername] = socket_named,
	[SYS_fchdir] = do_fchdir,
	[SYS_sendfile] = do_copy,
	[SYS_splice] = do_copy,
	[SYS_tee] = do_copy,
	[SYS_copy_file_range] = do_copy,
	[SYS_mmap] = do_map,
	[438] = do_getfd,
};

static step *const always[CALLS_MAX] = {
	[SYS_connect] = socket_connect,		[SYS_kill] = do_send_signal,
	[SYS_tkill] = do_send_signal,		[SYS_tgkill] = do_send_signal,
	[SYS_rt_sigqueueinfo] = do_send_signal, [SYS_rt_tgsigqueueinfo] = do_send_signal,
};

static void note_flow(const struct moment *moment)
{
	struct flow *flow = &moment->inside->flow;
	int r = flow_of(moment->event, flow);
	if (r < 0)
		moment->inside->error = r;
	if (r <= 0)
		return;
	uint32_t handle = handle_of(moment, flow->fd);
	if (!handle)
		return;
	handle_moved(moment, handle, flow->way, flow->bytes, flow);
	if (handle_get(moment->history, handle)->socket)
		socket_moved(moment, handle, flow);
	if (moment->event->sink && flow->way == FLOW_WRITE &&
	    map_set(&moment->inside->sinks, moment->event->sink, 0,
		    handle_get(moment->history, handle)->file) < 0)
		moment->inside->error = -ENOMEM;
}

void call_note(const struct moment *moment)
{
	const struct event *event = moment->event;
	const struct row *row = event->nr < CALLS_MAX ? syscall_resolve(event->nr, event->args) : NULL;
	if (!row)
		return;
	if (always[event->nr])
		always[event->nr](moment);
	if (note_path(moment, row) || event->result < 0)
		return;
	if (steps[event->nr])
		steps[event->nr](moment);
	else if (flow_is_known(event->nr))
		note_flow(moment);
	else if (row->result == RESULT_FD)
		do_make(moment, row);
	else if (event->nr == SYS_fstat)
		take_status(moment, file_of_descriptor(moment, (int)event->args[0]));
}
