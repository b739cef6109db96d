/* Links of /proc that name what has no path by its inode number: pipes, sockets and namespaces. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../traces/error.h"
#include "view.h"

#define LINK_BYTES_MAX sizeof(((struct record_thread *)NULL)->behind)

/* Where the kernel keeps things of that kind: the same for all processes. 0 for a name of no such kind. */
static uint64_t device_of(const char *kind)
{
	static const char *const namespaces[] = {
		"mnt",	"net", "ipc",	 "pid",	 "pid_for_children",
		"user", "uts", "cgroup", "time", "time_for_children"
	};
	struct stat status = { 0 };
	int ends[2];

	if (strcmp(kind, "pipe") == 0 || strcmp(kind, "socket") == 0) {
		if (*kind == 'p' ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
			return 0;
		fstat(ends[0], &status);
		close(ends[0]);
		close(ends[1]);
		return status.st_dev;
	}
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		if (strcmp(kind, namespaces[i]) == 0)
			return stat("/proc/self/ns/mnt", &status) ? 0 : status.st_dev;
	}
	return 0;
}

static uint64_t buffer_of(const struct call *call)
{
	return call->args[call->nr == SYS_readlink ? 1 : 2];
}

/* A shorter answer leaves what was behind it, as the kernel would have. */
void view_link_entry(struct thread *thread)
{
	struct record_thread *own = thread->record;

	own->behind_length = guest_read(thread, buffer_of(&thread->call), own->behind,
					sizeof(own->behind));
}

int view_link_return(struct recorder *rec, struct thread *thread, int64_t *result)
{
	const struct record_thread *own = thread->record;
	uint64_t address = buffer_of(&thread->call);
	char text[LINK_BYTES_MAX + 1], kind[32], shown[LINK_BYTES_MAX + 1];
	const struct view_file *file;
	unsigned long inode;
	uint64_t device;
	int end = 0, length, r;

	if (*result > (int64_t)own->behind_length ||
	    guest_read(thread, address, text, (size_t)*result) != (size_t)*result)
		return 0;
	text[*result] = '\0';
	if (sscanf(text, "%31[a-z_]:[%lu]%n", kind, &inode, &end) != 2 || end != *result)
		return 0;
	device = device_of(kind);
	if (!device)
		return 0;
	file = view_file_find(rec, device, inode);
	if (!file)
		return SWORN_ELIMIT;
	length = snprintf(shown, sizeof(shown), "%s:[%lu]", kind, file->number);
	if (length > *result)
		return 0;
	r = guest_write(thread, address, own->behind, (size_t)*result);
	*result = length;
	return r < 0 ? r : guest_write(thread, address, shown, (size_t)length);
}
