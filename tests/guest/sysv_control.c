/* What the control calls of System V objects tell and change; undo at exit; messages picked, copied, cut. */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

union argument {
	int value;
	unsigned short *array;
	void *buffer;
};

struct message {
	long type;
	char text[16];
};

static void semaphores(void)
{
	unsigned short values[5] = { 4, 3, 2, 1, 0 }, seen[6] = { 99, 99, 99, 99, 99, 99 };
	int set = semget(IPC_PRIVATE, 5, IPC_CREAT | 0600), most;
	struct sembuf take = { 0, -1, SEM_UNDO }, pair[2] = { { 1, -3, 0 }, { 2, 0, IPC_NOWAIT } };
	struct timespec brief = { .tv_nsec = 3000000 };
	struct semid_ds state;
	struct seminfo limits;

	expect(set >= 0 && semctl(set, 0, SETALL, (union argument){ .array = values }) == 0);
	expect(semctl(set, 0, GETALL, (union argument){ .array = seen }) == 0);
	say("values %d %d %d %d %d, then %d\n", seen[0], seen[1], seen[2], seen[3], seen[4], seen[5]);
	if (fork() == 0) {
		expect(semop(set, &take, 1) == 0 && semop(set, &take, 1) == 0);
		expect(semctl(set, 0, GETVAL) == 2);
		_exit(0);
	}
	expect(reap(-1) == 0);
	say("undone at exit: %d\n", semctl(set, 0, GETVAL));
	expect(semop(set, pair, 2) == -1 && errno == EAGAIN && semctl(set, 1, GETVAL) == 3);
	take.sem_num = 4;
	expect(semtimedop(set, &take, 1, &brief) == -1 && errno == EAGAIN);
	expect(semctl(set, 0, IPC_STAT, (union argument){ .buffer = &state }) == 0 &&
	       state.sem_nsems == 5);
	most = semctl(0, 0, IPC_INFO, (union argument){ .buffer = &limits });
	expect(most >= 0 && limits.semmsl >= 5);
	expect(semctl(0, 0, SEM_INFO, (union argument){ .buffer = &limits }) == most);
	expect(semctl(most, 0, SEM_STAT, (union argument){ .buffer = &state }) >= 0 ||
	       errno == EACCES || errno == EINVAL);
	expect(semctl(set, 0, IPC_STAT, (union argument){ .buffer = &state }) == 0);
	state.sem_perm.mode = 0640;
	expect(semctl(set, 0, IPC_SET, (union argument){ .buffer = &state }) == 0);
	expect(semctl(set, 3, SETVAL, (union argument){ .value = 70 }) == 0 &&
	       semctl(set, 3, GETPID) == getpid() && semctl(set, 3, GETNCNT) == 0 &&
	       semctl(set, 3, GETZCNT) == 0);
	expect(semctl(set, 9, GETVAL) == -1 && errno == EINVAL);
	expect(semctl(set, 0, IPC_RMID) == 0 && semctl(set, 0, GETVAL) == -1);
}

static void segments(void)
{
	int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600), most;
	struct shminfo limits;
	struct shm_info use;
	struct shmid_ds state;
	char *first = shmat(id, NULL, 0), *second = shmat(id, NULL, SHM_RDONLY), *third;

	expect(first != (char *)-1 && second != (char *)-1);
	strcpy(first + 9000, "through both");
	say("read-only side: %s\n", second + 9000);
	third = shmat(id, second, SHM_REMAP);
	expect(third == second);
	strcpy(third, "written after remap");
	expect(shmat(id, first + 1, 0) == (void *)-1 && errno == EINVAL);
	most = shmctl(0, IPC_INFO, (void *)&limits);
	expect(most >= 0 && shmctl(0, SHM_INFO, (void *)&use) == most && use.used_ids >= 1);
	expect(shmctl(most, SHM_STAT, &state) >= 0 || errno == EACCES || errno == EINVAL);
	expect(shmctl(id, SHM_LOCK, NULL) == 0 || errno == ENOMEM || errno == EPERM);
	expect(shmctl(id, SHM_UNLOCK, NULL) == 0 || errno == EPERM);
	expect(shmctl(id, IPC_RMID, NULL) == 0 && shmctl(id, IPC_STAT, &state) == 0);
	say("removed but mapped: %lu attached, %s\n", (unsigned long)state.shm_nattch, first);
	if (fork() == 0) {
		strcpy(second, "from the child");
		expect(shmdt(first) == 0);
		_exit(0);
	}
	expect(reap(-1) == 0);
	say("%s\n", first);
	expect(munmap(first, 4096) == 0);
	expect(second[0] == 'f' && shmdt(second) == 0);
	expect(shmdt(first + 4096) == -1 && errno == EINVAL);
	expect(munmap(first + 4096, 8192) == 0 && shmat(id, NULL, 0) == (void *)-1);
}

static void messages(void)
{
	int queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600), most;
	struct message message = { 0 };
	struct msqid_ds state;
	struct msginfo limits;

	for (message.type = 1; message.type <= 4; message.type++) {
		snprintf(message.text, sizeof(message.text), "number %ld", message.type);
		expect(msgsnd(queue, &message, strlen(message.text) + 1, 0) == 0);
	}
	if (msgrcv(queue, &message, 16, 1, MSG_COPY | IPC_NOWAIT) == 9)
		expect(message.type == 2);
	expect(msgrcv(queue, &message, 16, 1, MSG_EXCEPT) == 9 && message.type == 2);
	expect(msgrcv(queue, &message, 16, -9, 0) == 9 && message.type == 1);
	expect(msgrcv(queue, &message, 4, 0, 0) == -1 && errno == E2BIG);
	memset(message.text, '.', 16);
	expect(msgrcv(queue, &message, 4, 4, MSG_NOERROR) == 4);
	say("cut: %.16s\n", message.text);
	expect(msgctl(queue, IPC_STAT, &state) == 0 && state.msg_qnum == 1);
	most = msgctl(0, IPC_INFO, (void *)&limits);
	expect(most >= 0 && msgctl(0, MSG_INFO, (void *)&limits) == most);
	expect(msgctl(most, MSG_STAT, &state) >= 0 || errno == EACCES || errno == EINVAL);
	expect(msgctl(queue, IPC_STAT, &state) == 0);
	state.msg_qbytes = 100;
	expect(msgctl(queue, IPC_SET, &state) == 0);
	expect(msgsnd(queue, &(char[128]){ 1 }, 101, IPC_NOWAIT) == -1);
	if (fork() == 0)
		_exit(msgrcv(queue, &message, 16, 77, 0) == -1 && errno == EIDRM ? 7 : 0);
	sleep_ms(20);
	expect(msgctl(queue, IPC_RMID, NULL) == 0);
	say("the sleeper was told: %d\n", WEXITSTATUS(reap(-1)));
}

int main(void)
{
	semaphores();
	segments();
	messages();
	return 0;
}
