/* eventfd between threads and processes: counting, semaphore mode, a blocking write at the limit. */
#include "guest.h"
#include <pthread.h>
#include <sys/eventfd.h>

static int counter, semaphore;

static void *post(void *unused)
{
	for (int i = 0; i < 100; i++)
		expect(eventfd_write(counter, 3) == 0);
	return unused;
}

static void *drain(void *unused)
{
	uint64_t value;

	sleep_ms(20);
	expect(eventfd_read(counter, &value) == 0 && value == UINT64_MAX - 1);
	return unused;
}

int main(void)
{
	uint64_t value, sum = 0;
	pthread_t thread;
	pid_t pid;

	counter = eventfd(0, 0);
	semaphore = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
	expect(counter >= 0 && semaphore >= 0);
	pthread_create(&thread, NULL, post, NULL);
	while (sum < 300) {
		expect(eventfd_read(counter, &value) == 0 && value % 3 == 0);
		sum += value;
	}
	pthread_join(thread, NULL);
	say("sum %lu\n", (unsigned long)sum);
	for (int i = 0; i < 3; i++)
		expect(eventfd_read(semaphore, &value) == 0 && value == 1);
	expect(eventfd_read(semaphore, &value) == -1 && errno == EAGAIN);
	expect(eventfd_write(counter, UINT64_MAX - 1) == 0);
	pthread_create(&thread, NULL, drain, NULL);
	expect(eventfd_write(counter, 5) == 0);
	pthread_join(thread, NULL);
	pid = fork();
	if (pid == 0)
		_exit(eventfd_write(counter, 10) != 0);
	expect(reap(pid) == 0 && eventfd_read(counter, &value) == 0);
	say("from the child and ourselves %lu\n", (unsigned long)value);
	expect(write(counter, &value, 4) == -1 && errno == EINVAL);
	return 0;
}
