/* System V shared memory, semaphores and message queues between parent and child. */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

struct message {
	long type;
	char text[24];
};

static void step(int set, unsigned short which, short by)
{
	struct sembuf operation = { which, by, 0 };

	while (semop(set, &operation, 1) < 0)
		expect(errno == EINTR);
}

int main(void)
{
	int memory = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600),
	    set = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600);
	int queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	struct message message = { 0 };
	struct shmid_ds state;
	char *at;

	if (memory < 0 && errno == ENOSYS) {
		say("no System V objects here\n");
		return 0;
	}
	expect(memory >= 0 && set >= 0 && queue >= 0);
	at = shmat(memory, NULL, 0);
	expect(at != (void *)-1);
	if (fork() == 0) {
		step(set, 0, -1);
		strcat(at, ", child");
		step(set, 1, 1);
		expect(msgrcv(queue, &message, sizeof(message.text), 2, 0) == 24);
		say("child got '%s'\n", message.text);
		expect(shmdt(at) == 0);
		_exit(3);
	}
	strcpy(at, "parent");
	step(set, 0, 1);
	step(set, 1, -1);
	say("shared: %s\n", at);
	for (long type = 1; type <= 2; type++) {
		message.type = type;
		snprintf(message.text, sizeof(message.text), "message of type %ld", type);
		expect(msgsnd(queue, &message, sizeof(message.text), 0) == 0);
	}
	say("status %d\n", WEXITSTATUS(reap(-1)));
	expect(msgrcv(queue, &message, sizeof(message.text), 0, IPC_NOWAIT) == 24 && message.type == 1);
	expect(msgrcv(queue, &message, sizeof(message.text), 0, IPC_NOWAIT) == -1 && errno == ENOMSG);
	expect(shmctl(memory, IPC_STAT, &state) == 0 && state.shm_segsz == 8192 &&
	       state.shm_nattch == 1);
	expect(semctl(set, 0, GETVAL) == 0 && shmdt(at) == 0);
	expect(shmctl(memory, IPC_RMID, NULL) == 0 && semctl(set, 0, IPC_RMID) == 0);
	expect(msgctl(queue, IPC_RMID, NULL) == 0);
	return 0;
}
