/* Threads sleep in calls of many kinds, signals wake them for nothing all the time, and processes are forked, replaced and killed
 * meanwhile. */
#include "guest.h"
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define ROUNDS 25

enum kind { READ, RECV, POLL, EPOLL, SELECT, FUTEX, EVENT, MESSAGE, SIGNAL, KINDS };

static int pipes[KINDS][2], pairs[2], epoll, event, queue;
static unsigned int word;
static pthread_t threads[KINDS];
static volatile sig_atomic_t rings;

static void on_ring(int number)
{
	(void)number;
	rings++;
}

static void take(int fd, char expected)
{
	char byte;
	ssize_t got;

	while ((got = read(fd, &byte, 1)) < 0)
		expect(errno == EINTR);
	expect(got == 1 && byte == expected);
}

static void wait_poll(enum kind kind)
{
	struct pollfd poll_fd = { .fd = pipes[kind][0], .events = POLLIN };
	struct epoll_event ready;
	fd_set set;

	do {
		errno = EINTR;
		if (kind == POLL && poll(&poll_fd, 1, -1) == 1)
			break;
		if (kind == EPOLL && epoll_wait(epoll, &ready, 1, -1) == 1)
			break;
		FD_ZERO(&set);
		FD_SET(pipes[kind][0], &set);
		if (kind == SELECT && select(pipes[kind][0] + 1, &set, NULL, NULL, NULL) == 1)
			break;
	} while (errno == EINTR);
}

static void wait_queue(char expected)
{
	struct {
		long type;
		char text[8];
	} message;

	while (msgrcv(queue, &message, sizeof(message.text), 1, 0) < 0)
		expect(errno == EINTR);
	expect(message.text[0] == expected);
}

static void wait_signal(char expected)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	while (sigwaitinfo(&set, &info) < 0)
		expect(errno == EINTR);
	expect(info.si_value.sival_int == expected);
}

static void wait_once(enum kind kind, char expected)
{
	char bytes[4] = { 0 };
	uint64_t count;
	ssize_t got;

	switch (kind) {
	case READ: take(pipes[kind][0], expected); return;
	case RECV:
		for (size_t have = 0; have<4; have += got> 0 ? (size_t)got : 0) {
			got = recv(pairs[0], bytes + have, 4 - have, MSG_WAITALL);
			expect(got > 0 || errno == EINTR);
		}
		expect(bytes[0] == expected && bytes[3] == expected);
		return;
	case POLL:
	case EPOLL:
	case SELECT:
		wait_poll(kind);
		take(pipes[kind][0], expected);
		return;
	case FUTEX:
		while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) <= (unsigned char)expected)
			syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, (unsigned char)expected, NULL);
		return;
	case EVENT:
		while (read(event, &count, 8) < 0)
			expect(errno == EINTR);
		expect(count == 1U + (unsigned char)expected);
		return;
	case MESSAGE: wait_queue(expected); return;
	case SIGNAL: wait_signal(expected); return;
	case KINDS: return;
	}
}

static int answers[2];

static void *sleeper(void *argument)
{
	enum kind kind = (enum kind)(intptr_t)argument;

	for (int i = 0; i < ROUNDS; i++) {
		wait_once(kind, (char)i);
		expect(write(answers[1], "", 1) == 1);
	}
	return NULL;
}

static void wake(enum kind kind, int i)
{
	char bytes[4] = { (char)i, (char)i, (char)i, (char)i };
	struct {
		long type;
		char text[8];
	} message = { 1, { (char)i } };
	uint64_t count = 1U + (unsigned int)i;

	switch (kind) {
	case READ:
	case POLL:
	case EPOLL:
	case SELECT: expect(write(pipes[kind][1], bytes, 1) == 1); return;
	case RECV: expect(write(pairs[1], bytes, 3) == 3 && write(pairs[1], bytes, 1) == 1); return;
	case FUTEX:
		__atomic_store_n(&word, (unsigned int)i + 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
		return;
	case EVENT: expect(write(event, &count, 8) == 8); return;
	case MESSAGE: expect(msgsnd(queue, &message, 8, 0) == 0); return;
	case SIGNAL:
		expect(pthread_sigqueue(threads[SIGNAL], SIGRTMIN, (union sigval){ .sival_int = i }) ==
		       0);
		return;
	case KINDS: return;
	}
}

static void process(int i, char *self)
{
	pid_t pid = i % 3 == 2 ? vfork() : fork();

	if (pid == 0) {
		if (i % 3 == 1)
			for (;;)
				pause();
		if (i % 3 == 2)
			execl(self, self, "child", NULL);
		_exit(i);
	}
	if (i % 3 == 1)
		expect(kill(pid, SIGKILL) == 0);
	expect(reap(pid) == (i % 3 == 1 ? SIGKILL : (i % 3 == 2 ? 7 : i) << 8));
}

static void prepare(void)
{
	struct sigaction action = { .sa_handler = on_ring };
	struct epoll_event in = { .events = EPOLLIN };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	expect(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	expect(sigaction(SIGALRM, &action, NULL) == 0);
	action.sa_flags = SA_RESTART;
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	for (int k = 0; k < KINDS; k++)
		expect(pipe(pipes[k]) == 0);
	expect(pipe(answers) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pairs) == 0);
	epoll = epoll_create1(0);
	expect(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[EPOLL][0], &in) == 0);
	event = eventfd(0, 0);
	queue = msgget(IPC_PRIVATE, 0600);
	expect(event >= 0 && queue >= 0);
}

int main(int argc, char **argv)
{
	struct itimerval often = { { 0, 1500 }, { 0, 1500 } }, never = { { 0, 0 }, { 0, 0 } };
	int answered = 0;

	if (argc > 1)
		return 7;
	prepare();
	for (intptr_t k = 0; k < KINDS; k++)
		expect(pthread_create(&threads[k], NULL, sleeper, (void *)k) == 0);
	expect(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < KINDS; k++)
			expect(pthread_kill(threads[k], i % 2 ? SIGUSR1 : SIGALRM) == 0);
		for (enum kind k = READ; k < KINDS; k++)
			wake(k, i);
		process(i, argv[0]);
		for (int k = 0; k < KINDS; k++) {
			take(answers[0], 0);
			answered++;
		}
	}
	expect(setitimer(ITIMER_REAL, &never, NULL) == 0 && msgctl(queue, IPC_RMID, NULL) == 0);
	for (int k = 0; k < KINDS; k++)
		expect(pthread_join(threads[k], NULL) == 0);
	say("answers: %d, rings %d\n", answered, rings > 0);
	return 0;
}
