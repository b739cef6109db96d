/* prctl and arch_prctl: every option that an ordinary program may ask for, each with what it changes. */
#include "guest.h"
#include <asm/prctl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define SET_MEMORY_MERGE 67
#define GET_MEMORY_MERGE 68

static void *name_of_thread(void *argument)
{
	char seen[16];

	expect(prctl(PR_GET_NAME, seen) == 0);
	strcpy(argument, seen);
	expect(prctl(PR_SET_NAME, "second") == 0);
	return NULL;
}

static void names(void)
{
	char seen[17] = "", inherited[17] = "", line[64] = "";
	pthread_t thread;
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	FILE *file;

	expect(prctl(PR_SET_NAME, "a name that is too long for it") == 0 &&
	       prctl(PR_GET_NAME, seen) == 0);
	expect(pthread_create(&thread, NULL, name_of_thread, inherited) == 0 &&
	       pthread_join(thread, NULL) == 0);
	say("names '%s' '%s'\n", seen, inherited);
	file = fopen("/proc/self/comm", "r");
	expect(file && fgets(line, sizeof(line), file) && strncmp(line, seen, strlen(seen)) == 0);
	fclose(file);
	/* The name ends with the page; what follows is not mapped. */
	expect(munmap(page + 4096, 4096) == 0);
	memcpy(page + 4092, "end", 4);
	expect(prctl(PR_SET_NAME, page + 4092) == 0 && prctl(PR_GET_NAME, seen) == 0);
	expect(prctl(PR_SET_NAME, 8) == -1 && errno == EFAULT);
	say("name at a page's end '%s'\n", seen);
	munmap(page, 4096);
}

static void switches(void)
{
	int value = -1;

	expect(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0 && prctl(PR_GET_PDEATHSIG, &value) == 0 &&
	       value == SIGUSR1);
	expect(prctl(PR_SET_PDEATHSIG, 99) == -1 && errno == EINVAL && prctl(PR_SET_PDEATHSIG, 0) == 0);
	expect(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 &&
	       prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 && value == 1);
	expect(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
	expect(prctl(PR_SET_TIMERSLACK, 12345) == 0 && prctl(PR_GET_TIMERSLACK) == 12345);
	expect(prctl(PR_GET_DUMPABLE) == 1 && prctl(PR_SET_DUMPABLE, 0) == 0 &&
	       prctl(PR_GET_DUMPABLE) == 0);
	expect(prctl(PR_SET_DUMPABLE, 1) == 0 && prctl(PR_SET_DUMPABLE, 7) == -1 && errno == EINVAL);
	expect(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0 && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
	expect(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) == 0);
	expect(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0);
	expect(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_EARLY);
	expect(prctl(PR_GET_TIMING) == PR_TIMING_STATISTICAL &&
	       prctl(PR_SET_TIMING, PR_TIMING_STATISTICAL) == 0);
	expect(prctl(PR_GET_TSC, &value) == 0 && value == PR_TSC_ENABLE);
	expect(prctl(PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0) == -1 && errno == EINVAL);
	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	expect(prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0) >= 0 ||
	       errno == ENODEV || errno == EINVAL);
	value = prctl(GET_MEMORY_MERGE, 0, 0, 0, 0);
	if (value >= 0)
		expect(prctl(SET_MEMORY_MERGE, 1, 0, 0, 0) == 0 &&
		       prctl(GET_MEMORY_MERGE, 0, 0, 0, 0) == 1 &&
		       prctl(SET_MEMORY_MERGE, value, 0, 0, 0) == 0);
	expect(prctl(PR_GET_UNALIGN, &value) == -1 && errno == EINVAL);
	expect(prctl(12345678) == -1 && errno == EINVAL);
	say("switches work\n");
}

static void death_signal(void)
{
	int up[2];
	char byte;
	pid_t pid;

	expect(pipe(up) == 0);
	pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			close(up[0]);
			expect(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && write(up[1], "x", 1) == 1);
			for (;;)
				pause();
		}
		expect(read(up[0], &byte, 1) == 1);
		_exit(0);
	}
	expect(reap(pid) == 0 && close(up[1]) == 0);
	expect(read(up[0], &byte, 1) == 0); /* the orphan is gone */
	say("the orphan went with its parent\n");
}

static void bases(void)
{
	unsigned long fs = 0, gs = 1, seen = 1;
	static unsigned long word = 77;

	expect(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs) == 0 && fs != 0);
	expect(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) == 0 && gs == 0);
	expect(syscall(SYS_arch_prctl, ARCH_SET_GS, &word) == 0 &&
	       syscall(SYS_arch_prctl, ARCH_GET_GS, &seen) == 0);
	expect(seen == (unsigned long)&word);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(seen));
	expect(syscall(SYS_arch_prctl, ARCH_SET_GS, 0) == 0);
	expect(syscall(SYS_arch_prctl, ARCH_SET_FS, fs) == 0);
	expect(syscall(SYS_arch_prctl, ARCH_SET_FS, ~0UL) == -1 && errno == EPERM);
	expect(syscall(SYS_arch_prctl, 0x7777, 0) == -1 && errno == EINVAL);
	expect(syscall(SYS_arch_prctl, ARCH_GET_CPUID, 0) == 1);
	say("segment bases: %lu\n", seen);
}

static void mapping_names(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r = prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, page, 4096, "named");

	expect(r == 0 || errno == EINVAL);
	page[0] = 1;
}

int main(void)
{
	names();
	death_signal();
	bases();
	mapping_names();
	switches();
	return 0;
}
