/* TCP over loopback between threads and processes: names, options, half close, much data, refusal. */
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

#define BYTES 1000000

static struct sockaddr_in address;
static char data[BYTES];

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);

	expect(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	expect(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
	expect(getpeername(fd, (struct sockaddr *)&peer, &length) == 0 &&
	       peer.sin_port == address.sin_port);
	return fd;
}

static void *client(void *sum)
{
	int fd = dial();
	size_t sent = 0;
	char answer[32];
	ssize_t n;

	while (sent < BYTES) {
		n = write(fd, data + sent, BYTES - sent > 70000 ? 70000 : BYTES - sent);
		expect(n > 0);
		sent += (size_t)n;
	}
	expect(shutdown(fd, SHUT_WR) == 0);
	n = recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL);
	expect(n > 0);
	answer[n] = '\0';
	*(unsigned long *)sum = strtoul(answer, NULL, 16);
	close(fd);
	return NULL;
}

static unsigned long serve(int listener)
{
	static char got[BYTES];
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	expect(fd >= 0);
	while ((n = read(fd, got + used, BYTES - used)) > 0)
		used += (size_t)n;
	expect(used == BYTES && dprintf(fd, "%lx", fingerprint(got, used)) > 0);
	close(fd);
	return fingerprint(got, used);
}

int main(void)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	socklen_t length = sizeof(address);
	unsigned long heard = 0, said;
	pthread_t thread;
	pid_t pid;

	for (size_t i = 0; i < BYTES; i++)
		data[i] = (char)(i * i >> 3);
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	expect(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	       listen(listener, 4) == 0);
	expect(getsockname(listener, (struct sockaddr *)&address, &length) == 0 &&
	       address.sin_port != 0);
	pthread_create(&thread, NULL, client, &heard);
	said = serve(listener);
	pthread_join(thread, NULL);
	say("thread: %d, %016lx\n", heard == said, said);
	pid = fork();
	if (pid == 0) {
		client(&heard);
		_exit(heard != said);
	}
	expect(serve(listener) == said);
	say("process: %d\n", reap(pid));
	close(listener);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	expect(connect(listener, (struct sockaddr *)&address, sizeof(address)) == -1);
	say("closed port: %s\n", strerror(errno));
	return 0;
}
