/* Signals sent with data: their order, what the kernel lets a sender claim, and waiting for them. */
#include "guest.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

static volatile sig_atomic_t seen[64], values[64], codes[64], count;

static void handler(int number, siginfo_t *info, void *context)
{
	(void)context;
	seen[count] = number;
	values[count] = info->si_value.sival_int;
	codes[count++] = info->si_code;
}

static void show(const char *what)
{
	for (int i = 0; i < count; i++)
		say("%s: signal %d, value %d, code %d\n", what, (int)seen[i], (int)values[i],
		    (int)codes[i]);
	count = 0;
}

static void send(int number, int value)
{
	expect(sigqueue(getpid(), number, (union sigval){ .sival_int = value }) == 0);
}

/* What a process may claim to itself. */
static void claim(int number, int code, int value)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = number;
	info.si_code = code;
	info.si_value.sival_int = value;
	expect(syscall(SYS_rt_sigqueueinfo, getpid(), number, &info) == 0);
}

static void order(void)
{
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	send(SIGRTMIN + 3, 1);
	send(SIGRTMIN + 1, 2);
	send(SIGRTMIN + 3, 3);
	send(SIGUSR1, 4);
	send(SIGUSR1, 5);
	send(SIGRTMIN + 1, 6);
	sigprocmask(SIG_SETMASK, &old, NULL);
	show("order");
}

static void claims(void)
{
	siginfo_t info = { .si_code = 5 };

	claim(SIGSEGV, 1, 10);
	claim(SIGSEGV, SI_KERNEL, 11);
	claim(SIGTRAP, 2, 12);
	claim(SIGSYS, 1, 13);
	claim(SIGBUS, 3, 14);
	claim(SIGUSR1, SI_KERNEL, 15);
	claim(SIGUSR1, -60, 16);
	show("claimed");
	expect(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, &info) == 0);
	expect(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &info) == -1);
	say("to others: errno %d\n", errno);
	count = 0;
}

static void waits(void)
{
	struct timespec none = { 0, 0 }, soon = { 0, 20000000 };
	struct signalfd_siginfo read_info[4];
	siginfo_t info;
	sigset_t set, old;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	expect(sigtimedwait(&set, &info, &none) == -1 && errno == EAGAIN);
	expect(sigtimedwait(&set, &info, &soon) == -1 && errno == EAGAIN);
	send(SIGRTMIN + 2, 7);
	send(SIGRTMIN + 2, 8);
	raise(SIGUSR2);
	expect(sigwaitinfo(&set, &info) == SIGUSR2 && info.si_code == SI_USER);
	expect(sigwaitinfo(&set, NULL) == SIGRTMIN + 2);
	expect(sigtimedwait(&set, &info, &none) == SIGRTMIN + 2 && info.si_value.sival_int == 8);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	expect(fd >= 0 && read(fd, read_info, sizeof(read_info)) == -1 && errno == EAGAIN);
	send(SIGRTMIN + 2, 9);
	send(SIGUSR2, 10);
	expect(read(fd, read_info, sizeof(read_info)) == 2 * sizeof(read_info[0]));
	say("signalfd: %u %d, %u %d\n", read_info[0].ssi_signo, read_info[0].ssi_int,
	    read_info[1].ssi_signo, read_info[1].ssi_int);
	close(fd);
	sigprocmask(SIG_SETMASK, &old, NULL);
	expect(count == 0);
}

/* Masks that hold during one call only. */
static void during(void)
{
	struct timespec soon = { 0, 20000000 };
	struct pollfd none = { .fd = -1 };
	sigset_t set, old, empty;

	sigemptyset(&empty);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	expect(ppoll(&none, 1, &soon, &set) == 0 && count == 0);
	expect(ppoll(&none, 1, NULL, &empty) == -1 && errno == EINTR && count == 1);
	raise(SIGUSR1);
	expect(sigsuspend(&empty) == -1 && errno == EINTR && count == 2);
	raise(SIGUSR1);
	expect(pselect(0, NULL, NULL, NULL, NULL, &empty) == -1 && errno == EINTR && count == 3);
	expect(sigprocmask(SIG_SETMASK, &old, &empty) == 0 && sigismember(&empty, SIGUSR1));
	show("during");
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	sigfillset(&action.sa_mask);
	for (int i = 1; i <= 64; i++) {
		if (i != SIGKILL && i != SIGSTOP && i != 32 && i != 33)
			expect(sigaction(i, &action, NULL) == 0);
	}
	order();
	claims();
	waits();
	during();
	return 0;
}
