#include "socket_time.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"

#define BILLION 1000000000ULL
#define MILLION 1000000
#define SECONDS_MAX 9000000000LL
/* asm-generic/socket.h; of a timeval of 64 bits both have one layout. */
#define RECEIVE_NEW 66
#define SEND_NEW 67

struct socket_time {
	uint64_t inode;
	uint64_t wait_ns[2]; /* receiving, sending; UINT64_MAX: for ever */
	struct timeval told[2];
	int nodelay;		  /* TCP_NODELAY as the guest set it; the kernel's is set always */
	struct socket_time *next; /* same bucket */
};

/* 0 for receiving, 1 for sending, -1 for another option. */
static int direction(const struct call *call)
{
	if ((int)call->args[1] != SOL_SOCKET)
		return -1;
	switch ((int)call->args[2]) {
	case SO_RCVTIMEO:
	case RECEIVE_NEW: return 0;
	case SO_SNDTIMEO:
	case SEND_NEW: return 1;
	default: return -1;
	}
}

/* The number of the socket, 0 for what is none. */
static uint64_t number_of(const struct thread *thread, int fd)
{
	struct fd_info info = fd_lookup(thread->process->fds, thread->tid, fd);

	return S_ISSOCK(info.mode) ? info.inode : 0;
}

static struct socket_time *find(const struct recorder *rec, uint64_t inode)
{
	struct socket_time *time = rec->socket_times[inode % SOCKET_TIMES];

	while (time && time->inode != inode)
		time = time->next;
	return time;
}

static struct socket_time *find_or_add(struct recorder *rec, uint64_t inode)
{
	struct socket_time *time = find(rec, inode),
			   **bucket = &rec->socket_times[inode % SOCKET_TIMES];

	if (time)
		return time;
	time = calloc(1, sizeof(*time));
	if (!time)
		return NULL;
	time->inode = inode;
	time->wait_ns[0] = time->wait_ns[1] = UINT64_MAX;
	time->next = *bucket;
	*bucket = time;
	return time;
}

void socket_time_release(struct recorder *rec)
{
	for (size_t i = 0; i < SOCKET_TIMES; i++) {
		struct socket_time *next;

		for (struct socket_time *time = rec->socket_times[i]; time; time = next) {
			next = time->next;
			free(time);
		}
		rec->socket_times[i] = NULL;
	}
}

/* socket(7): nothing means for ever. */
static int set(struct recorder *rec, struct thread *thread, uint64_t inode, int which)
{
	struct socket_time *time;
	struct timeval value;

	if ((int)thread->call.args[4] < (int)sizeof(value))
		return record_answer(rec, thread, -EINVAL);
	if (guest_read(thread, thread->call.args[3], &value, sizeof(value)) != sizeof(value))
		return record_answer(rec, thread, -EFAULT);
	if (value.tv_usec < 0 || value.tv_usec >= MILLION)
		return record_answer(rec, thread, -EDOM);
	time = find_or_add(rec, inode);
	if (!time)
		return -ENOMEM;
	if (value.tv_sec < 0) {
		time->wait_ns[which] = 0;
		value = (struct timeval){ 0 };
	} else if (value.tv_sec == 0 && value.tv_usec == 0) {
		time->wait_ns[which] = UINT64_MAX;
	} else {
		if (value.tv_sec > SECONDS_MAX)
			value.tv_sec = SECONDS_MAX;
		time->wait_ns[which] = (uint64_t)value.tv_sec * BILLION + (uint64_t)value.tv_usec * 1000;
	}
	time->told[which] = value;
	return record_answer(rec, thread, 0);
}

/* Answers getsockopt with `size` bytes, or as many as fit. */
static int give(struct recorder *rec, struct thread *thread, const void *value, size_t size)
{
	struct payload bytes = { 3, DIRECTION_OUT, thread->call.args[3], size, value };
	struct payload room = { 4, DIRECTION_OUT, thread->call.args[4], sizeof(int), NULL };
	int64_t result = 0;
	int length, r;

	if (guest_read(thread, thread->call.args[4], &length, sizeof(length)) != sizeof(length))
		return record_answer(rec, thread, -EFAULT);
	if (length < 0)
		return record_answer(rec, thread, -EINVAL);
	if (length > (int)size)
		length = (int)size;
	bytes.length = (size_t)length;
	room.bytes = (const uint8_t *)&length;
	r = record_give(rec, thread, &bytes, &result);
	if (r == 0 && result == 0)
		r = record_give(rec, thread, &room, &result);
	return r < 0 ? r : record_answer(rec, thread, result);
}

