/* Many that sleep on sockets: in accept, in full queues, until a signal, a time limit, a shutdown or a kill. */
#include "guest.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>

#define SERVERS 4
#define CLIENTS 12

static struct sockaddr_un name = { .sun_family = AF_UNIX };
static socklen_t name_length;
static atomic_int served;
static volatile sig_atomic_t caught;
static int shared; /* the descriptor that threads work on */

static void on_signal(int signal)
{
	caught = signal;
}

static int listen_at(const char *text)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	name_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				  (size_t)snprintf(name.sun_path + 1, 64, "%s-%d", text, getpid()));
	expect(bind(fd, (struct sockaddr *)&name, name_length) == 0 && listen(fd, CLIENTS) == 0);
	return fd;
}

static int ask(int number)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), answer = -1;

	expect(connect(fd, (struct sockaddr *)&name, name_length) == 0);
	expect(send(fd, &number, sizeof(number), 0) == sizeof(number));
	expect(recv(fd, &answer, sizeof(answer), MSG_WAITALL) == sizeof(answer));
	close(fd);
	return answer;
}

static int serve_one(int listener)
{
	int fd = accept(listener, NULL, NULL), number = -1;

	if (fd < 0)
		return -1;
	expect(recv(fd, &number, sizeof(number), MSG_WAITALL) == sizeof(number));
	number *= number;
	expect(send(fd, &number, sizeof(number), 0) == sizeof(number));
	return close(fd);
}

static void *server_main(void *arg)
{
	while (serve_one(*(int *)arg) == 0)
		served++;
	return NULL;
}

/* Threads asleep in accept on one socket; a shutdown sends them home. */
static void threads(void)
{
	int listener = listen_at("threads"), sum = 0;
	pthread_t servers[SERVERS];

	for (int i = 0; i < SERVERS; i++)
		pthread_create(&servers[i], NULL, server_main, &listener);
	for (int i = 0; i < CLIENTS; i++)
		sum += ask(i);
	expect(shutdown(listener, SHUT_RDWR) == 0);
	for (int i = 0; i < SERVERS; i++)
		pthread_join(servers[i], NULL);
	say("threads served %d, sum %d\n", served, sum);
	close(listener);
}

/* The same with processes, which a signal ends. */
static void processes(void)
{
	int listener = listen_at("processes"), sum = 0;
	pid_t servers[SERVERS];

	for (int i = 0; i < SERVERS; i++) {
		servers[i] = fork();
		if (servers[i] == 0) {
			while (serve_one(listener) == 0)
				;
			_exit(1);
		}
	}
	for (int i = 0; i < CLIENTS; i++)
		sum += ask(i);
	for (int i = 0; i < SERVERS; i++) {
		expect(kill(servers[i], i % 2 ? SIGKILL : SIGTERM) == 0);
		sum += WTERMSIG(reap(servers[i])) * 1000;
	}
	say("processes: sum %d\n", sum);
	close(listener);
}

static void *oneshot_main(void *arg)
{
	struct epoll_event event;
	char byte;

	for (;;) {
		expect(epoll_wait(*(int *)arg, &event, 1, -1) == 1);
		expect(recv(shared, &byte, 1, 0) == 1);
		if (byte == '.')
			break;
		served++;
		event.events = EPOLLIN | EPOLLONESHOT;
		expect(epoll_ctl(*(int *)arg, EPOLL_CTL_MOD, shared, &event) == 0);
	}
	event.events = EPOLLIN | EPOLLONESHOT;
	expect(epoll_ctl(*(int *)arg, EPOLL_CTL_MOD, shared, &event) == 0);
	return NULL;
}

static void one_at_a_time(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };
	int pair[2], epoll = epoll_create1(0);
	pthread_t workers[SERVERS];

	served = 0;
	expect(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	shared = pair[1];
	expect(epoll_ctl(epoll, EPOLL_CTL_ADD, shared, &event) == 0);
	for (int i = 0; i < SERVERS; i++)
		pthread_create(&workers[i], NULL, oneshot_main, &epoll);
	for (int i = 0; i < 20; i++)
		expect(send(pair[0], "x", 1, 0) == 1);
	for (int i = 0; i < SERVERS; i++)
		expect(send(pair[0], ".", 1, 0) == 1);
	for (int i = 0; i < SERVERS; i++)
		pthread_join(workers[i], NULL);
	say("one at a time: %d\n", served);
	close(epoll);
	close(pair[0]);
	close(pair[1]);
}

