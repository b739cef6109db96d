#include "reuse.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#define SO_ATTACH_REUSEPORT_EBPF 52
#endif
#define IPV6_VERSION 6
#define IPV4_BYTES 20 /* headers, up to the ports */
#define IPV6_BYTES 40
#define NETWORK_HEADER ((uint32_t)SKF_NET_OFF)

/* The first or the second of them, by the last bit of the sender's port: with one alone the kernel ignores a number that is too high, with more any
 * program that says more than these two would have to know how many there are. */
static struct sock_filter by_sender[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NETWORK_HEADER),
	BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPV6_VERSION, 2, 0),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, NETWORK_HEADER + IPV4_BYTES),
	BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, NETWORK_HEADER + IPV6_BYTES),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1),
	BPF_STMT(BPF_RET | BPF_A, 0),
};

static int option(int fd, int name)
{
	int value;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : 0;
}

static void share(const struct thread *thread, int type)
{
	const struct sock_fprog program = { sizeof(by_sender) / sizeof(*by_sender), by_sender };
	int fd = (int)thread->call.args[0], copy = -1;

	if (S_ISSOCK(fd_lookup(thread->process->fds, thread->tid, fd).mode))
		copy = fd_copy(thread->tid, fd);
	if (copy < 0)
		return;
	/* Streams share from listen(2) on, and one that has a program before may not bind. */
	if (option(copy, SO_REUSEPORT) && option(copy, SO_TYPE) == type)
		setsockopt(copy, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
	close(copy);
}

void reuse_finish(struct recorder *rec, struct thread *thread, int64_t result)
{
	const struct call *call = &thread->call;

	if (result != 0 || rec->reuse_chosen)
		return;
	switch (call->nr) {
	case SYS_bind: share(thread, SOCK_DGRAM); break;
	case SYS_listen: share(thread, SOCK_STREAM); break;
	case SYS_setsockopt:
		rec->reuse_chosen = call->args[1] == SOL_SOCKET &&
				    (call->args[2] == SO_ATTACH_REUSEPORT_CBPF ||
				     call->args[2] == SO_ATTACH_REUSEPORT_EBPF);
		break;
	default: break;
	}
}
