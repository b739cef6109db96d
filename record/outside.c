#include "outside.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POLLED_MAX 4096
#define LINE_BYTES 256

void outside_init(struct recorder *rec)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)) && rec->outside_count < OUTSIDE_MAX) {
		int fd = atoi(entry->d_name), flags = fcntl(fd, F_GETFD);
		struct stat st;

		if (entry->d_name[0] == '.' || fd == dirfd(folder) || flags < 0 ||
		    (flags & FD_CLOEXEC) || fstat(fd, &st) < 0)
			continue;
		if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(fd))
			rec->outside[rec->outside_count++] = (struct file_id){ st.st_dev, st.st_ino };
	}
	if (folder)
		closedir(folder);
}

/* The descriptor of the thread's process leads outside. */
static bool is_outside(const struct recorder *rec, const struct thread *thread, int fd)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", thread->tid, fd);
	if (fd < 0 || stat(path, &st) < 0)
		return false;
	if (rec->network && S_ISSOCK(st.st_mode))
		return true;
	for (size_t i = 0; i < rec->outside_count; i++) {
		if (rec->outside[i].device == st.st_dev && rec->outside[i].inode == st.st_ino)
			return true;
	}
	return false;
}

static bool polls_outside(const struct recorder *rec, struct thread *thread)
{
	uint64_t count = thread->call.args[1];
	struct pollfd one;

	for (uint64_t i = 0; i < count && i < POLLED_MAX; i++) {
		if (guest_read(thread, thread->call.args[0] + i * sizeof(one), &one, sizeof(one)) !=
		    sizeof(one))
			return false;
		if (is_outside(rec, thread, one.fd))
			return true;
	}
	return false;
}

static bool selects_outside(const struct recorder *rec, struct thread *thread)
{
	uint64_t count = thread->call.args[0], word;

	for (unsigned int set = 1; set <= 3; set++) {
		for (uint64_t i = 0; thread->call.args[set] && i < count && i < POLLED_MAX; i += 64) {
			if (guest_read(thread, thread->call.args[set] + i / 8, &word, sizeof(word)) !=
			    sizeof(word))
				return false;
			for (unsigned int bit = 0; bit < 64; bit++) {
				if ((word >> bit & 1) && is_outside(rec, thread, (int)(i + bit)))
					return true;
			}
		}
	}
	return false;
}

/* proc_pid_fdinfo(5) lists what an epoll instance watches. */
static bool epolls_outside(const struct recorder *rec, const struct thread *thread)
{
	char path[64], line[LINE_BYTES];
	bool found = false;
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", thread->tid, (int)thread->call.args[0]);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "tfd: %d", &fd) == 1 && is_outside(rec, thread, fd);
	if (file)
		fclose(file);
	return found;
}

static bool waits_outside(const struct recorder *rec, struct thread *thread)
{
	switch (thread->call.nr) {
	case SYS_poll:
	case SYS_ppoll: return polls_outside(rec, thread);
	case SYS_select:
	case SYS_pselect6: return selects_outside(rec, thread);
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case 441 /* epoll_pwait2 */: return epolls_outside(rec, thread);
	default: break;
	}
	return thread->call.row && thread->call.row->args[0].kind == ARG_FD &&
	       is_outside(rec, thread, (int)thread->call.args[0]);
}

bool outside_is_awaited(const struct recorder *rec)
{
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		if (t->run == RUN_LISTEN)
			return true;
		if ((rec->network || rec->outside_count > 0) && t->run == RUN_KERNEL &&
		    t->record->in_call && waits_outside(rec, t))
			return true;
	}
	return false;
}

static bool serves_files(pid_t tid)
{
	static const char device[] = "/dev/fuse";
	char path[64], link[sizeof(device)];
	struct dirent *entry;
	bool found = false;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", tid);
	directory = opendir(path);
	while (directory && !found && (entry = readdir(directory)))
		found = readlinkat(dirfd(directory), entry->d_name, link, sizeof(link)) ==
				sizeof(device) - 1 &&
			memcmp(link, device, sizeof(device) - 1) == 0;
	if (directory)
		closedir(directory);
	return found;
}

bool outside_serves_files(const struct recorder *rec)
{
	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		if (serves_files(t->tid))
			return true;
	}
	return false;
}

/* The number of the process's controlling terminal, proc_pid_stat(5); 0 for none. */
static int controlling_terminal(pid_t pid)
{
	char path[64], line[LINE_BYTES];
	const char *rest = NULL;
	int number = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file && fgets(line, sizeof(line), file))
		rest = strrchr(line, ')');
	if (!rest || sscanf(rest, ") %*c %*d %*d %*d %d", &number) != 1)
		number = 0;
	if (file)
		fclose(file);
	return number;
}

bool outside_signalled(const struct thread *thread, const void *siginfo)
{
	siginfo_t info;
	int terminal;

	memcpy(&info, siginfo, sizeof(info));
	/* Who is in no guest's PID namespace has number 0 there. */
	if (info.si_code <= 0)
		return (info.si_code == SI_USER || info.si_code == SI_TKILL || info.si_code == SI_QUEUE) &&
		       info.si_pid == 0;
	if (info.si_code != SI_KERNEL || (info.si_signo != SIGINT && info.si_signo != SIGQUIT))
		return false;
	terminal = controlling_terminal(getpid());
	return terminal != 0 && terminal == controlling_terminal(thread->tid);
}
