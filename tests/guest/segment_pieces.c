/* System V segments that are detached in pieces, run as code, and attached beside each other. */
#include "guest.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/shm.h>

#define PAGE 4096

static sigjmp_buf back;

static void on_fault(int number)
{
	siglongjmp(back, number);
}

static int faults(volatile char *at)
{
	int number = sigsetjmp(back, 1);

	if (number == 0)
		*at = 1;
	return number == SIGSEGV;
}

static int segment(size_t pages)
{
	int id = shmget(IPC_PRIVATE, pages * PAGE, IPC_CREAT | 0700);

	expect(id >= 0);
	return id;
}

static char *attach(int id, void *at, int flags)
{
	char *start = shmat(id, at, flags);

	expect(start != (char *)-1);
	return start;
}

/* What is left of it goes, wherever it begins; what took the place of a piece stays. */
static void holes(void)
{
	int id = segment(6);
	char *start = attach(id, NULL, 0);

	memset(start, 7, 6 * PAGE);
	expect(!munmap(start + PAGE, PAGE));
	expect(!mprotect(start + 4 * PAGE, PAGE, PROT_READ));
	expect(mmap(start + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == start + 3 * PAGE);
	start[3 * PAGE] = 5;
	expect(!shmdt(start));
	for (int page = 0; page < 6; page++)
		expect(page == 3 ? start[3 * PAGE] == 5 : faults(start + page * PAGE));
	expect(shmdt(start) == -1 && errno == EINVAL);

	start = attach(id, NULL, 0);
	expect(start[2 * PAGE] == 7 && !munmap(start, 2 * PAGE));
	expect(!shmdt(start) && faults(start + 2 * PAGE));
	expect(!shmctl(id, IPC_RMID, NULL));
	say("holes\n");
}

/* Two that touch are two. */
static void neighbours(void)
{
	char *room = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int id = segment(2);

	expect(room != MAP_FAILED);
	attach(id, room, SHM_REMAP);
	attach(id, room + 2 * PAGE, SHM_REMAP);
	room[PAGE] = 3;
	expect(room[3 * PAGE] == 3);
	expect(!shmdt(room) && faults(room) && room[3 * PAGE] == 3);
	expect(!shmdt(room + 2 * PAGE) && faults(room + 2 * PAGE));
	expect(!shmctl(id, IPC_RMID, NULL));
	say("neighbours\n");
}

/* What one wrote is there for the next, with nobody attached in between. */
static void handed_on(void)
{
	int id = segment(1);

	for (int round = 0; round < 3; round++) {
		pid_t child = fork();

		if (child == 0) {
			char *start = attach(id, NULL, 0);

			expect(*start == round);
			*start = (char)(round + 1);
			_exit(shmdt(start));
		}
		expect(child > 0 && reap(child) == 0);
	}
	expect(*attach(id, NULL, SHM_RDONLY) == 3 && !shmctl(id, IPC_RMID, NULL));
	say("handed on\n");
}

static void code(void)
{
	static const unsigned char give_42[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	int id = segment(1);
	char *start = attach(id, NULL, SHM_EXEC);
	int (*run)(void);

	memcpy(start, give_42, sizeof(give_42));
	memcpy(&run, &start, sizeof(run));
	say("code gives %d\n", run());
	expect(!shmdt(start) && !shmctl(id, IPC_RMID, NULL));
}

int main(void)
{
	expect(signal(SIGSEGV, on_fault) != SIG_ERR);
	holes();
	neighbours();
	handed_on();
	code();
	return 0;
}
