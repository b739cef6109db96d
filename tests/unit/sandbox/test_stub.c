#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../../../sandbox/domain.h"
#include "../../../traces/error.h"
#include "expect.h"

#define EVENT(status) ((unsigned)(status) >> 16)

struct world {
	uid_t uid;
	const char *without; /* NULL: no domain at all */
};

/* Runs `body` in a child of its own, in the replay domain when `world` says so. */
static int run(const struct world *world, void (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct domain_report report;

		if (world->uid) {
			EXPECT(!setgroups(0, NULL) && !setresgid(world->uid, world->uid, world->uid) &&
			       !setresuid(world->uid, world->uid, world->uid));
			EXPECT(!prctl(PR_SET_DUMPABLE, 1));
		}
		if (world->without) {
			setenv("SWORN_WITHOUT", world->without, 1);
			EXPECT(!replay_domain_enter(NULL, 0, 0, 0, &report));
		}
		body();
		_exit(DONE);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int go(pid_t tid)
{
	int status;

	EXPECT(!ptrace(PTRACE_CONT, tid, NULL, NULL));
	EXPECT(waitpid(tid, &status, __WALL) == tid);
	return status;
}

static void place(pid_t tid, uint64_t rip, uint64_t nr, const uint64_t args[6])
{
	struct user_regs_struct registers;

	EXPECT(!ptrace(PTRACE_GETREGS, tid, NULL, &registers));
	registers.orig_rax = ~0UL;
	registers.rip = rip;
	registers.rax = nr;
	registers.rdi = args[0];
	registers.rsi = args[1];
	registers.rdx = args[2];
	registers.r10 = args[3];
	registers.r8 = args[4];
	registers.r9 = args[5];
	EXPECT(!ptrace(PTRACE_SETREGS, tid, NULL, &registers));
}

/* A call from the page that must run without a seccomp stop. */
static int64_t inject(pid_t tid, uint64_t nr, const uint64_t args[6])
{
	struct user_regs_struct registers;
	int status;

	place(tid, CALL_PAGE_SYSCALL, nr, args);
	status = go(tid);
	EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP && !EVENT(status));
	EXPECT(!ptrace(PTRACE_GETREGS, tid, NULL, &registers));
	EXPECT(registers.rip == CALL_PAGE_AFTER + 1);
	return (int64_t)registers.rax;
}

static int open_proc(pid_t tid, const char *file, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, file);
	return open(path, flags | O_CLOEXEC);
}

static pid_t start(void)
{
	pid_t tid = 0;

	EXPECT(!stub_start(-1, -1, 8 << 20, &tid));
	return tid;
}

static void end(pid_t tid)
{
	int status;

	EXPECT(!kill(tid, SIGKILL));
	do {
		EXPECT(waitpid(tid, &status, __WALL) == tid);
		if (WIFSTOPPED(status))
			ptrace(PTRACE_CONT, tid, NULL, NULL);
	} while (WIFSTOPPED(status));
}

static void check_maps(void)
{
	pid_t tid = start();
	char text[8192], *line, *next = text;
	int fd = open_proc(tid, "maps", O_RDONLY), lines = 0;
	ssize_t n = read(fd, text, sizeof(text) - 1);

	EXPECT(n > 0);
	text[n] = 0;
	while ((line = strsep(&next, "\n")) && *line) {
		if (strstr(line, "[vsyscall]"))
			continue;
		EXPECT(!strncmp(line, "70000000-70001000 r-xp ", 23));
		lines++;
	}
	EXPECT(lines == 1);
	end(tid);
}

static void check_calls(void)
{
	static const uint8_t code[] = { 0x0f, 0x05, 0xcc };
	uint64_t map[6] = { 0x10000000,
			    0x4000,
			    PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			    ~0UL,
			    0 };
	uint64_t none[6] = { 0 }, entry = 0;
	pid_t tid = start();
	int memory = open_proc(tid, "mem", O_RDWR), pages = open_proc(tid, "pagemap", O_RDONLY), status;

	EXPECT(memory >= 0 && pages >= 0);
	EXPECT(inject(tid, SYS_mmap, map) == 0x10000000);
	EXPECT(pwrite(memory, code, sizeof(code), 0x10001000) == sizeof(code));
	EXPECT(pread(pages, &entry, 8, 0x10001 * 8) == 8 && entry >> 63);
	EXPECT(pread(pages, &entry, 8, 0x10002 * 8) == 8 && !(entry >> 63));
	place(tid, 0x10001000, SYS_getpid, none);
	status = go(tid);
	EXPECT(EVENT(status) == PTRACE_EVENT_SECCOMP);
	status = go(tid);
	EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP && !EVENT(status));
	place(tid, 0x10001000, SYS_munmap, map);
	EXPECT(EVENT(go(tid)) == PTRACE_EVENT_SECCOMP);
	end(tid);
}

