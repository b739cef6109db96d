#include "source.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../traces/blob.h"
#include "../traces/error.h"

/* The answer: 0 with a descriptor, or the error. */
static int send_answer(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	int answer = fd < 0 ? fd : 0;
	struct iovec io = { &answer, sizeof(answer) };
	struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *header;

		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void serve(int blobs_fd, int socket)
{
	uint8_t digest[DIGEST_BYTES];

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (;;) {
		ssize_t n = recv(socket, digest, sizeof(digest), 0);
		uint64_t size;
		int fd, r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(digest))
			_exit(0);
		fd = blob_file_open(blobs_fd, digest, &size);
		r = send_answer(socket, fd);
		if (fd >= 0)
			close(fd);
		if (r < 0)
			_exit(0);
	}
}

int source_start(int blobs_fd, int *ret_fd)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int r = -errno;

		close(pair[0]);
		close(pair[1]);
		return r;
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		serve(blobs_fd, pair[1]);
	}
	close(pair[1]);
	*ret_fd = pair[0];
	return 0;
}

int source_open(void *context, const uint8_t digest[DIGEST_BYTES])
{
	const int *socket = context;
	char control[CMSG_SPACE(sizeof(int))];
	int answer = -EIO, fd = -1;
	struct iovec io = { &answer, sizeof(answer) };
	struct msghdr message = { .msg_iov = &io,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;
	ssize_t n;

	if (send(*socket, digest, DIGEST_BYTES, MSG_NOSIGNAL) != DIGEST_BYTES)
		return -EIO;
	do
		n = recvmsg(*socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(answer))
		return -EIO;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return answer < 0 ? answer : fd >= 0 ? fd : -EIO;
}
