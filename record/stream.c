#include "stream.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"
#include "../sandbox/register.h"

/* Doubled by the kernel, tcp(7). How far a smaller window opens follows from when acknowledgements were sent. */
#define BUFFER_BYTES 212992
#define SYSCALL_BYTES 2 /* of the instruction */
#define PARTS_LOOKED_AT 16

/* What flags the read has; false for other calls. */
static bool read_flags(const struct call *call, uint64_t *ret_flags)
{
	*ret_flags = 0;
	switch (call->nr) {
	case SYS_read:
	case SYS_readv: return true;
	case SYS_recvfrom: *ret_flags = call->args[3]; return true;
	case SYS_recvmsg: *ret_flags = call->args[2]; return true;
	default: return false;
	}
}

static int option(int fd, int name, int otherwise)
{
	int value;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : otherwise;
}

/* Of those that wait for more than a byte, or that looking ahead changes, reads stay as they are. */
static bool is_stream(int fd)
{
	int domain = option(fd, SO_DOMAIN, AF_UNSPEC);

	return (domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX) &&
	       option(fd, SO_TYPE, 0) == SOCK_STREAM && option(fd, SO_RCVLOWAT, 1) <= 1 &&
	       option(fd, SO_PEEK_OFF, -1) < 0;
}

static int copy_socket(const struct thread *thread, int fd)
{
	struct fd_info info = fd_lookup(thread->process->fds, thread->tid, fd);
	int copy = S_ISSOCK(info.mode) ? fd_copy(thread->tid, fd) : -1;

	if (copy >= 0 && !is_stream(copy)) {
		close(copy);
		copy = -1;
	}
	return copy;
}

/* Its bytes that wait to be read, and whether it never sleeps. False for what is no stream, or listens. */
static bool look(const struct thread *thread, int *ret_waiting, bool *ret_nonblock)
{
	int copy = copy_socket(thread, (int)thread->call.args[0]);
	bool ok;

	if (copy < 0)
		return false;
	ok = ioctl(copy, SIOCINQ, ret_waiting) == 0;
	*ret_nonblock = fcntl(copy, F_GETFL) & O_NONBLOCK;
	close(copy);
	return ok;
}

/* Where the read puts its first byte, 0 for nowhere. Looking at that byte leaves there what the read will. */
static uint64_t first_byte(struct thread *thread)
{
	const struct call *call = &thread->call;
	uint64_t at = call->args[1], count = call->args[2];
	struct msghdr message;
	struct iovec part;

	if (call->nr == SYS_read || call->nr == SYS_recvfrom)
		return count > 0 ? at : 0;
	if (call->nr == SYS_recvmsg) {
		if (guest_read(thread, at, &message, sizeof(message)) != sizeof(message))
			return 0;
		at = (uint64_t)(uintptr_t)message.msg_iov;
		count = message.msg_iovlen;
	}
	for (uint64_t i = 0; i < count && i < PARTS_LOOKED_AT; i++) {
		if (guest_read(thread, at + i * sizeof(part), &part, sizeof(part)) != sizeof(part))
			return 0;
		if (part.iov_len > 0)
			return (uint64_t)(uintptr_t)part.iov_base;
	}
	return 0;
}

int stream_enter(struct thread *thread)
{
	const struct call *call = &thread->call;
	struct record_thread *own = thread->record;
	struct registers run = thread->registers;
	bool has_waited = own->has_waited, nonblock;
	uint64_t flags, buffer;
	int waiting;

	own->stream_waits = own->stream_cut = own->has_waited = false;
	if (!read_flags(call, &flags) || flags & (MSG_OOB | MSG_PEEK | MSG_WAITALL | MSG_ERRQUEUE) ||
	    !look(thread, &waiting, &nonblock))
		return 0;
	buffer = first_byte(thread);
	if (!buffer)
		return 0;
	if (waiting == 0 && !nonblock && !(flags & MSG_DONTWAIT) && !has_waited) {
		own->stream_waits = true;
		run.orig_rax = SYS_recvfrom;
		run.rsi = buffer;
		run.rdx = 1;
		run.r10 = MSG_PEEK;
		run.r8 = run.r9 = 0;
	} else if (waiting > 0 && (call->nr == SYS_read || call->nr == SYS_recvfrom) &&
		   (uint64_t)waiting < call->args[2]) {
		own->stream_cut = true;
		run.rdx = (uint64_t)waiting;
	} else {
		return 0;
	}
	return register_set(thread->tid, &run);
}

int stream_leave(struct thread *thread)
{
	struct record_thread *own = thread->record;
	struct registers *registers = &thread->registers;
	bool again = own->stream_waits && (int64_t)registers->rax >= 0;
	int r;

	if (!own->stream_waits && !own->stream_cut)
		return 0;
	registers->rsi = thread->call.args[1];
	registers->rdx = thread->call.args[2];
	registers->r10 = thread->call.args[3];
	registers->r8 = thread->call.args[4];
	registers->r9 = thread->call.args[5];
	registers->orig_rax = thread->call.nr;
	if (again) {
		registers->rip -= SYSCALL_BYTES;
		registers->rax = thread->call.nr;
		registers->orig_rax = (uint64_t)-1;
	}
	own->stream_waits = own->stream_cut = false;
	own->has_waited = again;
	r = stop_set_registers(thread);
	return r < 0 ? r : again;
}

void stream_created(struct thread *thread, int64_t result)
{
	int copy = result < 0 ? -1 : copy_socket(thread, (int)result), bytes = BUFFER_BYTES;

	if (copy < 0)
		return;
	if (option(copy, SO_DOMAIN, AF_UNIX) != AF_UNIX)
		setsockopt(copy, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	close(copy);
}
