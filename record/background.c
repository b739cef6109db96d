#include "background.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"

/* Device numbers of terminals: the kernel's admin-guide/devices.txt. */
#define MASTER_MAJOR 5U
#define MASTER_MINOR 2U
#define SLAVE_MAJOR_FIRST 136U
#define SLAVE_MAJOR_LAST 143U
#define SLAVES_PER_MAJOR 256U
#define TYPED_AHEAD_NS 1000000L

static bool is_master(uint64_t device)
{
	return major(device) == MASTER_MAJOR && minor(device) == MASTER_MINOR;
}

static bool is_slave(uint64_t device)
{
	return major(device) >= SLAVE_MAJOR_FIRST && major(device) <= SLAVE_MAJOR_LAST;
}

static uint64_t slave_number(uint64_t device)
{
	return (major(device) - SLAVE_MAJOR_FIRST) * SLAVES_PER_MAJOR + minor(device);
}

/* poll(2) has the worker done with what it holds for that end, unless there is something to read already. */
static void flush_end(const struct terminal_end *end)
{
	struct timespec nap = { .tv_nsec = TYPED_AHEAD_NS };
	struct pollfd look = { .fd = fd_copy(end->tid, end->fd), .events = POLLIN };

	if (look.fd < 0)
		return;
	/* An interrupt character may be on its way behind what was typed ahead: nobody tells when it arrives. */
	if (poll(&look, 1, 0) > 0 && (look.revents & POLLIN) && !end->master)
		nanosleep(&nap, NULL);
	close(look.fd);
}

/* Whether the descriptor is that end of terminal `number`. */
static bool is_end(const struct terminal_end *end, uint64_t number)
{
	unsigned int index = 0;
	char path[64];
	struct stat st;
	int copy;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", end->tid, end->fd);
	if (end->tid == 0 || stat(path, &st) < 0 || !S_ISCHR(st.st_mode))
		return false;
	if (!end->master)
		return is_slave(st.st_rdev) && slave_number(st.st_rdev) == number;
	copy = is_master(st.st_rdev) ? fd_copy(end->tid, end->fd) : -1;
	if (copy < 0)
		return false;
	if (ioctl(copy, TIOCGPTN, &index) < 0)
		index = UINT32_MAX;
	close(copy);
	return index == number;
}

/* Looks for that end among the descriptors of a process. */
static bool find_in(pid_t tid, uint64_t number, struct terminal_end *end)
{
	const struct dirent *entry;
	bool found = false;
	char path[64];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", tid);
	folder = opendir(path);
	end->tid = tid;
	while (folder && !found && (entry = readdir(folder))) {
		end->fd = atoi(entry->d_name);
		found = entry->d_name[0] != '.' && is_end(end, number);
	}
	if (folder)
		closedir(folder);
	return found;
}

/* One end of terminal `number`, wherever a guest has it open. */
static void flush_terminal(struct recorder *rec, struct terminal_end *end, uint64_t number)
{
	if (is_end(end, number)) {
		flush_end(end);
		return;
	}
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		if (t == t->process->threads && find_in(t->tid, number, end)) {
			flush_end(end);
			return;
		}
	}
	end->tid = 0;
}

void background_finish(struct recorder *rec, struct thread *thread, int64_t result)
{
	const struct row *row = thread->call.row;
	struct terminal_end written = { .tid = thread->tid, .fd = (int)thread->call.args[0] };
	struct fd_info info;
	unsigned int index;
	uint64_t number;
	int copy;

	if (result < 0 || !(row->flags & (ROW_OUTPUT | ROW_OPENS)) ||
	    (row->flags & ROW_OUTPUT && !rec->terminals))
		return;
	if (row->flags & ROW_OPENS)
		written.fd = (int)result;
	info = fd_lookup(thread->process->fds, thread->tid, written.fd);
	if (!S_ISCHR(info.mode))
		return;
	if (row->flags & ROW_OPENS) {
		rec->terminals |= is_master(info.special);
		return;
	}
	if (is_slave(info.special)) {
		number = slave_number(info.special);
	} else if (is_master(info.special)) {
		copy = fd_copy(written.tid, written.fd);
		if (copy < 0)
			return;
		number = ioctl(copy, TIOCGPTN, &index) < 0 ? UINT64_MAX : index;
		close(copy);
		/* What the other end echoes comes back to this one. */
		flush_terminal(rec, &rec->slave, number);
	} else {
		return;
	}
	rec->master.master = true;
	flush_terminal(rec, &rec->master, number);
}
