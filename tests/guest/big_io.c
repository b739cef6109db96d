/* Several MiB in one call: read, write, readv, pwritev, and through a pipe and a socket. */
#include "guest.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define BYTES (5 << 20)

static unsigned char *data, *back;
static int ends[2];

static void *feed(void *unused)
{
	for (size_t sent = 0; sent < BYTES;) {
		ssize_t n = write(ends[1], data + sent, BYTES - sent);

		expect(n > 0);
		sent += (size_t)n;
	}
	close(ends[1]);
	return unused;
}

static void through(const char *what)
{
	pthread_t thread;
	size_t used = 0;
	ssize_t n;

	memset(back, 0, BYTES);
	pthread_create(&thread, NULL, feed, NULL);
	while ((n = read(ends[0], back + used, BYTES - used)) > 0)
		used += (size_t)n;
	pthread_join(thread, NULL);
	close(ends[0]);
	say("%s: %zu bytes, same %d\n", what, used, memcmp(data, back, BYTES) == 0);
}

int main(void)
{
	int fd = memfd_create("big", 0);
	struct iovec part[3];

	data = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	back = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(data != MAP_FAILED && back != MAP_FAILED);
	for (uint32_t i = 0; i < BYTES; i++)
		data[i] = (unsigned char)(i * 2654435761U >> 24);
	expect(write(fd, data, BYTES) == BYTES && lseek(fd, 0, SEEK_SET) == 0 &&
	       read(fd, back, BYTES) == BYTES);
	say("file: %016lx, same %d\n", (unsigned long)fingerprint(back, BYTES),
	    memcmp(data, back, BYTES) == 0);
	for (size_t i = 0; i < 3; i++)
		part[i] = (struct iovec){ back + i * (BYTES / 3), BYTES / 3 };
	expect(pwritev(fd, part, 3, 1000) == BYTES / 3 * 3);
	memset(back, 0, BYTES);
	expect(preadv(fd, part, 3, 1000) == BYTES / 3 * 3);
	say("vector: same %d\n", memcmp(data, back, BYTES / 3 * 3) == 0);
	expect(pipe(ends) == 0);
	through("pipe");
	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	through("socket");
	return 0;
}
