/* Advice and System V control in the forms that few programs use; from a process to itself by a descriptor. */
#include "guest.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define ANY_MSG 13
#define ANY_SHM 15
#define ANY_SEM 20
#define COLLAPSE 25
#define PAGEOUT 21
#define LARGE (2 << 20)

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif

/* The index that names an object for the calls that go over all of them; the ids are the machine's. */
static int index_of(int id)
{
	return id & 0x7fff;
}

static void queues(void)
{
	int id = msgget(IPC_PRIVATE, 0640);
	struct msqid_ds seen;

	expect(id >= 0 && msgctl(index_of(id), ANY_MSG, &seen) == id);
	say("queue: mode %o, %lu messages\n", seen.msg_perm.mode & 0777, (unsigned long)seen.msg_qnum);
	expect(msgctl(id, IPC_RMID, NULL) == 0);
}

static void semaphores(void)
{
	int id = semget(IPC_PRIVATE, 3, 0640);
	struct semid_ds seen;

	expect(id >= 0 && semctl(index_of(id), 0, ANY_SEM, &seen) == id);
	say("semaphores: mode %o, %lu\n", seen.sem_perm.mode & 0777, (unsigned long)seen.sem_nsems);
	expect(semctl(id, 0, IPC_RMID) == 0);
}

static void segments(void)
{
	int id = shmget(IPC_PRIVATE, 4096, 0640);
	struct shmid_ds seen;

	expect(id >= 0 && shmctl(index_of(id), ANY_SHM, &seen) == id && seen.shm_segsz == 4096);
	seen.shm_perm.mode = 0600;
	expect(shmctl(id, IPC_SET, &seen) == 0 && shmctl(id, IPC_STAT, &seen) == 0);
	say("segment: mode %o\n", seen.shm_perm.mode & 0777);
	expect(shmctl(id, IPC_RMID, NULL) == 0);
}

static void advise(void)
{
	const int advice[] = { MADV_WILLNEED, PAGEOUT, COLLAPSE };
	char *at = mmap(NULL, 2 * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *aligned = (char *)(((uintptr_t)at + LARGE - 1) & -(uintptr_t)LARGE);
	struct iovec range = { aligned, LARGE };
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

	expect(at != MAP_FAILED && self >= 0);
	for (int i = 0; i < LARGE; i += 4096)
		aligned[i] = (char)(i >> 12);
	expect(madvise(aligned, LARGE, MADV_SEQUENTIAL) == 0 &&
	       madvise(aligned, LARGE, MADV_NORMAL) == 0);
	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		long n = syscall(SYS_process_madvise, self, &range, 1, advice[i], 0);

		expect(n == LARGE || (n == -1 && errno != EFAULT && errno != EBADF));
	}
	say("content after advice: %016llx\n", (unsigned long long)fingerprint(aligned, LARGE));
	close(self);
}

/* A home is for ranges that already have a policy. */
static void home(void)
{
	char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long nodes = 1;
	long r;

	expect(at != MAP_FAILED);
	if (syscall(SYS_mbind, at, 8192, 2, &nodes, 8, 0) < 0) {
		say("one kind of memory\n");
		return;
	}
	r = syscall(SYS_set_mempolicy_home_node, at, 8192, 0, 0);
	say("home: %s\n", r < 0 ? strerror(errno) : "0");
	expect(syscall(SYS_set_mempolicy_home_node, at, 8192, 0, 1) == -1);
}

int main(void)
{
	queues();
	semaphores();
	segments();
	advise();
	home();
	return 0;
}
