/* Queues, semaphores and segments of System V: when they were used last, by the virtual clock. */
#include <stddef.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "view.h"

#define COMMANDS_MAX 3
#define TIMES_MAX 3
#define BILLION 1000000000ULL

/* The commands of a call that answer with a status, and where that has its times. */
struct times {
	int commands[COMMANDS_MAX];
	unsigned int command_arg, arg;
	size_t offsets[TIMES_MAX];
	size_t count;
};

static bool asks_for_status(const struct times *times, const struct call *call)
{
	for (size_t i = 0; i < COMMANDS_MAX; i++) {
		if ((int)call->args[times->command_arg] == times->commands[i])
			return true;
	}
	return false;
}

/* A time that is 0 says that nothing of the kind has been: it stays. */
int view_ipc_status(struct recorder *rec, struct thread *thread)
{
	static const struct times segments = {
		{ IPC_STAT, SHM_STAT, SHM_STAT_ANY },
		1,
		2,
		{ offsetof(struct shmid_ds, shm_atime), offsetof(struct shmid_ds, shm_dtime),
		  offsetof(struct shmid_ds, shm_ctime) },
		3,
	};
	static const struct times queues = {
		{ IPC_STAT, MSG_STAT, MSG_STAT_ANY },
		1,
		2,
		{ offsetof(struct msqid_ds, msg_stime), offsetof(struct msqid_ds, msg_rtime),
		  offsetof(struct msqid_ds, msg_ctime) },
		3,
	};
	static const struct times semaphores = {
		{ IPC_STAT, SEM_STAT, SEM_STAT_ANY },
		2,
		3,
		{ offsetof(struct semid_ds, sem_otime), offsetof(struct semid_ds, sem_ctime) },
		2,
	};
	const struct call *call = &thread->call;
	const struct times *times = call->nr == SYS_shmctl   ? &segments
				    : call->nr == SYS_msgctl ? &queues
							     : &semaphores;
	uint64_t now = (rec->epoch_ns + rec->clock_ns) / BILLION, time;
	int r = 0;

	if (!asks_for_status(times, call))
		return 0;
	for (size_t i = 0; r == 0 && i < times->count; i++) {
		uint64_t address = call->args[times->arg] + times->offsets[i];

		if (guest_read(thread, address, &time, sizeof(time)) == sizeof(time) && time != 0)
			r = guest_write(thread, address, &now, sizeof(now));
	}
	return r;
}
