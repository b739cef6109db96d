/* POSIX queues, segments and semaphores by name: order, limits, notices, time-outs, between unrelated processes. */
#include "guest.h"
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

static char name[3][32];
static volatile sig_atomic_t noticed, value;
static sem_t told;

static void on_notice(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	noticed = info->si_code == SI_MESGQ;
	value = info->si_value.sival_int;
}

static void on_thread(union sigval argument)
{
	expect(argument.sival_int == 42 && sem_post(&told) == 0);
}

static void queues(void)
{
	struct mq_attr wanted = { .mq_maxmsg = 3, .mq_msgsize = 32 }, seen;
	struct sigaction action = { .sa_sigaction = on_notice, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct timespec past = { .tv_sec = 1 };
	char text[32];
	unsigned int priority;
	mqd_t queue = mq_open(name[0], O_CREAT | O_EXCL | O_RDWR, 0600, &wanted);

	if (queue < 0) {
		say("no queues here\n");
		return;
	}
	expect(mq_send(queue, "low", 4, 1) == 0 && mq_send(queue, "high", 5, 9) == 0 &&
	       mq_send(queue, "middle", 7, 5) == 0);
	expect(mq_timedsend(queue, "full", 5, 0, &past) == -1 && errno == ETIMEDOUT);
	expect(mq_getattr(queue, &seen) == 0 && seen.mq_curmsgs == 3 && seen.mq_msgsize == 32);
	expect(mq_receive(queue, text, 8, NULL) == -1 && errno == EMSGSIZE);
	for (int i = 0; i < 3; i++) {
		expect(mq_receive(queue, text, 32, &priority) > 0);
		say("%s at %u\n", text, priority);
	}
	expect(mq_timedreceive(queue, text, 32, NULL, &past) == -1 && errno == ETIMEDOUT);
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	event.sigev_value.sival_int = 42;
	expect(mq_notify(queue, &event) == 0 && mq_notify(queue, &event) == -1 && errno == EBUSY);
	if (fork() == 0)
		_exit(mq_send(queue, "news", 5, 0) != 0);
	expect(reap(-1) == 0);
	while (!noticed)
		sleep_ms(1);
	say("noticed, value %d\n", (int)value);
	expect(mq_receive(queue, text, 32, NULL) == 5);
	event.sigev_notify = SIGEV_THREAD;
	event.sigev_notify_function = on_thread;
	expect(sem_init(&told, 0, 0) == 0);
	if (mq_notify(queue, &event) == 0) { /* the C library wants a netlink socket for that */
		expect(mq_send(queue, "again", 6, 0) == 0 && sem_wait(&told) == 0);
		expect(mq_receive(queue, text, 32, NULL) == 6);
	}
	if (fork() == 0) {
		expect(mq_receive(queue, text, 32, NULL) == 5);
		_exit(text[0]);
	}
	sleep_ms(10);
	expect(mq_send(queue, "wake", 5, 0) == 0);
	say("the sleeper got %c\n", WEXITSTATUS(reap(-1)));
	expect(mq_close(queue) == 0 && mq_unlink(name[0]) == 0 && mq_unlink(name[0]) == -1);
}

/* The reader maps before the writer does, read-only, and sees what comes later. */
static void segments(void)
{
	int fd = shm_open(name[1], O_CREAT | O_EXCL | O_RDWR, 0600),
	    again = shm_open(name[1], O_RDONLY, 0);
	char *reader, *writer;
	struct stat status;

	expect(fd >= 0 && again >= 0 && ftruncate(fd, 8192) == 0);
	reader = mmap(NULL, 16384, PROT_READ, MAP_SHARED, again, 0);
	expect(reader != MAP_FAILED && reader[4096] == 0);
	if (fork() == 0) {
		int own = shm_open(name[1], O_RDWR, 0);

		writer = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
		strcpy(writer + 4096, "by another process");
		expect(pwrite(own, "by a call", 10, 0) == 10 && ftruncate(own, 16384) == 0);
		expect(pwrite(own, "behind", 7, 12288) == 7);
		_exit(0);
	}
	expect(reap(-1) == 0 && fstat(again, &status) == 0);
	say("%s, %s, %s, %ld bytes\n", reader, reader + 4096, reader + 12288, (long)status.st_size);
	expect(shm_unlink(name[1]) == 0 && close(fd) == 0 && close(again) == 0);
	expect(munmap(reader + 4096, 4096) == 0 && !strcmp(reader + 12288, "behind"));
}

static void semaphores(void)
{
	sem_t *sem = sem_open(name[2], O_CREAT | O_EXCL, 0600, 1);
	struct timespec past = { .tv_sec = 1 };
	int count;

	expect(sem != SEM_FAILED && sem_trywait(sem) == 0 && sem_trywait(sem) == -1 && errno == EAGAIN);
	expect(sem_timedwait(sem, &past) == -1 && errno == ETIMEDOUT);
	if (fork() == 0) {
		sem_t *own = sem_open(name[2], 0);

		sleep_ms(5);
		expect(own != SEM_FAILED && sem_post(own) == 0 && sem_post(own) == 0);
		_exit(0);
	}
	expect(sem_wait(sem) == 0 && reap(-1) == 0 && sem_getvalue(sem, &count) == 0);
	say("left in the semaphore: %d\n", count);
	expect(sem_close(sem) == 0 && sem_unlink(name[2]) == 0);
}

int main(void)
{
	for (int i = 0; i < 3; i++)
		snprintf(name[i], sizeof(name[i]), "/guest-%d-%d", i, (int)getpid());
	queues();
	segments();
	semaphores();
	return 0;
}
