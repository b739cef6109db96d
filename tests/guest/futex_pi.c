/* Futexes that lend priority: owners, waiters, time-outs, hand-over, requeue, robust ones, between processes. */
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static atomic_uint word, gate;
static atomic_int stage;

static long futex(atomic_uint *at, int operation, unsigned value, const struct timespec *until,
		  atomic_uint *second)
{
	return syscall(SYS_futex, at, operation | FUTEX_PRIVATE_FLAG, value, until, second, 0);
}

static unsigned self(void)
{
	return (unsigned)syscall(SYS_gettid);
}

static bool is_waited_for(void)
{
	return atomic_load(&word) & FUTEX_WAITERS;
}

/* Takes the word in the kernel, shows that it is the owner, hands it on. */
static void *contend(void *operation)
{
	expect(futex(&word, (int)(intptr_t)operation, 0, NULL, NULL) == 0);
	expect((atomic_load(&word) & FUTEX_TID_MASK) == self());
	atomic_fetch_add(&stage, 1);
	expect(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL) == 0);
	return NULL;
}

static void hand_over(int operation)
{
	pthread_t thread[3];

	atomic_store(&word, 0);
	atomic_store(&stage, 0);
	expect(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL) == 0 && atomic_load(&word) == self());
	expect(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL) == -1 && errno == EDEADLK);
	for (int i = 0; i < 3; i++)
		expect(!pthread_create(&thread[i], NULL, contend, (void *)(intptr_t)operation));
	/* The bit appears while the others sleep: nobody's call has returned since. */
	while (!is_waited_for())
		sleep_ms(1);
	say("waiters are seen, %d got in\n", atomic_load(&stage));
	expect(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL) == 0);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	say("%d got in, word %u\n", atomic_load(&stage), atomic_load(&word));
}

static void *try_it(void *unused)
{
	struct timespec past = { .tv_sec = 1 };

	expect(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL) == -1 && errno == EAGAIN);
	expect(futex(&word, FUTEX_LOCK_PI, 0, &past, NULL) == -1 && errno == ETIMEDOUT);
	expect(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL) == -1 && errno == EPERM);
	return unused;
}

static void refusals(void)
{
	pthread_t thread;

	atomic_store(&word, 0);
	expect(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL) == 0);
	pthread_create(&thread, NULL, try_it, NULL);
	pthread_join(thread, NULL);
	say("left behind: %s\n", is_waited_for() ? "waiters" : "none");
	expect(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL) == 0 && atomic_load(&word) == 0);
}

static void *wait_moved(void *unused)
{
	atomic_fetch_add(&stage, 1);
	expect(futex(&gate, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &word) == 0);
	expect((atomic_load(&word) & FUTEX_TID_MASK) == self());
	expect(futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL) == 0);
	return unused;
}

static void requeue(void)
{
	pthread_t thread[3];
	long moved = 0;

	atomic_store(&word, 0);
	atomic_store(&stage, 0);
	expect(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL) == 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, wait_moved, NULL);
	while (moved < 3) {
		long n = futex(&gate, FUTEX_CMP_REQUEUE_PI, 1, (void *)3, &word);

		expect(n >= 0);
		moved += n;
		sleep_ms(1);
	}
	expect(is_waited_for() && futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL) == 0);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	say("requeued %ld of %d, word %u\n", moved, atomic_load(&stage), atomic_load(&word));
}

static void on_signal(int signal)
{
	(void)signal;
	atomic_fetch_add(&gate, 1);
}

/* A handler runs while the thread sleeps for the lock, with and without SA_RESTART: it goes on sleeping. */
static void interrupted(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t thread;

	atomic_store(&word, 0);
	atomic_store(&stage, 0);
	expect(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL) == 0);
	expect(!pthread_create(&thread, NULL, contend, (void *)FUTEX_LOCK_PI));
	for (unsigned int i = 1; i <= 4; i++) {
		action.sa_flags = i % 2 ? SA_RESTART : 0;
		expect(sigaction(SIGUSR1, &action, NULL) == 0);
		while (!is_waited_for())
			sleep_ms(1);
		expect(pthread_kill(thread, SIGUSR1) == 0);
		while (atomic_load(&gate) < i)
			sleep_ms(1);
	}
	expect(atomic_load(&stage) == 0 && futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL) == 0);
	pthread_join(thread, NULL);
	say("handled %u, got in %d, word %u\n", atomic_load(&gate), atomic_load(&stage),
	    atomic_load(&word));
}

/* The owner goes without a word, and the list that it should be on is empty. */
static void *leave(void *unused)
{
	expect(futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL) == 0);
	while (!is_waited_for())
		sleep_ms(1);
	return unused;
}

static void orphaned(void)
{
	pthread_t thread;
	long result;

	atomic_store(&word, 0);
	pthread_create(&thread, NULL, leave, NULL);
	while (!atomic_load(&word))
		sleep_ms(1);
	result = futex(&word, FUTEX_LOCK_PI, 0, NULL, NULL);
	say("after the owner went: %s\n", result == 0 ? "got it" : strerror(errno));
	if (result == 0)
		expect((atomic_load(&word) & FUTEX_TID_MASK) == self() &&
		       futex(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL) == 0);
	pthread_join(thread, NULL);
	say("word %x\n", atomic_load(&word) & ~FUTEX_TID_MASK);
}

static void across_processes(void)
{
	pthread_mutex_t *lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				     -1, 0);
	long *count = (long *)(lock + 1);
	pthread_mutexattr_t kind;
	pid_t pid[3];

	expect(lock != MAP_FAILED && !pthread_mutexattr_init(&kind));
	pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	expect(pthread_mutex_init(lock, &kind) == 0);
	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		if (pid[i] != 0)
			continue;
		for (int k = 0; k < 20; k++) {
			int error = pthread_mutex_lock(lock);

			if (error == EOWNERDEAD)
				pthread_mutex_consistent(lock);
			if (k % 5 == 0)
				sleep_ms(1);
			++*count;
			if (i == 1 && k == 10)
				raise(SIGKILL);
			pthread_mutex_unlock(lock);
		}
		_exit(0);
	}
	for (int i = 0; i < 3; i++)
		say("child %d: status %x\n", i, (unsigned)reap(pid[i]));
	expect(pthread_mutex_lock(lock) == 0 || errno == 0);
	say("counted %ld\n", *count);
}

int main(void)
{
	hand_over(FUTEX_LOCK_PI);
	hand_over(FUTEX_LOCK_PI2);
	refusals();
	requeue();
	interrupted();
	orphaned();
	across_processes();
	return 0;
}
