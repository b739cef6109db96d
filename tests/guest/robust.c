/* Robust mutexes: the owner dies as a thread, as a process, by a signal; the next one learns of it. */
#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

static pthread_mutex_t *lock;

static void *die(void *unused)
{
	pthread_mutex_lock(lock);
	return unused;
}

static void next(const char *what)
{
	int error = pthread_mutex_lock(lock);

	say("%s: %s\n", what, error == EOWNERDEAD ? "owner died" : strerror(error));
	if (error == EOWNERDEAD)
		expect(pthread_mutex_consistent(lock) == 0);
	pthread_mutex_unlock(lock);
}

int main(void)
{
	pthread_mutexattr_t robust;
	pthread_t thread;
	pid_t pid;
	int ends[2];
	char byte;

	lock = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(lock != MAP_FAILED && pipe(ends) == 0);
	pthread_mutexattr_init(&robust);
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(lock, &robust);
	pthread_create(&thread, NULL, die, NULL);
	pthread_join(thread, NULL);
	next("thread");
	next("nobody");
	pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(lock);
		_exit(0);
	}
	expect(reap(pid) == 0);
	next("process");
	pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(lock);
		expect(write(ends[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	expect(read(ends[0], &byte, 1) == 1);
	kill(pid, SIGKILL);
	next("killed while we wait");
	expect(reap(pid) == SIGKILL);
	return 0;
}
