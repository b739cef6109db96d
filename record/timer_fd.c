/*
 * timerfd on the virtual clock: an eventfd to the kernel, into which expirations are written. The recorder keeps no descriptor
 * of it, which would let it live on when the guests have closed it: it copies one from a guest that has it when it has
 * something to tell. Only of those that were sent over a socket, and may be in no guest's table for a while, it keeps a copy.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"
#include "../sandbox/register.h"
#include "timer.h"
#include "timers.h"

#define LINE_BYTES 128
#define EVENT_LINK "anon_inode:[eventfd]"
#define CONTROL_BYTES_MAX 4096U
#define MESSAGES_MAX 1024U
#define TIMERS_BEFORE_SWEEP 64U

/* The number that names an eventfd everywhere (proc_pid_fdinfo(5)), -1 when it is none. */
static int event_number(pid_t tid, int fd)
{
	char path[64], line[LINE_BYTES];
	int number = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tid, fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "eventfd-id: %d", &number) == 1)
			break;
	}
	if (file)
		fclose(file);
	return number;
}

/* Notes which timers the thread's descriptor table has. */
static void look_at_table(struct recorder *rec, pid_t tid)
{
	char path[64], link[sizeof(EVENT_LINK)];
	struct dirent *entry;
	struct timer *timer;
	DIR *directory;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd", tid);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		n = readlinkat(dirfd(directory), entry->d_name, link, sizeof(link));
		if (n != sizeof(link) - 1 || memcmp(link, EVENT_LINK, sizeof(link) - 1) != 0)
			continue;
		timer = timer_find(rec, TIMER_FD, NULL, event_number(tid, atoi(entry->d_name)));
		if (!timer)
			continue;
		timer->held = true;
		timer->holder = tid;
		timer->fd = atoi(entry->d_name);
	}
	if (directory)
		closedir(directory);
}

static bool shares_table(const struct thread *a, const struct thread *b)
{
	return a->process == b->process && syscall(SYS_kcmp, a->tid, b->tid, KCMP_FILES, 0, 0) == 0;
}

/* Which timers some guest has. */
static void look_at_all(struct recorder *rec)
{
	for (struct timer *t = rec->timers; t; t = t->next)
		t->held = false;
	for (const struct thread *t = rec->guests.first; t; t = t->next) {
		const struct thread *before = rec->guests.first;

		while (before != t && !shares_table(before, t))
			before = before->next;
		if (before == t)
			look_at_table(rec, t->tid);
	}
}

/* A copy that the caller closes, negative when no guest has the timer. */
static int copy_of(struct recorder *rec, struct timer *timer)
{
	if (timer->kept >= 0)
		return fcntl(timer->kept, F_DUPFD_CLOEXEC, 0);
	if (event_number(timer->holder, timer->fd) != timer->id) {
		look_at_all(rec);
		if (!timer->held)
			return -EBADF;
	}
	return fd_copy(timer->holder, timer->fd);
}

bool timer_fd_tell(struct recorder *rec, struct timer *timer, uint64_t count)
{
	int copy = copy_of(rec, timer);

	if (copy < 0)
		return false;
	(void)!write(copy, &count, sizeof(count));
	close(copy);
	return true;
}

/* So that many which were closed before they came to an end are not kept either. */
static void sweep(struct recorder *rec)
{
	size_t count = 0;

	for (const struct timer *t = rec->timers; t; t = t->next)
		count += t->kind == TIMER_FD;
	if (count < TIMERS_BEFORE_SWEEP + 2 * rec->timers_kept)
		return;
	look_at_all(rec);
	rec->timers_kept = 0;
	for (struct timer **at = &rec->timers; *at;) {
		if ((*at)->kind == TIMER_FD && !(*at)->held && (*at)->kept < 0) {
			timer_drop(at);
			continue;
		}
		rec->timers_kept += (*at)->kind == TIMER_FD;
		at = &(*at)->next;
	}
}

/* A new eventfd has the number of one that is gone. */
static void forget_number(struct recorder *rec, int number)
{
	for (struct timer **at = &rec->timers; *at; at = &(*at)->next) {
		if ((*at)->kind == TIMER_FD && (*at)->id == number) {
			timer_drop(at);
			return;
		}
	}
}

int timer_fd_create(struct recorder *rec, struct thread *thread, bool *ret_answered)
{
	struct registers run = thread->registers;
	clockid_t clock = (clockid_t)thread->call.args[0];

	*ret_answered = !timer_is_clock(clock) || clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID ||
			clock == CLOCK_THREAD_CPUTIME_ID || clock == CLOCK_TAI;
	if (*ret_answered)
		return record_answer(rec, thread, -EINVAL);
	/* Its flags are the same. */
	run.orig_rax = SYS_eventfd2;
	run.rdi = 0;
	return register_set(thread->tid, &run);
}

