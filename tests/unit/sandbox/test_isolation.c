#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../../sandbox/domain.h"
#include "expect.h"
#include "refuse.h"

#define KEPT 57
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_LIMIT 0 /* sanitizers map terabytes */
#else
#define MEMORY_LIMIT (64 << 20)
#endif
#define CLOSED 58

extern char **environ;

static bool kernel_has_landlock;

struct world {
	uid_t uid;
	const char *without;
};

/* Wait status of a child that enters the domain and runs `body` there. */
static int run(const struct world *world, void (*body)(const struct domain_report *))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct domain_report report;
		int keep[] = { KEPT };

		if (world->uid && !geteuid()) {
			EXPECT(!setgroups(0, NULL) && !setresgid(world->uid, world->uid, world->uid) &&
			       !setresuid(world->uid, world->uid, world->uid));
			EXPECT(!prctl(PR_SET_DUMPABLE, 1));
		}
		setenv("SWORN_WITHOUT", world->without, 1);
		setenv("SECRET", "1", 1);
		EXPECT(dup2(2, KEPT) == KEPT && dup2(2, CLOSED) == CLOSED);
		EXPECT(!replay_domain_enter(keep, 1, 1, MEMORY_LIMIT, &report));
		body(&report);
		_exit(DONE);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static const struct world worlds[] = {
	{ 0, "" },     { 0, "userns" },	    { 0, "userns,landlock" },
	{ 12345, "" }, { 12345, "userns" }, { 12345, "userns,landlock" },
};
#define WORLDS (sizeof(worlds) / sizeof(worlds[0]))

static void in_every_world(void (*body)(const struct domain_report *))
{
	for (size_t i = 0; i < WORLDS; i++) {
		int status = run(&worlds[i], body);

		if (!WIFEXITED(status) || WEXITSTATUS(status) != DONE)
			fail_msg("as uid %u without \"%s\": wait status %d",
				 (unsigned)worlds[i].uid, worlds[i].without, status);
	}
}

static void check_privileges(const struct domain_report *report)
{
	char text[8192];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	uid_t r, e, s;

	(void)report;
	EXPECT(n > 0);
	text[n] = 0;
	EXPECT(strstr(text, "CapPrm:\t0000000000000000") && strstr(text, "CapEff:\t0000000000000000"));
	EXPECT(strstr(text, "CapInh:\t0000000000000000") && strstr(text, "CapAmb:\t0000000000000000"));
	EXPECT(strstr(text, "NoNewPrivs:\t1") && strstr(text, "Seccomp:\t2"));
	EXPECT(!getresuid(&r, &e, &s) && r && r == e && e == s);
	EXPECT(setresuid(0, 0, 0) == -1);
	EXPECT(getgid() && getegid() == getgid());
	EXPECT(prctl(PR_GET_DUMPABLE) == 1);
}

static void check_bounding_set(const struct domain_report *report)
{
	(void)report;
	for (unsigned long capability = 0; capability < 40; capability++)
		EXPECT(prctl(PR_CAPBSET_READ, capability) == 0);
}

static void check_leftovers(const struct domain_report *report)
{
	(void)report;
	EXPECT(!getenv("SECRET") && getenv("SWORN_WITHOUT") && !environ[1]);
	EXPECT(fcntl(KEPT, F_GETFD) >= 0 && fcntl(0, F_GETFD) >= 0 && fcntl(2, F_GETFD) >= 0);
	for (int fd = 3; fd < 200; fd++)
		EXPECT(fd == KEPT || fcntl(fd, F_GETFD) == -1);
}

static void check_network(const struct domain_report *report)
{
	(void)report;
	EXPECT(socket(AF_INET, SOCK_STREAM, 0) == -1);
	EXPECT(socket(AF_UNIX, SOCK_STREAM, 0) == -1);
	EXPECT(syscall(SYS_unshare, 0x10000000) == -1);
	EXPECT(syscall(SYS_execve, "/bin/true", NULL, NULL) == -1);
}

static void check_files(const struct domain_report *report)
{
	char path[64];
	int fd;

	if (!strstr(report->isolation, "no landlock") || !strstr(report->isolation, "no namespaces")) {
		EXPECT(open("/etc/passwd", O_RDONLY) == -1 &&
		       open("/tmp", O_RDONLY | O_DIRECTORY) == -1);
		EXPECT(open("/usr/bin/env", O_RDONLY) == -1);
	}
	EXPECT(open("/x", O_RDWR | O_CREAT, 0600) == -1 && open("x", O_RDWR | O_CREAT, 0600) == -1);
	EXPECT(mkdir("/proc/x", 0700) == -1 &&
	       open("/tmp/test_isolation.x", O_RDWR | O_CREAT, 0600) == -1);
	fd = open("/proc/self/pagemap", O_RDONLY);
	EXPECT(fd >= 0);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)getpid());
	EXPECT(open(path, O_RDWR) >= 0);
}

