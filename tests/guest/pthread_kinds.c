/* Threads of the C library: kinds of mutexes, conditions, barriers, keys, cancellation, many stacks with guards. */
#include "guest.h"
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define MANY 200
#define FEW 5

static pthread_mutex_t mutex;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_key_t key;
static atomic_int destroyed, serial, cleaned;
static int turn, counted;
static sigjmp_buf escape;

static void *add(void *times)
{
	for (long i = 0; i < (long)(intptr_t)times; i++) {
		expect(pthread_mutex_lock(&mutex) == 0);
		counted++;
		if (i % 16 == 0)
			sched_yield();
		expect(pthread_mutex_unlock(&mutex) == 0);
	}
	return NULL;
}

static void mutexes(void)
{
	static const int kinds[] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
				     PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP };
	pthread_t thread[FEW];

	for (int k = 0; k < 16; k++) {
		pthread_mutexattr_t kind;
		struct timespec past = { .tv_sec = 1 };

		pthread_mutexattr_init(&kind);
		expect(pthread_mutexattr_settype(&kind, kinds[k % 4]) == 0);
		if (k & 4)
			pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
		if (k & 8)
			pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
		expect(pthread_mutex_init(&mutex, &kind) == 0 && pthread_mutex_lock(&mutex) == 0);
		if (kinds[k % 4] == PTHREAD_MUTEX_RECURSIVE)
			expect(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
		else if (kinds[k % 4] == PTHREAD_MUTEX_ERRORCHECK)
			expect(pthread_mutex_lock(&mutex) == EDEADLK);
		else
			expect(pthread_mutex_trylock(&mutex) == EBUSY);
		for (long i = 0; i < FEW; i++)
			expect(!pthread_create(&thread[i], NULL, add, (void *)(i * 10 + 40)));
		sleep_ms(1);
		expect(pthread_mutex_unlock(&mutex) == 0);
		for (int i = 0; i < FEW; i++)
			pthread_join(thread[i], NULL);
		expect(pthread_mutex_timedlock(&mutex, &past) == 0 && pthread_mutex_unlock(&mutex) == 0);
		expect(pthread_mutex_destroy(&mutex) == 0);
	}
	say("counted %d under 16 kinds\n", counted);
	pthread_mutex_init(&mutex, NULL);
}

static void *in_order(void *number)
{
	pthread_mutex_lock(&mutex);
	while (turn != (int)(intptr_t)number)
		pthread_cond_wait(&condition, &mutex);
	say("turn %d\n", turn++);
	pthread_cond_broadcast(&condition);
	pthread_mutex_unlock(&mutex);
	if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
		atomic_fetch_add(&serial, 1);
	return NULL;
}

static void conditions(void)
{
	struct timespec soon;
	pthread_t thread[FEW];

	expect(pthread_barrier_init(&barrier, NULL, FEW) == 0);
	for (intptr_t i = FEW - 1; i >= 0; i--)
		pthread_create(&thread[i], NULL, in_order, (void *)i);
	for (int i = 0; i < FEW; i++)
		pthread_join(thread[i], NULL);
	clock_gettime(CLOCK_REALTIME, &soon);
	pthread_mutex_lock(&mutex);
	expect(pthread_cond_timedwait(&condition, &mutex, &soon) == ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
	say("serial threads %d\n", atomic_load(&serial));
}

static void on_destroy(void *value)
{
	(void)value;
	atomic_fetch_add(&destroyed, 1);
}

static void on_cleanup(void *value)
{
	(void)value;
	atomic_fetch_add(&cleaned, 1);
}

static void *sleep_for_ever(void *how)
{
	pthread_cleanup_push(on_cleanup, NULL);
	pthread_setspecific(key, &key);
	if (how == &cleaned)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;) {
		if (how == &condition) {
			pthread_mutex_lock(&mutex);
			pthread_cleanup_push((void (*)(void *))pthread_mutex_unlock, &mutex);
			for (;;)
				pthread_cond_wait(&condition, &mutex);
			pthread_cleanup_pop(1);
		}
		pause();
	}
	pthread_cleanup_pop(1);
	return NULL;
}

static void cancellation(void)
{
	void *how[3] = { NULL, &cleaned, &condition }, *result;
	pthread_t thread;

	expect(pthread_key_create(&key, on_destroy) == 0);
	for (int i = 0; i < 3; i++) {
		pthread_create(&thread, NULL, sleep_for_ever, how[i]);
		sleep_ms(2);
		expect(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
		expect(result == PTHREAD_CANCELED);
	}
	expect(pthread_mutex_trylock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
	say("cleaned %d, destroyed %d\n", atomic_load(&cleaned), atomic_load(&destroyed));
}

static void *small(void *number)
{
	char deep[4096];

	memset(deep, (int)(intptr_t)number, sizeof(deep));
	pthread_barrier_wait(&barrier);
	return (void *)(intptr_t)(unsigned char)deep[4095];
}

static void on_fault(int signal)
{
	siglongjmp(escape, signal);
}

static void *fall(void *guard)
{
	stack_t own = { .ss_sp = malloc(65536), .ss_size = 65536 };

	expect(sigaltstack(&own, NULL) == 0);
	if (sigsetjmp(escape, 1) == 0)
		*(volatile char *)guard = 1;
	else
		say("the guard held\n");
	return NULL;
}

static void stacks(void)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK };
	pthread_attr_t attributes;
	pthread_t thread[MANY];
	long sum = 0;
	char *own = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

	pthread_attr_init(&attributes);
	expect(pthread_attr_setstacksize(&attributes, 65536) == 0);
	expect(pthread_attr_setguardsize(&attributes, 8192) == 0);
	pthread_barrier_init(&barrier, NULL, MANY);
	for (intptr_t i = 0; i < MANY; i++)
		expect(pthread_create(&thread[i], &attributes, small, (void *)i) == 0);
	for (int i = 0; i < MANY; i++) {
		void *result;

		expect(pthread_join(thread[i], &result) == 0);
		sum += (intptr_t)result;
	}
	say("sum of %d threads: %ld\n", MANY, sum);
	expect(mprotect(own, 4096, PROT_NONE) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
	expect(pthread_attr_setstack(&attributes, own + 4096, 61440) == 0);
	expect(pthread_create(&thread[0], &attributes, fall, own + 100) == 0);
	pthread_join(thread[0], NULL);
}

static void kernel_calls(void)
{
	long commands = syscall(SYS_membarrier, 0, 0, 0);
	void *head;
	size_t length;

	if (commands > 0 && (commands & 16))
		expect(syscall(SYS_membarrier, 16, 0, 0) == 0 && syscall(SYS_membarrier, 8, 0, 0) == 0);
	expect(syscall(SYS_membarrier, 1 << 30, 0, 0) == -1);
	expect(syscall(SYS_get_robust_list, 0, &head, &length) == 0 && length == 24 && head);
	expect(syscall(SYS_set_robust_list, head, 7) == -1 && errno == EINVAL);
	expect(syscall(SYS_set_robust_list, head, length) == 0);
	expect(syscall(SYS_get_robust_list, 999999, &head, &length) == -1 && errno == ESRCH);
}

int main(void)
{
	mutexes();
	conditions();
	cancellation();
	stacks();
	kernel_calls();
	return 0;
}
