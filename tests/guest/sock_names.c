/* Names of sockets: given, chosen by the kernel, cut short, asked for with bad pointers, or missing. */
#include "guest.h"
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PATH_AT offsetof(struct sockaddr_un, sun_path)

static char *gap; /* the first byte of memory that cannot be touched */

/* A name asked for into `room` bytes of marked memory: nothing behind them may change. */
static void ask(int fd, socklen_t room, const char *what)
{
	char bytes[256];
	socklen_t length = room;
	size_t touched = sizeof(bytes);
	int r;

	memset(bytes, '~', sizeof(bytes));
	r = getsockname(fd, (struct sockaddr *)bytes, &length);
	while (touched > 0 && bytes[touched - 1] == '~')
		touched--;
	expect(r == 0 && touched <= room);
	say("%s into %u bytes: length %u, %zu written\n", what, room, length, touched);
}

static void ask_badly(int fd)
{
	struct sockaddr_un name;
	socklen_t negative = (socklen_t)-1, length = sizeof(name);
	socklen_t *unreadable = (socklen_t *)(void *)gap;

	expect(getsockname(fd, (struct sockaddr *)&name, &negative) == -1 && errno == EINVAL);
	expect(getsockname(fd, (struct sockaddr *)gap, &length) == -1 && errno == EFAULT);
	say("length after a bad address: %u\n", length);
	expect(getsockname(fd, (struct sockaddr *)&name, unreadable) == -1 && errno == EFAULT);
	length = sizeof(name);
	expect(getpeername(fd, (struct sockaddr *)&name, &length) == -1 && errno == ENOTCONN);
	expect(getsockname(1000, (struct sockaddr *)&name, &length) == -1 && errno == EBADF);
	expect(getpeername(0, (struct sockaddr *)&name, &length) == -1 && errno == ENOTSOCK);
	length = 0;
	expect(getsockname(fd, NULL, &length) == 0);
	say("length without a buffer: %u\n", length);
}

static void chosen_by_the_kernel(void)
{
	struct sockaddr_un none = { .sun_family = AF_UNIX }, name;
	socklen_t length = sizeof(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), other = socket(AF_UNIX, SOCK_DGRAM, 0), on = 1;

	ask(fd, sizeof(name), "unnamed");
	expect(bind(fd, (struct sockaddr *)&none, sizeof(none.sun_family)) == 0);
	expect(getsockname(fd, (struct sockaddr *)&name, &length) == 0 && length == PATH_AT + 6);
	expect(name.sun_path[0] == '\0' && strspn(name.sun_path + 1, "0123456789abcdef") >= 5);
	expect(setsockopt(other, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	expect(connect(other, (struct sockaddr *)&name, length) == 0);
	length = sizeof(none);
	expect(getsockname(other, (struct sockaddr *)&none, &length) == 0);
	say("a socket that passes credentials got a name of %u bytes\n", length);
	close(fd);
	close(other);
}

/* accept() with every way of asking for the peer's name. */
static void accept_names(int listener, const struct sockaddr_un *address, socklen_t length)
{
	char bytes[128];

	for (int way = 0; way < 5; way++) {
		struct sockaddr_un mine = { .sun_family = AF_UNIX, .sun_path = "xdialler0" };
		socklen_t room = way == 2 ? 5 : way == 3 ? 0 : sizeof(bytes);
		int client = socket(AF_UNIX, SOCK_STREAM, 0), server;

		mine.sun_path[0] = '\0';
		mine.sun_path[8] = (char)('0' + way);
		expect(bind(client, (struct sockaddr *)&mine, PATH_AT + 9) == 0);
		expect(connect(client, (const struct sockaddr *)address, length) == 0);
		memset(bytes, '~', sizeof(bytes));
		if (way == 4)
			server = accept(listener, (struct sockaddr *)gap, &room);
		else
			server = accept(listener, way == 0 ? NULL : (struct sockaddr *)bytes,
					way == 0 ? NULL : &room);
		say("accept %d: %s, length %u, %.8s\n", way, server < 0 ? strerror(errno) : "ok",
		    room, bytes + PATH_AT + 1);
		close(client);
		close(server);
	}
}

int main(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "listener" }, peer;
	socklen_t length = PATH_AT + sizeof("listener");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	char path[256];

	gap = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	scratch_begin(path);
	expect(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 4) == 0);
	for (socklen_t room = 0; room <= 128; room = room * 3 + 1)
		ask(fd, room, "listener");
	ask_badly(fd);
	chosen_by_the_kernel();
	expect(connect(client, (struct sockaddr *)&address, 1) == -1 && errno == EINVAL);
	expect(connect(client, (struct sockaddr *)&address, 1000) == -1 && errno == EINVAL);
	expect(connect(client, (struct sockaddr *)gap, length) == -1 && errno == EFAULT);
	expect(connect(client, (struct sockaddr *)&address, length) == 0);
	length = sizeof(peer);
	expect(getpeername(client, (struct sockaddr *)&peer, &length) == 0);
	say("peer %s\n", peer.sun_path);
	close(accept(fd, NULL, NULL));
	accept_names(fd, &address, PATH_AT + sizeof("listener"));
	close(client);
	expect(unlink("listener") == 0);
	scratch_end(path);
	return 0;
}
