/* A fork copies what calls of other threads have written by then, although they have not come back. */
#include "guest.h"
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define ROUNDS 30

static int bytes[2], messages[2];
static char first[64], second[90000];

static void *reader(void *unused)
{
	char byte;

	for (int i = 0; i < ROUNDS; i++)
		expect(read(bytes[0], &byte, 1) == 1 && byte == (char)i);
	return unused;
}

static void *receiver(void *unused)
{
	struct iovec parts[2] = { { first, sizeof(first) }, { second, sizeof(second) } };

	for (int i = 0; i < ROUNDS; i++)
		expect(readv(messages[0], parts, 2) == 5000 && first[0] == (char)i &&
		       second[9] == (char)i);
	return unused;
}

int main(void)
{
	pthread_t threads[2];
	char message[5000];
	int right = 0;

	expect(pipe(bytes) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, messages) == 0);
	expect(pthread_create(&threads[0], NULL, reader, NULL) == 0);
	expect(pthread_create(&threads[1], NULL, receiver, NULL) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		char byte = (char)i;
		pid_t pid;

		memset(message, i, sizeof(message));
		if (i % 3 == 0)
			usleep(2000);
		expect(write(bytes[1], &byte, 1) == 1);
		expect(write(messages[1], message, sizeof(message)) == sizeof(message));
		pid = fork();
		if (pid == 0)
			_exit(i);
		right += WEXITSTATUS(reap(pid)) == i;
	}
	expect(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[1], NULL) == 0);
	say("children: %d\n", right);
	return 0;
}
