/* exec from a thread that is not the leader: it takes over the leader's id, the others are gone. */
#include "guest.h"
#include <pthread.h>

static char **arguments;
static int never[2];

static void *sleeper(void *unused)
{
	char byte;

	expect(read(never[0], &byte, 1) == 1);
	return unused;
}

static void *changer(void *unused)
{
	char pid[16], *args[] = { arguments[0], pid, NULL };

	snprintf(pid, sizeof(pid), "%d", getpid());
	expect(gettid() != getpid());
	execv("/proc/self/exe", args);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread[3];

	if (argc > 1) {
		say("same process %d, leader %d\n", atoi(argv[1]) == getpid(), gettid() == getpid());
		return 0;
	}
	arguments = argv;
	expect(pipe2(never, 02000000) == 0);
	for (int i = 0; i < 2; i++)
		expect(pthread_create(&thread[i], NULL, sleeper, NULL) == 0);
	expect(pthread_create(&thread[2], NULL, changer, NULL) == 0);
	pthread_join(thread[2], NULL);
	return 1;
}
