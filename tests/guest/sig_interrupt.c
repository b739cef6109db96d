/* A signal for a thread that sleeps in each kind of call, with and without SA_RESTART. */
#include "guest.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static volatile sig_atomic_t hits;
static int pipe_ends[2], sockets[2], listener, event, epoll, queue, semaphores, locked;
static uint32_t *word;
static pid_t sleeper;

static void handler(int number)
{
	(void)number;
	hits++;
}

static long wait_read(void)
{
	char byte;

	return read(pipe_ends[0], &byte, 1);
}

static long wait_recv(void)
{
	char byte;

	return recv(sockets[0], &byte, 1, 0);
}

static long wait_accept(void)
{
	int fd = accept(listener, NULL, NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : -1;
}

static long wait_event(void)
{
	uint64_t value;

	return read(event, &value, sizeof(value));
}

static long wait_futex(void)
{
	return syscall(SYS_futex, word, FUTEX_WAIT, 1, NULL, NULL, 0);
}

static long wait_poll(void)
{
	struct pollfd one = { .fd = pipe_ends[0], .events = POLLIN };

	return poll(&one, 1, -1);
}

static long wait_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(pipe_ends[0], &set);
	return select(pipe_ends[0] + 1, &set, NULL, NULL, NULL);
}

static long wait_epoll(void)
{
	struct epoll_event got;

	return epoll_wait(epoll, &got, 1, -1);
}

static long wait_child(void)
{
	int status;

	return waitpid(sleeper, &status, 0) == sleeper ? 0 : -1;
}

static long wait_id(void)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)sleeper, &info, WEXITED);
}

static long wait_flock(void)
{
	return flock(locked, LOCK_EX);
}

static long wait_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(locked, F_SETLKW, &lock);
}

static long wait_semaphore(void)
{
	struct sembuf down = { 0, -1, 0 };

	return semop(semaphores, &down, 1);
}

static long wait_message(void)
{
	struct {
		long type;
		char text[8];
	} message;

	return msgrcv(queue, &message, sizeof(message.text), 0, 0);
}

static long wait_pause(void)
{
	return pause();
}

static long wait_sleep(void)
{
	struct timespec long_time = { 2, 0 };

	return nanosleep(&long_time, NULL);
}

static const struct {
	const char *name;
	long (*wait)(void);
} calls[] = {
	{ "read", wait_read },	     { "recv", wait_recv },	   { "accept", wait_accept },
	{ "eventfd", wait_event },   { "futex", wait_futex },	   { "poll", wait_poll },
	{ "select", wait_select },   { "epoll_wait", wait_epoll }, { "wait4", wait_child },
	{ "waitid", wait_id },	     { "flock", wait_flock },	   { "F_SETLKW", wait_lock },
	{ "semop", wait_semaphore }, { "msgrcv", wait_message },   { "pause", wait_pause },
	{ "nanosleep", wait_sleep },
};

/* Lets go whatever somebody could wait for. */
static void release(void)
{
	struct {
		long type;
		char text[8];
	} message = { 1, "now" };
	struct sembuf up = { 0, 1, 0 };
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0sig_interrupt" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	uint64_t one = 1;

	expect(write(pipe_ends[1], "x", 1) == 1 && write(sockets[1], "x", 1) == 1);
	expect(write(event, &one, sizeof(one)) == sizeof(one));
	expect(semop(semaphores, &up, 1) == 0 && msgsnd(queue, &message, 8, 0) == 0);
	snprintf(name.sun_path + 1, 64, "sig_interrupt-%d", getppid());
	expect(connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
	*word = 0;
	syscall(SYS_futex, word, FUTEX_WAKE, 1);
}

/* Waits until the parent sleeps. */
static void await_sleep(void)
{
	char path[64], text[256], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", getppid());
	while (state != 'S') {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

		expect(n > 0 && close(fd) == 0);
		text[n] = '\0';
		state = strrchr(text, ')')[2];
		sleep_ms(2);
	}
}

/* A child that sends the signal once the parent sleeps, and then, perhaps, what it waits for. */
static pid_t sender(int releasing)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int ready[2];
	char byte;
	pid_t pid;

	expect(pipe2(ready, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		int on = open("file", O_RDWR | O_CLOEXEC);

		expect(flock(on, LOCK_EX) == 0 && fcntl(on, F_SETLK, &lock) == 0);
		expect(write(ready[1], "r", 1) == 1);
		await_sleep();
		kill(getppid(), SIGUSR1);
		sleep_ms(5);
		await_sleep();
		if (releasing)
			release();
		else
			kill(getppid(), SIGUSR1);
		_exit(0);
	}
	expect(read(ready[0], &byte, 1) == 1 && close(ready[0]) == 0 && close(ready[1]) == 0);
	return pid;
}

static void attempt(size_t i, int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	pid_t pid;
	long r;
	int error;

	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	hits = 0;
	*word = 1;
	sleeper = pid = sender(flags != 0);
	r = calls[i].wait();
	error = errno;
	say("%s%s: %s, hits %d\n", calls[i].name, flags ? ", restarted" : "",
	    r >= 0	     ? "done"
	    : error == EINTR ? "EINTR"
			     : strerror(error),
	    (int)hits);
	if (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		waitpid(pid, NULL, 0);
}

static void prepare(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct epoll_event want = { .events = EPOLLIN };

	word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(word != MAP_FAILED);
	expect(pipe2(pipe_ends, O_CLOEXEC) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	locked = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(name.sun_path + 1, 64, "sig_interrupt-%d", getpid());
	expect(bind(listener, (struct sockaddr *)&name, sizeof(name)) == 0 && listen(listener, 5) == 0);
	event = eventfd(0, EFD_CLOEXEC);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	expect(epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_ends[0], &want) == 0);
	queue = msgget(IPC_PRIVATE, 0600);
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	expect(queue >= 0 && semaphores >= 0);
}

int main(void)
{
	char path[256];

	scratch_begin(path);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		for (int again = 0; again < 2; again++) {
			pid_t pid;

			if (again && (calls[i].wait == wait_pause || calls[i].wait == wait_sleep))
				continue;
			pid = fork();
			if (pid == 0) {
				prepare();
				attempt(i, again ? SA_RESTART : 0);
				msgctl(queue, IPC_RMID, NULL);
				semctl(semaphores, 0, IPC_RMID);
				_exit(0);
			}
			expect(reap(pid) == 0);
		}
	}
	expect(unlink("file") == 0);
	scratch_end(path);
	return 0;
}