static void *map(size_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void check_limits(const struct domain_report *report)
{
	struct rlimit limit;

	(void)report;
	EXPECT(!getrlimit(RLIMIT_CORE, &limit) && limit.rlim_max == 0);
	EXPECT(!getrlimit(RLIMIT_CPU, &limit) && limit.rlim_max == 1);
	if (MEMORY_LIMIT != 0) {
		EXPECT(!getrlimit(RLIMIT_DATA, &limit) && limit.rlim_max == MEMORY_LIMIT);
		EXPECT(map(1 << 20) != MAP_FAILED && map(128 << 20) == MAP_FAILED);
	}
}

static void check_empty_root(const struct domain_report *report)
{
	struct dirent *entry;
	DIR *root;
	int entries = 0;

	EXPECT(strstr(report->isolation, "mount pid net ipc uts"));
	EXPECT(getpid() == 2 && getppid() == 1);
	EXPECT(kill(3, 0) == -1 && errno == ESRCH);
	EXPECT(open("/proc/sys/kernel/hostname", O_RDONLY) == -1 &&
	       open("/proc/cpuinfo", O_RDONLY) == -1);
	root = opendir("/");
	if (!root) /* Landlock takes even that */
		return;
	while ((entry = readdir(root))) {
		if (entry->d_name[0] != '.') {
			EXPECT(!strcmp(entry->d_name, "proc"));
			entries++;
		}
	}
	EXPECT(entries == 1);
}

static void isolation_leaves_no_privileges(void **state)
{
	(void)state;
	in_every_world(check_privileges);
}

static void isolation_of_root_empties_the_bounding_set(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	for (size_t i = 0; i < WORLDS; i++) {
		if (!worlds[i].uid)
			assert_int_equal(WEXITSTATUS(run(&worlds[i], check_bounding_set)), DONE);
	}
}

static void isolation_keeps_only_what_it_was_told_to(void **state)
{
	(void)state;
	in_every_world(check_leftovers);
}

static void isolation_has_no_network_and_no_exec(void **state)
{
	(void)state;
	in_every_world(check_network);
}

static void isolation_has_no_files_but_proc(void **state)
{
	(void)state;
	in_every_world(check_files);
}

static void isolation_sets_limits(void **state)
{
	(void)state;
	in_every_world(check_limits);
}

/* Runs `body` in each world that asks for namespaces and gets them; skips if one does not. */
static void in_whole_worlds(void (*body)(const struct domain_report *))
{
	int why = 0;

	for (size_t i = 0; i < WORLDS; i++) {
		int refused = worlds[i].without[0] ? 0 : refused_to(worlds[i].uid);

		why = refused ? refused : why;
		if (!worlds[i].without[0] && !refused)
			assert_int_equal(WEXITSTATUS(run(&worlds[i], body)), DONE);
	}
	if (why) {
		print_message("skipped: namespaces of an ordinary user: %s\n", strerror(why));
		skip();
	}
}

static void isolation_shows_an_empty_root_and_its_own_processes(void **state)
{
	(void)state;
	in_whole_worlds(check_empty_root);
}

static unsigned long refused;

static void check_refusal(const struct domain_report *report)
{
	const char *missing = strstr(report->isolation, "; no ");
	bool pair = !(refused & (CLONE_NEWPID | CLONE_NEWNS));

	dprintf(1, "%s\n", report->isolation);
	EXPECT(missing && !report->complete);
	EXPECT(!strstr(missing, " net") == !(refused & CLONE_NEWNET));
	EXPECT(!strstr(missing, " ipc") == !(refused & CLONE_NEWIPC));
	EXPECT(!strstr(missing, " mount") == pair && !strstr(missing, " pid") == pair);
	EXPECT((getpid() == 2) == pair);
	check_privileges(report);
	check_files(report);
	check_network(report);
}

/* Runs in a process of its own: the refusals stay with it. */
static void refuse_and_run(const struct world *world, unsigned long kinds)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		refused = kinds;
		EXPECT(!refuse_namespaces(kinds));
		status = run(world, check_refusal);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != DONE)
		fail_msg("as uid %u, refused %#lx", (unsigned)world->uid, kinds);
}

