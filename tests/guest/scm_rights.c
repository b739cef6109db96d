/* Unix sockets: descriptors and credentials in messages, datagrams, names, truncation, shutdown. */
#include "guest.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(2 * sizeof(int))];
};

static void send_fds(int to, int first, int second)
{
	union control control = { 0 };
	struct iovec part[2] = { { "hel", 3 }, { "lo", 2 } };
	struct msghdr message = { .msg_iov = part,
				  .msg_iovlen = 2,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int fds[2] = { first, second };

	control.header = (struct cmsghdr){ CMSG_LEN(sizeof(fds)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
	expect(sendmsg(to, &message, 0) == 5);
}

static void receive_fds(int from, int fds[2])
{
	union control control = { 0 };
	char text[2][8] = { "", "" };
	struct iovec part[2] = { { text[0], 2 }, { text[1], 8 } };
	struct msghdr message = { .msg_iov = part,
				  .msg_iovlen = 2,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	expect(recvmsg(from, &message, MSG_CMSG_CLOEXEC) == 5);
	expect(control.header.cmsg_type == SCM_RIGHTS && message.msg_controllen == sizeof(control));
	memcpy(fds, CMSG_DATA(&control.header), 2 * sizeof(int));
	say("message '%s' '%s', flags %#x\n", text[0], text[1],
	    (unsigned int)(message.msg_flags & ~MSG_CMSG_CLOEXEC));
}

int main(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" }, peer;
	socklen_t length = sizeof(peer);
	int pair[2], ends[2], fds[2], server, client;
	struct ucred who;
	char path[256], text[16] = "";
	pid_t pid;

	expect(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0 && pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		receive_fds(pair[1], fds);
		expect(write(fds[1], "through", 7) == 7 && fcntl(fds[0], F_GETFD) == FD_CLOEXEC);
		_exit(0);
	}
	send_fds(pair[0], ends[0], ends[1]);
	expect(reap(pid) == 0 && read(ends[0], text, sizeof(text)) == 7);
	say("pipe: %s\n", text);
	expect(send(pair[0], "long packet", 11, 0) == 11);
	expect(recv(pair[1], text, 4, MSG_TRUNC) == 11);
	length = sizeof(who);
	expect(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 && who.uid == getuid());

	scratch_begin(path);
	server = socket(AF_UNIX, SOCK_DGRAM, 0);
	client = socket(AF_UNIX, SOCK_DGRAM, 0);
	length = sizeof(peer);
	expect(bind(server, (struct sockaddr *)&name, sizeof(name)) == 0);
	expect(connect(client, (struct sockaddr *)&name, sizeof(name)) == 0);
	expect(getpeername(client, (struct sockaddr *)&peer, &length) == 0);
	say("peer %s, length %u\n", peer.sun_path, length);
	expect(send(client, "datagram", 8, 0) == 8 && recv(server, text, 16, MSG_PEEK) == 8);
	length = sizeof(peer);
	expect(recvfrom(server, text, 16, 0, (struct sockaddr *)&peer, &length) == 8);
	say("from an unnamed one: length %u\n", length);
	expect(shutdown(pair[0], SHUT_WR) == 0 && recv(pair[1], text, 16, 0) == 0);
	expect(unlink("socket") == 0);
	scratch_end(path);
	return 0;
}