static void check_unlisted(void)
{
	uint64_t none[6] = { 0 };
	pid_t tid = start();

	place(tid, CALL_PAGE_SYSCALL, SYS_getpid, none);
	EXPECT(EVENT(go(tid)) == PTRACE_EVENT_SECCOMP);
	end(tid);
}

static void check_clone(void)
{
	uint64_t args[6] = { SIGCHLD };
	pid_t tid = start(), child;
	unsigned long message;
	int status;

	place(tid, CALL_PAGE_SYSCALL, SYS_clone, args);
	status = go(tid);
	EXPECT(EVENT(status) == PTRACE_EVENT_FORK && !ptrace(PTRACE_GETEVENTMSG, tid, NULL, &message));
	child = (pid_t)message;
	EXPECT(waitpid(child, &status, __WALL) == child && EVENT(status) == PTRACE_EVENT_STOP);
	end(child);
	end(tid);
}

static void check_clone_namespace(void)
{
	uint64_t args[6] = { SIGCHLD | 0x10000000 };
	pid_t tid = start();
	int status;

	place(tid, CALL_PAGE_SYSCALL, SYS_clone, args);
	status = go(tid);
	EXPECT(EVENT(status) == PTRACE_EVENT_EXIT);
	status = go(tid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static void check_tsc(void)
{
	static const uint8_t code[] = { 0x0f, 0x31, 0xcc };
	uint64_t map[6] = { 0x10000000, 0x1000, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			    ~0UL,	0 };
	uint64_t none[6] = { 0 };
	pid_t tid = start();
	int memory = open_proc(tid, "mem", O_RDWR), status;

	EXPECT(inject(tid, SYS_mmap, map) == 0x10000000);
	EXPECT(pwrite(memory, code, sizeof(code), 0x10000000) == sizeof(code));
	place(tid, 0x10000000, 0, none);
	status = go(tid);
	EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSEGV);
	end(tid);
}

static void check_signals(void)
{
	pid_t tid;
	sigset_t set;
	uint64_t mask = 1, ignore[4] = { 1 };
	char text[4096];
	int fd;
	ssize_t n;

	signal(SIGUSR1, SIG_IGN);
	/* Programs started by posix_spawn() ignore this one, which signal() does not reach. */
	EXPECT(!syscall(SYS_rt_sigaction, 33L, ignore, NULL, 8UL));
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	tid = start();
	EXPECT(!ptrace(0x420a /* PTRACE_GETSIGMASK */, tid, (void *)8L, &mask) && mask == 0);
	fd = open_proc(tid, "status", O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	EXPECT(n > 0);
	text[n] = 0;
	/* SIGCHLD alone is ignored: the kernel then reaps what a guest forks, as nobody waits. */
	EXPECT(strstr(text, "SigIgn:\t0000000000010000"));
	EXPECT(strstr(text, "CapEff:\t0000000000000000") || !getuid());
	EXPECT(strstr(text, "NoNewPrivs:\t1"));
	end(tid);
}

static void check_descriptors(void)
{
	int blob = memfd_create("blob", MFD_CLOEXEC), object = memfd_create("object", MFD_CLOEXEC),
	    extra;
	uint64_t map[6] = { 0x10000000, 0x1000, PROT_READ, MAP_SHARED, 3, 0 };
	char byte = 0;
	pid_t tid;
	int memory;

	/* Numbers that collide with their destination, crosswise. */
	EXPECT(pwrite(blob, "b", 1, 0) == 1 && pwrite(object, "o", 1, 0) == 1);
	blob = fcntl(blob, F_DUPFD, 20);
	object = fcntl(object, F_DUPFD, 30);
	extra = open("/proc/self/status", O_RDONLY);
	EXPECT(extra >= 0 && dup2(extra, 7) == 7);
	EXPECT(dup2(blob, 4) == 4 && dup2(object, 3) == 3);
	EXPECT(!stub_start(4, 3, 1 << 20, &tid));
	memory = open_proc(tid, "mem", O_RDONLY);
	EXPECT(inject(tid, SYS_mmap, map) == 0x10000000);
	EXPECT(pread(memory, &byte, 1, 0x10000000) == 1 && byte == 'b');
	map[0] = 0x20000000;
	map[4] = 4;
	EXPECT(inject(tid, SYS_mmap, map) == 0x20000000);
	EXPECT(pread(memory, &byte, 1, 0x20000000) == 1 && byte == 'o');
	for (uint64_t fd = 0; fd < 64; fd++) {
		map[4] = fd;
		EXPECT(fd == 3 || fd == 4 || inject(tid, SYS_mmap, map) == -EBADF);
	}
	end(tid);
}

static void check_stack_limit(void)
{
	struct rlimit limit;
	pid_t tid;

	EXPECT(!stub_start(-1, -1, 1 << 20, &tid));
	EXPECT(!prlimit(tid, RLIMIT_STACK, NULL, &limit) && limit.rlim_cur == 1 << 20);
	EXPECT(!stub_limit_stack(tid, 2 << 20) && !prlimit(tid, RLIMIT_STACK, NULL, &limit) &&
	       limit.rlim_cur == 2 << 20);
	end(tid);
	EXPECT(!stub_start(-1, -1, 0, &tid));
	end(tid);
	EXPECT(!stub_start(-1, -1, UINT64_MAX, &tid));
	end(tid);
}

static void check_counter(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_TASK_CLOCK,
					.exclude_kernel = 1,
					.exclude_hv = 1 };
	pid_t tid = start();
	long fd = syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	EXPECT(fd >= 0 || errno == EACCES || errno == EPERM || errno == ENOENT || errno == ENOSYS);
	end(tid);
}

static void check_cost(void)
{
	struct timespec from, to;
	double best = 1e9;

	for (int i = 0; i < 40; i++) {
		double ms;
		pid_t tid;

		clock_gettime(CLOCK_MONOTONIC, &from);
		tid = start();
		clock_gettime(CLOCK_MONOTONIC, &to);
		end(tid);
		ms = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
		best = ms < best ? ms : best;
	}
	dprintf(1, "stub_start: %.3f ms at best of 40\n", best);
	EXPECT(best < 10);
}

static const struct world worlds[] = {
	{ 0, NULL },   { 0, "" },	    { 0, "userns" }, { 0, "userns,landlock,personality" },
	{ 12345, "" }, { 12345, "userns" }, { 12345, NULL },
};

static void in_every_world(void (*body)(void))
{
	bool root = !geteuid();

	for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
		struct world world = worlds[i];

		if (!root)
			world.uid = 0;
		if (run(&world, body) != DONE)
			fail_msg("as uid %u in domain without \"%s\"", (unsigned)world.uid,
				 world.without ? world.without : "(no domain)");
	}
}

