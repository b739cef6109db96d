/* What an exec leaves in the memory that others still use: the cleared tid word, the words of robust locks. */
#include "guest.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#define STACK_BYTES 65536

static int tid_word;
static pthread_mutex_t own_lock;

static void robust_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t how;

	pthread_mutexattr_init(&how);
	pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
	expect(pthread_mutex_init(lock, &how) == 0);
}

static int become(void *argv)
{
	char **args = argv;

	execv("/proc/self/exe", args);
	_exit(2);
}

/* A process on our memory, which we wait for or not, until it has an image of its own. */
static void on_our_memory(char **args, int how)
{
	static char stack[STACK_BYTES] __attribute__((aligned(16)));
	int pid;

	tid_word = -1;
	pid = clone(become, stack + sizeof(stack),
		    CLONE_VM | CLONE_FILES | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD | how,
		    args, &tid_word, NULL, &tid_word);
	expect(pid > 0);
	if (how & CLONE_VFORK)
		say("after the exec: tid word %d\n", tid_word);
	say("image left %d", WEXITSTATUS(reap(pid)));
	say(", tid word %d\n", tid_word);
}

/* The image goes on with the same tid, but holds none of the locks. */
static void with_locks(char **args, pthread_mutex_t *shared)
{
	int ends[2], error;
	char byte;
	pid_t pid;

	expect(pipe(ends) == 0 && (pid = fork()) >= 0);
	if (pid == 0) {
		expect(pthread_mutex_lock(shared) == 0 && pthread_mutex_lock(&own_lock) == 0);
		expect(write(ends[1], "x", 1) == 1);
		become(args);
	}
	expect(read(ends[0], &byte, 1) == 1);
	error = pthread_mutex_lock(shared);
	say("shared lock: %s\n", error == EOWNERDEAD ? "owner is gone" : "taken");
	pthread_mutex_consistent(shared);
	pthread_mutex_unlock(shared);
	say("image left %d\n", WEXITSTATUS(reap(pid)));
}

int main(int argc, char **argv)
{
	char *args[] = { argv[0], "image", NULL };
	pthread_mutex_t *shared;

	if (argc > 1)
		return 7;
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(shared != MAP_FAILED);
	on_our_memory(args, CLONE_VFORK);
	on_our_memory(args, 0);
	robust_init(shared);
	robust_init(&own_lock);
	expect(pthread_mutex_lock(shared) == 0);
	pthread_mutex_unlock(shared);
	with_locks(args, shared);
	return 0;
}
