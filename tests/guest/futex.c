/* futex operations by hand: wait, wake, bitsets, requeue, wake_op, time-outs, wrong values. */
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static atomic_int word, other, ready, woken;

#define futex(at, operation, ...) \
	syscall(SYS_futex, at, (operation) | FUTEX_PRIVATE_FLAG, __VA_ARGS__)

static void *waiter(void *mask)
{
	atomic_fetch_add(&ready, 1);
	while (futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, (int)(intptr_t)mask) != 0)
		expect(errno == EINTR);
	atomic_fetch_add(&woken, 1);
	return NULL;
}

/* Wakes by `operation` until `count` more threads have come out. */
static void until(int count, long (*wake)(void))
{
	while (atomic_load(&woken) < count) {
		wake();
		sleep_ms(2);
	}
	say("woken %d\n", atomic_load(&woken));
}

static long wake_second_bit(void)
{
	return futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 2);
}

static long wake_moved(void)
{
	futex(&word, FUTEX_CMP_REQUEUE, 0, (void *)10, &other, 0);
	return futex(&other, FUTEX_WAKE, 10, NULL, NULL, 0);
}

int main(void)
{
	struct timespec brief = { .tv_nsec = 5000000 }, past = { 0 };
	pthread_t thread[4];

	expect(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0) == -1 && errno == EAGAIN);
	expect(futex(&word, FUTEX_WAIT, 0, &brief, NULL, 0) == -1 && errno == ETIMEDOUT);
	expect(futex(&word, FUTEX_WAIT_BITSET, 0, &past, NULL, -1) == -1 && errno == ETIMEDOUT);
	expect(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, waiter, (void *)(intptr_t)(i == 0 ? 2 : 5));
	while (atomic_load(&ready) < 4)
		sleep_ms(1);
	until(1, wake_second_bit);
	until(4, wake_moved);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	expect(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other,
		     FUTEX_OP(FUTEX_OP_ADD, 7, FUTEX_OP_CMP_EQ, 0)) == 0);
	say("other word %d\n", atomic_load(&other));
	expect(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 55) == -1 && errno == EAGAIN);
	return 0;
}
