/* Thread-local storage, thread-specific data with destructors, arch_prctl's base register. */
#include "guest.h"
#include <asm/prctl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static __thread int number = 5;
static __thread char buffer[100];
static pthread_key_t key;
static atomic_int destroyed;

static void destroy(void *value)
{
	atomic_fetch_add(&destroyed, (int)(intptr_t)value);
}

static void *work(void *argument)
{
	int id = (int)(intptr_t)argument;

	expect(number == 5 && buffer[99] == 0);
	number = id;
	memset(buffer, id, sizeof(buffer));
	pthread_setspecific(key, argument);
	sched_yield();
	expect(number == id && buffer[50] == id && pthread_getspecific(key) == argument);
	return (void *)(intptr_t)(number * 2);
}

int main(void)
{
	unsigned long base = 0, self;
	pthread_t thread[8];
	void *result;
	int sum = 0;

	pthread_key_create(&key, destroy);
	for (int i = 0; i < 8; i++)
		pthread_create(&thread[i], NULL, work, (void *)(intptr_t)(i + 1));
	for (int i = 0; i < 8; i++) {
		pthread_join(thread[i], &result);
		sum += (int)(intptr_t)result;
	}
	say("results %d, destroyed %d, own %d\n", sum, atomic_load(&destroyed), number);
	__asm__("movq %%fs:0, %0" : "=r"(self));
	expect(syscall(SYS_arch_prctl, ARCH_GET_FS, &base) == 0);
	say("base register agrees: %d\n", base == self);
	expect(syscall(SYS_arch_prctl, ARCH_SET_GS, buffer) == 0);
	buffer[8] = 99;
	__asm__ volatile("movzbl %%gs:8, %0" : "=r"(sum) : : "memory");
	if (fork() == 0) {
		int inherited;

		__asm__ volatile("movzbl %%gs:8, %0" : "=r"(inherited) : : "memory");
		_exit(inherited);
	}
	say("through gs: %d, child %d\n", sum, WEXITSTATUS(reap(-1)));
	return 0;
}