static int get(struct recorder *rec, struct thread *thread, uint64_t inode, int which)
{
	const struct socket_time *time = find(rec, inode);
	struct timeval value = time ? time->told[which] : (struct timeval){ 0 };

	return give(rec, thread, &value, sizeof(value));
}

static bool is_tcp(const struct thread *thread, int fd)
{
	int protocol = 0, copy = number_of(thread, fd) ? fd_copy(thread->tid, fd) : -1;
	socklen_t length = sizeof(protocol);

	if (copy < 0)
		return false;
	getsockopt(copy, SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
	close(copy);
	return protocol == IPPROTO_TCP;
}

static int answer_nodelay(struct recorder *rec, struct thread *thread, uint64_t inode)
{
	struct socket_time *time = find(rec, inode);
	int value = time ? time->nodelay : 0;

	if (thread->call.nr == SYS_getsockopt)
		return give(rec, thread, &value, sizeof(value));
	if ((int)thread->call.args[4] < (int)sizeof(value))
		return record_answer(rec, thread, -EINVAL);
	if (guest_read(thread, thread->call.args[3], &value, sizeof(value)) != sizeof(value))
		return record_answer(rec, thread, -EFAULT);
	time = find_or_add(rec, inode);
	if (!time)
		return -ENOMEM;
	time->nodelay = value != 0;
	return record_answer(rec, thread, 0);
}

void socket_time_created(struct thread *thread, int64_t result)
{
	int on = 1, copy;

	if (result < 0 || !is_tcp(thread, (int)result))
		return;
	copy = fd_copy(thread->tid, (int)result);
	if (copy < 0)
		return;
	setsockopt(copy, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	close(copy);
}

int socket_time_entry(struct recorder *rec, struct thread *thread, bool *ret_answered)
{
	const struct call *call = &thread->call;
	bool sets = call->nr == SYS_setsockopt;
	bool asks = sets || call->nr == SYS_getsockopt;
	int which = asks ? direction(call) : -1;
	uint64_t inode = which < 0 ? 0 : number_of(thread, (int)call->args[0]);

	if (asks && (int)call->args[1] == IPPROTO_TCP && (int)call->args[2] == TCP_NODELAY &&
	    is_tcp(thread, (int)call->args[0])) {
		*ret_answered = true;
		return answer_nodelay(rec, thread, number_of(thread, (int)call->args[0]));
	}
	*ret_answered = inode != 0;
	if (!*ret_answered)
		return 0;
	return sets ? set(rec, thread, inode, which) : get(rec, thread, inode, which);
}

uint64_t socket_time_of(const struct recorder *rec, const struct thread *thread, bool sends)
{
	uint64_t inode = number_of(thread, (int)thread->call.args[0]);
	const struct socket_time *time = inode ? find(rec, inode) : NULL;

	return time ? time->wait_ns[sends] : UINT64_MAX;
}

int socket_time_accepted(struct recorder *rec, struct thread *thread, int64_t result)
{
	uint64_t inode = result < 0 ? 0 : number_of(thread, (int)thread->call.args[0]);
	const struct socket_time *listener = inode ? find(rec, inode) : NULL;
	struct socket_time *taken;
	socklen_t length = sizeof(int);
	int domain = AF_UNIX, copy;

	if (!listener)
		return 0;
	/* A local socket starts anew. */
	copy = fd_copy(thread->tid, (int)thread->call.args[0]);
	if (copy >= 0) {
		getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &length);
		close(copy);
	}
	inode = number_of(thread, (int)result);
	if (domain == AF_UNIX || !inode)
		return 0;
	taken = find_or_add(rec, inode);
	if (!taken)
		return -ENOMEM;
	memcpy(taken->wait_ns, listener->wait_ns, sizeof(taken->wait_ns));
	memcpy(taken->told, listener->told, sizeof(taken->told));
	taken->nodelay = listener->nodelay;
	return 0;
}