static void *drain_main(void *arg)
{
	static char text[2000];
	long total = 0;
	ssize_t n;

	while ((n = recv(*(int *)arg, text, sizeof(text), 0)) > 1)
		total += n;
	return (void *)total;
}

/* Senders that sleep because nobody reads. */
static void full(int kind)
{
	static char text[1000];
	pthread_t thread;
	void *total;
	int pair[2];

	expect(socketpair(AF_UNIX, kind, 0, pair) == 0);
	while (send(pair[0], text, sizeof(text), MSG_DONTWAIT) == sizeof(text))
		;
	expect(errno == EAGAIN);
	while (recv(pair[1], text, sizeof(text), MSG_DONTWAIT) > 0)
		;
	pthread_create(&thread, NULL, drain_main, &pair[1]);
	for (int i = 0; i < 2000; i++)
		expect(send(pair[0], text, sizeof(text), 0) == sizeof(text));
	if (kind == SOCK_STREAM)
		expect(shutdown(pair[0], SHUT_WR) == 0);
	else
		expect(send(pair[0], text, 1, 0) == 1);
	pthread_join(thread, &total);
	say("kind %d: %ld bytes\n", kind, (long)total);
	close(pair[0]);
	close(pair[1]);
}

static void *poke(void *arg)
{
	sleep_ms(5);
	expect(pthread_kill(*(pthread_t *)arg, SIGUSR1) == 0);
	sleep_ms(5);
	expect(send(shared, "data", 4, 0) == 4);
	return NULL;
}

/* A handler runs while the thread sleeps; the call goes on or ends with EINTR. */
static void interrupted(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct timeval limit = { 20, 0 };
	pthread_t self = pthread_self(), thread;
	char text[8];
	int pair[2];

	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
	shared = pair[0];
	pthread_create(&thread, NULL, poke, &self);
	say("restarted: %zd, ", recv(pair[1], text, sizeof(text), 0));
	pthread_join(thread, NULL);
	/* A call with a time limit does not start again. */
	expect(setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	action.sa_flags = 0;
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	pthread_create(&thread, NULL, poke, &self);
	while (recv(pair[1], text, sizeof(text), 0) == -1)
		expect(errno == EINTR);
	pthread_join(thread, NULL);
	say("caught %d\n", caught == SIGUSR1);
	limit = (struct timeval){ 0, 5000 };
	expect(setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	expect(recv(pair[1], text, sizeof(text), MSG_WAITALL) == -1 && errno == EAGAIN);
	close(pair[0]);
	close(pair[1]);
}

/* The kernel raises a signal when something comes. */
static void by_sigio(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked, open;
	int pair[2];

	sigemptyset(&open);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGIO);
	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && sigaction(SIGIO, &action, NULL) == 0);
	expect(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0 && fcntl(pair[1], F_SETOWN, getpid()) == 0);
	expect(fcntl(pair[1], F_SETFL, O_ASYNC | O_NONBLOCK) == 0);
	caught = 0;
	expect(send(pair[0], "x", 1, 0) == 1 && sigsuspend(&open) == -1);
	say("a signal came for it: %d\n", caught == SIGIO);
	expect(sigprocmask(SIG_UNBLOCK, &blocked, NULL) == 0);
	expect(send(pair[0], "y", 1, 0) == 1);
	close(pair[0]);
	close(pair[1]);
}

/* Limits in memory that cannot be written: the kernel does not insist on storing what is left. */
static void limits_that_stay(void)
{
	static const struct timespec limit = { 0, 3000000 };
	static const struct timeval older = { 0, 3000 };

	expect(syscall(SYS_ppoll, NULL, 0, &limit, NULL, 8) == 0);
	expect(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &limit, NULL) == 0);
	expect(syscall(SYS_select, 0, NULL, NULL, NULL, &older) == 0);
	say("limits stay: %ld %ld\n", limit.tv_nsec, older.tv_usec);
}

int main(void)
{
	threads();
	processes();
	one_at_a_time();
	full(SOCK_STREAM);
	full(SOCK_DGRAM);
	full(SOCK_SEQPACKET);
	interrupted();
	by_sigio();
	limits_that_stay();
	return 0;
}