#define IN_EVERY_WORLD(name, body)     \
	static void name(void **state) \
	{                              \
		(void)state;           \
		in_every_world(body);  \
	}

IN_EVERY_WORLD(stub_holds_only_the_call_page, check_maps)
IN_EVERY_WORLD(stub_runs_listed_calls_of_the_page_without_a_stop_and_no_others, check_calls)
IN_EVERY_WORLD(stub_stops_at_an_unlisted_call_of_the_page, check_unlisted)
IN_EVERY_WORLD(stub_clones_from_the_page, check_clone)
IN_EVERY_WORLD(stub_is_killed_by_a_clone_into_a_namespace, check_clone_namespace)
IN_EVERY_WORLD(stub_traps_rdtsc, check_tsc)
IN_EVERY_WORLD(stub_has_unblocked_signals_all_default_but_one_and_no_privileges, check_signals)
IN_EVERY_WORLD(stub_holds_only_the_two_descriptors, check_descriptors)
IN_EVERY_WORLD(stub_has_the_stack_limit_asked_for, check_stack_limit)
IN_EVERY_WORLD(stub_lets_its_tracer_open_a_counter, check_counter)
IN_EVERY_WORLD(stub_start_is_quick, check_cost)

static void call_page_traps_everywhere_but_at_its_call(void **state)
{
	const uint8_t *page = call_page_bytes();

	(void)state;
	for (size_t i = 0; i < CALL_PAGE_BYTES; i++) {
		uint8_t expected = i == 16 ? 0x0f : i == 17 ? 0x05 : 0xcc;

		assert_int_equal(page[i], expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(call_page_traps_everywhere_but_at_its_call),
		cmocka_unit_test(stub_holds_only_the_call_page),
		cmocka_unit_test(stub_runs_listed_calls_of_the_page_without_a_stop_and_no_others),
		cmocka_unit_test(stub_stops_at_an_unlisted_call_of_the_page),
		cmocka_unit_test(stub_clones_from_the_page),
		cmocka_unit_test(stub_is_killed_by_a_clone_into_a_namespace),
		cmocka_unit_test(stub_traps_rdtsc),
		cmocka_unit_test(stub_has_unblocked_signals_all_default_but_one_and_no_privileges),
		cmocka_unit_test(stub_holds_only_the_two_descriptors),
		cmocka_unit_test(stub_has_the_stack_limit_asked_for),
		cmocka_unit_test(stub_lets_its_tracer_open_a_counter),
		cmocka_unit_test(stub_start_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
