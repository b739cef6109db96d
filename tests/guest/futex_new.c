/* The younger futex calls: one word, a vector of words, requeue, time-outs; a kernel without them says so. */
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>

#define NR_WAITV 449
#define NR_WAKE 454
#define NR_WAIT 455
#define NR_REQUEUE 456
#define SIZE_32 2
#define PRIVATE 128

struct waiter {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static atomic_uint words[3];
static atomic_int asleep, woken;

static struct waiter waiter_at(int i)
{
	return (struct waiter){ 0, (uintptr_t)&words[i], SIZE_32 | PRIVATE, 0 };
}

static void *wait_any(void *unused)
{
	struct waiter set[3] = { waiter_at(0), waiter_at(1), waiter_at(2) };
	long which;

	atomic_fetch_add(&asleep, 1);
	which = syscall(NR_WAITV, set, 3, 0, NULL, 0);
	say("woken by word %ld\n", which);
	atomic_fetch_add(&woken, 1);
	return unused;
}

static void *wait_one(void *unused)
{
	atomic_fetch_add(&asleep, 1);
	expect(syscall(NR_WAIT, &words[0], 0UL, ~0U, SIZE_32 | PRIVATE, NULL, 0) == 0);
	atomic_fetch_add(&woken, 1);
	return unused;
}

static void begin(pthread_t *thread, int count, void *(*work)(void *))
{
	atomic_store(&asleep, 0);
	atomic_store(&woken, 0);
	for (int i = 0; i < count; i++)
		pthread_create(&thread[i], NULL, work, NULL);
	while (atomic_load(&asleep) < count)
		sleep_ms(1);
	sleep_ms(5);
}

static void vector(void)
{
	struct waiter set[3] = { waiter_at(0), waiter_at(1), waiter_at(2) };
	struct timespec past = { .tv_sec = 1 };
	pthread_t thread;

	expect(syscall(NR_WAITV, set, 3, 0, &past, CLOCK_MONOTONIC) == -1 && errno == ETIMEDOUT);
	set[2].value = 7;
	expect(syscall(NR_WAITV, set, 3, 0, NULL, 0) == -1 && errno == EAGAIN);
	expect(syscall(NR_WAITV, set, 200, 0, NULL, 0) == -1 && errno == EINVAL);
	begin(&thread, 1, wait_any);
	while (!atomic_load(&woken)) {
		syscall(SYS_futex, &words[1], FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
		sleep_ms(1);
	}
	pthread_join(thread, NULL);
}

static void requeue(void)
{
	struct waiter pair[2] = { waiter_at(0), waiter_at(1) };
	pthread_t thread[3];

	begin(thread, 3, wait_one);
	while (atomic_load(&woken) < 3) {
		expect(syscall(NR_REQUEUE, pair, 0, 1, 2) >= 0);
		expect(syscall(NR_WAKE, &words[1], ~0U, 3, SIZE_32 | PRIVATE) >= 0);
		sleep_ms(1);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	say("all three came back\n");
}

int main(void)
{
	struct timespec past = { .tv_sec = 1 };

	if (syscall(NR_WAITV, NULL, 0, 0, NULL, 0) == -1 && errno == ENOSYS)
		return 0;
	vector();
	if (syscall(NR_WAKE, &words[0], ~0U, 1, SIZE_32 | PRIVATE) == -1 && errno == ENOSYS)
		return 0;
	expect(syscall(NR_WAIT, &words[0], 1UL, ~0U, SIZE_32 | PRIVATE, NULL, 0) == -1 &&
	       errno == EAGAIN);
	expect(syscall(NR_WAIT, &words[0], 0UL, ~0U, SIZE_32 | PRIVATE, &past, CLOCK_MONOTONIC) == -1 &&
	       errno == ETIMEDOUT);
	requeue();
	return 0;
}