int timers_created(struct recorder *rec, struct thread *thread, int64_t result)
{
	struct timer *timer;
	int number, r;

	thread->registers.rdi = thread->call.args[0];
	thread->registers.orig_rax = thread->call.nr;
	r = stop_set_registers(thread);
	if (r < 0 || result < 0)
		return r;
	number = event_number(thread->tid, (int)result);
	forget_number(rec, number);
	sweep(rec);
	timer = timer_add(rec, TIMER_FD, thread->process, number);
	if (!timer)
		return -ENOMEM;
	timer->clock = (clockid_t)thread->call.args[0];
	timer->holder = thread->tid;
	timer->fd = (int)result;
	return 0;
}

void timers_number_taken(struct recorder *rec, const struct thread *thread, int64_t result)
{
	if (rec->timers && result >= 0)
		forget_number(rec, event_number(thread->tid, (int)result));
}

/* What has not been read yet goes with the old setting. */
static void drain(const struct thread *thread)
{
	int copy = fd_copy(thread->tid, (int)thread->call.args[0]), flags;
	uint64_t count;

	if (copy < 0)
		return;
	flags = fcntl(copy, F_GETFL);
	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(copy, F_SETFL, flags | O_NONBLOCK);
	(void)!read(copy, &count, sizeof(count));
	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(copy, F_SETFL, flags);
	close(copy);
}

int timer_fd_answer(struct recorder *rec, struct thread *thread)
{
	int number = event_number(thread->tid, (int)thread->call.args[0]);
	struct timer *timer = number < 0 ? NULL : timer_find(rec, TIMER_FD, NULL, number);
	bool set = thread->call.nr == SYS_timerfd_settime;
	int64_t words[4], before[4], result = 0;
	char path[64];
	struct stat st;
	int r = 0;

	if (!timer) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", thread->tid, (int)thread->call.args[0]);
		return record_answer(rec, thread, lstat(path, &st) < 0 ? -EBADF : -EINVAL);
	}
	timer->holder = thread->tid;
	timer->fd = (int)thread->call.args[0];
	timer_describe(rec, timer, 1, before);
	if (set) {
		if (!timer_take_words(thread, 2, words))
			return record_answer(rec, thread, -EFAULT);
		if (thread->call.args[1] & ~(uint64_t)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
			return record_answer(rec, thread, -EINVAL);
		result = timer_arm(rec, timer, words, 1, thread->call.args[1] & TFD_TIMER_ABSTIME);
		if (result == 0)
			drain(thread);
	}
	if (result == 0)
		r = timer_give_words(rec, thread, set ? 3 : 1, before, &result);
	return r < 0 ? r : record_answer(rec, thread, result);
}

static void keep(struct recorder *rec, const struct thread *thread, int fd)
{
	struct timer *timer = timer_find(rec, TIMER_FD, NULL, event_number(thread->tid, fd));

	if (timer && timer->kept < 0)
		timer->kept = fd_copy(thread->tid, fd);
	if (timer && timer->kept < 0)
		timer->kept = -1;
}

/* The descriptors in one message's control data, cmsg(3). */
static void keep_sent(struct recorder *rec, struct thread *thread, uint64_t address)
{
	static uint64_t control[CONTROL_BYTES_MAX / sizeof(uint64_t)];
	struct msghdr message;
	size_t length;

	if (guest_read(thread, address, &message, sizeof(message)) != sizeof(message) ||
	    !message.msg_control || message.msg_controllen < sizeof(struct cmsghdr))
		return;
	length = message.msg_controllen < sizeof(control) ? message.msg_controllen : sizeof(control);
	length = guest_read(thread, (uint64_t)(uintptr_t)message.msg_control, control, length);
	message.msg_control = control;
	message.msg_controllen = length;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		size_t at = (size_t)(CMSG_DATA(c) - (unsigned char *)control), fds;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    c->cmsg_len < CMSG_LEN(0) || at > length || c->cmsg_len - CMSG_LEN(0) > length - at)
			continue;
		fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < fds; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			keep(rec, thread, fd);
		}
	}
}

void timers_sent(struct recorder *rec, struct thread *thread, int64_t result)
{
	uint64_t messages = thread->call.nr == SYS_sendmmsg ? (uint64_t)result : 1;

	if (!rec->timers || result < 0)
		return;
	for (uint64_t i = 0; i < messages && i < MESSAGES_MAX; i++)
		keep_sent(rec, thread, thread->call.args[1] + i * sizeof(struct mmsghdr));
}