static void isolation_lacks_only_the_namespaces_that_are_refused(void **state)
{
	static const unsigned long cases[] = {
		CLONE_NEWNET,
		CLONE_NEWIPC,
		CLONE_NEWPID,
		CLONE_NEWNS,
		CLONE_NEWNET | CLONE_NEWNS,
		CLONE_NEWUSER | CLONE_NEWNET,
	};
	const struct world users[] = { { 0, "" }, { 12345, "" } };
	int why = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		why = refused_to(users[i].uid);
		for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]) && !why; j++) {
			if (!(users[i].uid || geteuid()) || !(cases[j] & CLONE_NEWUSER))
				refuse_and_run(&users[i], cases[j]);
		}
	}
	if (why) {
		print_message("skipped: namespaces of an ordinary user: %s\n", strerror(why));
		skip();
	}
}

static void print_report(const struct domain_report *report)
{
	bool landlock = kernel_has_landlock && !strstr(getenv("SWORN_WITHOUT"), "landlock");

	dprintf(1, "%s%s\n", report->isolation, report->complete ? "" : " (incomplete)");
	EXPECT(!strncmp(report->isolation, "replay: ", 8));
	EXPECT((strstr(report->isolation, "no landlock") == NULL) == landlock);
	EXPECT(strstr(report->isolation, getuid() == 12345 ? "uid 12345" : "uid 65534"));
	EXPECT(!report->complete == (strstr(report->isolation, "no ") != NULL));
}

static void isolation_reports_what_it_reached(void **state)
{
	(void)state;
	in_every_world(print_report);
}

static void exit_7(const struct domain_report *report)
{
	(void)report;
	_exit(7);
}

static void die(const struct domain_report *report)
{
	(void)report;
	kill(getpid(), SIGKILL);
}

static void isolation_passes_on_the_exit_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < WORLDS; i++) {
		int status = run(&worlds[i], exit_7);

		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 7);
	}
}

static void isolation_could_not_tell_when_the_replayer_was_killed(void **state)
{
	const struct world whole = { 0, "" };
	int status = run(&whole, die);

	(void)state;
	assert_true(WIFEXITED(status) ? WEXITSTATUS(status) == 3 : WTERMSIG(status) == SIGKILL);
}

static void hang(const struct domain_report *report)
{
	(void)report;
	EXPECT(write(KEPT, "", 1) == 1);
	alarm(30); /* nothing may outlive a failed test */
	for (;;)
		pause();
}

static void isolation_ends_with_the_process_that_was_started(void **state)
{
	(void)state;
	for (size_t i = 0; i < WORLDS; i++) {
		int line[2];
		char byte;
		pid_t pid;

		assert_int_equal(pipe(line), 0);
		pid = fork();
		if (!pid) {
			struct domain_report report;
			int keep[] = { KEPT };

			if (worlds[i].uid && !geteuid())
				EXPECT(!setresgid(12345, 12345, 12345) &&
				       !setresuid(12345, 12345, 12345) && !prctl(PR_SET_DUMPABLE, 1));
			setenv("SWORN_WITHOUT", worlds[i].without, 1);
			EXPECT(dup2(line[1], KEPT) == KEPT);
			EXPECT(!replay_domain_enter(keep, 1, 0, 0, &report));
			hang(&report);
		}
		close(line[1]);
		assert_int_equal(read(line[0], &byte, 1), 1);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		/* The end of the pipe: nobody holds it any more. */
		alarm(10);
		assert_int_equal(read(line[0], &byte, 1), 0);
		alarm(0);
		close(line[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(isolation_leaves_no_privileges),
		cmocka_unit_test(isolation_of_root_empties_the_bounding_set),
		cmocka_unit_test(isolation_keeps_only_what_it_was_told_to),
		cmocka_unit_test(isolation_has_no_network_and_no_exec),
		cmocka_unit_test(isolation_has_no_files_but_proc),
		cmocka_unit_test(isolation_sets_limits),
		cmocka_unit_test(isolation_shows_an_empty_root_and_its_own_processes),
		cmocka_unit_test(isolation_lacks_only_the_namespaces_that_are_refused),
		cmocka_unit_test(isolation_reports_what_it_reached),
		cmocka_unit_test(isolation_passes_on_the_exit_code),
		cmocka_unit_test(isolation_could_not_tell_when_the_replayer_was_killed),
		cmocka_unit_test(isolation_ends_with_the_process_that_was_started),
	};

	kernel_has_landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
