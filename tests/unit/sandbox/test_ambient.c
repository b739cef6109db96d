#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../../sandbox/domain.h"
#include "expect.h"
#include "refuse.h"

#define EVENT(status) ((unsigned)(status) >> 16)

struct world {
	uid_t uid;
	const char *without;
};

static const struct world worlds[] = {
	{ 0, "" },     { 0, "userns" },		 { 0, "userns,personality" },
	{ 12345, "" }, { 12345, "personality" }, { 12345, "userns" },
};

/* Runs `body` as the world's user and returns its exit code. */
static int run(const struct world *world, void (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (world->uid && !geteuid()) {
			EXPECT(!setgroups(0, NULL) && !setresgid(world->uid, world->uid, world->uid) &&
			       !setresuid(world->uid, world->uid, world->uid));
			EXPECT(!prctl(PR_SET_DUMPABLE, 1));
		}
		setenv("SWORN_WITHOUT", world->without, 1);
		body();
		_exit(DONE);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void in_every_world(void (*body)(void))
{
	for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
		if (run(&worlds[i], body) != DONE)
			fail_msg("as uid %u without \"%s\"", (unsigned)worlds[i].uid, worlds[i].without);
	}
}

static bool without(const char *feature)
{
	return strstr(getenv("SWORN_WITHOUT"), feature);
}

/* A host that refuses namespaces to the user must be met like one told to do without. */
static bool without_namespaces(void)
{
	return without("userns") || refused_to(geteuid());
}

static char *const environment[] = { (char *)"PATH=/usr/bin:/bin", (char *)"GREETING=hello", NULL };

static const char *const *hidden;
static bool allow_network;

static int begin(char *const *argv, struct ambient_guest *ret)
{
	struct ambient_options options = {
		.argv = argv,
		.environment = environment,
		.hidden = hidden,
		.allow_network = allow_network,
	};

	return ambient_start(&options, ret);
}

/* A traced cycle counter read is answered with zero, as a recorder would somehow. */
static int answer_signal(pid_t tid, int signal)
{
	struct user_regs_struct registers;
	uint16_t code;

	if (signal != SIGSEGV || ptrace(PTRACE_GETREGS, tid, NULL, &registers))
		return signal;
	errno = 0;
	code = (uint16_t)ptrace(PTRACE_PEEKTEXT, tid, (void *)registers.rip, NULL);
	if (errno || code != 0x310f)
		return signal;
	registers.rip += 2;
	registers.rax = registers.rdx = 0;
	return ptrace(PTRACE_SETREGS, tid, NULL, &registers) ? signal : 0;
}

/* Lets every guest run on to its end; gives the first one's wait status. */
static int finish(const struct ambient_guest *guest)
{
	int result = -1;

	ptrace(PTRACE_CONT, guest->tid, NULL, NULL);
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0) {
			EXPECT(errno == ECHILD);
			return result;
		}
		if (tid == guest->tid && !WIFSTOPPED(status))
			result = status;
		if (tid == guest->init)
			EXPECT(WIFEXITED(status) && !WEXITSTATUS(status));
		if (WIFSTOPPED(status))
			ptrace(PTRACE_CONT, tid, NULL,
			       (void *)(long)(EVENT(status) ? 0 : answer_signal(tid, WSTOPSIG(status))));
	}
}

/* Runs a shell command as the guest and expects it to exit with 0. */
static struct ambient_guest shell(const char *command)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
	struct ambient_guest guest = { 0 };
	int r = begin(argv, &guest), status;

	if (r)
		dprintf(2, "ambient_start: %d\n", r);
	EXPECT(!r);
	status = finish(&guest);
	if (status)
		dprintf(2, "wait status %#x of: %s (%s)\n", (unsigned)status, command,
			guest.report.isolation);
	EXPECT(status == 0);
	return guest;
}

static void check_exec_stop(void)
{
	char *const argv[] = { (char *)"true", NULL };
	struct user_regs_struct registers;
	struct ambient_guest guest;
	char path[64] = "", text[4096];
	ssize_t n;
	int fd;

	EXPECT(!begin(argv, &guest));
	EXPECT(!ptrace(PTRACE_GETREGS, guest.tid, NULL, &registers) && registers.orig_rax == SYS_execve);
	fd = (snprintf(path, sizeof(path), "/proc/%d/mem", (int)guest.tid), open(path, O_RDONLY));
	EXPECT(pread(fd, text, 14, (off_t)registers.rdi) == 14 && !strcmp(text, "/usr/bin/true"));
	close(fd);
	fd = (snprintf(path, sizeof(path), "/proc/%d/status", (int)guest.tid), open(path, O_RDONLY));
	n = read(fd, text, sizeof(text) - 1);
	EXPECT(n > 0);
	text[n] = 0;
	EXPECT(strstr(text, "NoNewPrivs:\t1") && strstr(text, "Seccomp:\t2"));
	EXPECT(guest.guest_pid == (guest.init ? 2 : guest.tid));
	EXPECT(finish(&guest) == 0);
}

static void check_pids(void)
{
	struct ambient_guest guest = shell("test -d /proc/$$ && test \"$(readlink /proc/self)\" -gt 1 &&"
					   "echo $$ >/tmp/test_ambient.$(id -u).pid");
	char path[64], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), "/tmp/test_ambient.%u.pid", (unsigned)getuid());
	fd = open(path, O_RDONLY);
	EXPECT(read(fd, text, sizeof(text) - 1) > 0 && !unlink(path));
	EXPECT(atoi(text) == guest.guest_pid);
	EXPECT(!guest.init == without_namespaces());
	if (guest.init) {
		shell("test $$ = 2 && test \"$(cat /proc/1/comm)\" = sworn-init && test \"$(ls -d /proc/[0-9]* | wc -l)\" -lt 8");
		shell("test \"$(readlink /proc/1/exe | cut -c1-7)\" = /memfd: && test -z \"$(ls /proc/1/fd)\"");
	}
}

static void check_user(void)
{
	char command[64];

	snprintf(command, sizeof(command), "test $(id -u) = %u && test $(id -g) = %u",
		 (unsigned)getuid(), (unsigned)getgid());
	shell(command);
	shell("test \"$GREETING\" = hello && test -z \"$SWORN_WITHOUT\" && test \"$(sh -c 'echo $0 $PATH')\" = 'sh /usr/bin:/bin'");
}

static void check_network(void)
{
	struct ambient_guest guest = shell("exit 0");

	EXPECT(guest.refuse_sockets == without_namespaces());
	EXPECT(!strstr(guest.report.isolation, " net") == without_namespaces());
	if (!guest.init)
		return;
	shell("test $(grep -c : /proc/net/dev) = 1 && grep -q lo: /proc/net/dev");
	shell("grep -q 'lo$' /proc/net/if_inet6 || test ! -s /proc/net/if_inet6"); /* an address once it is up */
	shell("test $(cat /proc/net/route | wc -l) -le 1");
	shell("perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0) or exit 1; bind(S, sockaddr_in(0, INADDR_LOOPBACK)) or exit 2;"
	      "listen(S, 1) or exit 3; socket(C, PF_INET, SOCK_STREAM, 0); connect(C, getsockname(S)) or exit 4'");
	shell("perl -MSocket -e 'socket(S, PF_INET, SOCK_DGRAM, 0); exit(connect(S, sockaddr_in(9, inet_aton(\"192.0.2.1\"))) ? 5 : 0)'");
	allow_network = true;
	guest = shell("test $(grep -c : /proc/net/dev) -ge 1");
	EXPECT(!guest.refuse_sockets && strstr(guest.report.isolation, "network of the host"));
}

static void check_hidden(void)
{
	char directory[] = "/tmp/test_ambient.XXXXXX", file[64], command[512];
	const char *paths[] = { directory, file, "/tmp/test_ambient.missing", NULL };
	struct ambient_guest guest;
	int fd;

	EXPECT(mkdtemp(directory));
	snprintf(file, sizeof(file), "/tmp/test_ambient.file.%d", (int)getpid());
	snprintf(command, sizeof(command), "%s/secret", directory);
	EXPECT((fd = open(command, O_CREAT | O_WRONLY, 0600)) >= 0 && write(fd, "x", 1) == 1);
	EXPECT((fd = open(file, O_CREAT | O_WRONLY, 0600)) >= 0 && write(fd, "x", 1) == 1);
	hidden = paths;
	snprintf(command, sizeof(command),
		 "test -d %s && test ! -e %s/secret && test -z \"$(cat %s)\" && ! (: >%s/new) 2>/dev/null",
		 directory, directory, file, directory);
	guest = shell(without_namespaces() ? "exit 0" : command);
	EXPECT(strstr(guest.report.isolation,
		      without_namespaces() ? "hidden directories visible" : "does not exist"));
	EXPECT(!guest.report.complete);
	snprintf(command, sizeof(command), "test $(cat %s/secret %s) = xx && rm -r %s %s",
		 directory, file, directory, file);
	EXPECT(!system(command));
}

static void check_layout(void)
{
	struct ambient_guest guest = shell(
		"awk '/\\[stack\\]/ { exit substr($1, 14) != \"7ffffffff000\" }' /proc/self/maps");

	EXPECT(!strstr(guest.report.isolation, "random"));
}

static void check_layout_or_report(void)
{
	if (!without("personality"))
		check_layout();
	else
		EXPECT(strstr(shell("exit 0").report.isolation, "random address layout"));
}

static void check_descriptors(void)
{
	int fd = open("/proc/self/status", O_RDONLY), leak[2];
	struct rlimit limit = { 512, 512 };

	EXPECT(fd >= 0 && dup2(fd, 77) == 77 && !pipe(leak));
	EXPECT(!setrlimit(RLIMIT_NOFILE, &limit));
	shell("test \"$(ls /proc/self/fd | tr '\\n' ' ')\" = '0 1 2 3 '"); /* 3 is the directory */
	shell("test $(ulimit -n) = 512 && umask 022 && test $(umask) = 0022");
}

/* Not by a shell, which clears its mask. */
static void check_signals(void)
{
	char *const ignored[] = { (char *)"grep", (char *)"-q", (char *)"SigIgn:.*8..$",
				  (char *)"/proc/self/status", NULL };
	char *const blocked[] = { (char *)"grep", (char *)"-q", (char *)"SigBlk:.*0200$",
				  (char *)"/proc/self/status", NULL };
	struct ambient_guest guest;
	sigset_t set;

	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	EXPECT(!begin(ignored, &guest) && finish(&guest) == 0);
	EXPECT(!begin(blocked, &guest) && finish(&guest) == 0);
}

static void check_working_directory(void)
{
	char here[4096], command[8192];

	EXPECT(!chdir("/usr/lib") && getcwd(here, sizeof(here)));
	snprintf(command, sizeof(command), "test \"$(pwd)\" = %s && test -d ../bin", here);
	shell(command);
}

static void check_tsc(void)
{
	char *const argv[] = { (char *)"/bin/true", NULL };
	struct ambient_guest guest;
	int traps = 0, status = 0;

	EXPECT(!begin(argv, &guest));
	do {
		int signal = 0;

		if (status && !EVENT(status))
			signal = answer_signal(guest.tid, WSTOPSIG(status));
		traps += status && !EVENT(status) && !signal;
		ptrace(PTRACE_CONT, guest.tid, NULL, (void *)(long)signal);
		EXPECT(waitpid(guest.tid, &status, __WALL) == guest.tid);
	} while (WIFSTOPPED(status));
	EXPECT(traps > 0);
	finish(&guest);
}

static void check_orphans(void)
{
	char path[64], command[256];

	snprintf(path, sizeof(path), "/tmp/test_ambient.late.%d", (int)getpid());
	snprintf(command, sizeof(command),
		 "(sleep 0.02; exit 3) & (sleep 0.05; echo late >%s) & exit 0", path);
	shell(command);
	EXPECT(!unlink(path));
}

static void check_recorder_death(void)
{
	char *const argv[] = { (char *)"sleep", (char *)"1000", NULL };
	int line[2], pids[2], status;
	pid_t recorder, init = 0;
	char byte;

	EXPECT(!pipe(line) && !pipe(pids) && !prctl(PR_SET_CHILD_SUBREAPER, 1));
	recorder = fork();
	if (!recorder) {
		struct ambient_guest guest;

		/* Standard input keeps the pipe open for as long as the guest lives. */
		dup2(line[1], 0);
		EXPECT(!begin(argv, &guest));
		EXPECT(write(pids[1], &guest.init, sizeof(guest.init)) == sizeof(guest.init));
		finish(&guest);
		_exit(0);
	}
	close(line[1]);
	close(pids[1]);
	EXPECT(read(pids[0], &init, sizeof(init)) == sizeof(init));
	usleep(20000);
	kill(recorder, SIGKILL);
	EXPECT(waitpid(recorder, NULL, 0) == recorder);
	alarm(10);
	EXPECT(read(line[0], &byte, 1) == 0);
	if (init)
		EXPECT(waitpid(init, &status, __WALL) == init && WIFSIGNALED(status));
}

static void *idle(void *fd)
{
	char byte;

	return read(*(int *)fd, &byte, 1) < 0 ? NULL : fd;
}

static void check_threads(void)
{
	pthread_t thread;
	int line[2];

	EXPECT(!pipe(line) && !pthread_create(&thread, NULL, idle, line));
	shell("exit 0");
	EXPECT(write(line[1], "", 1) == 1 && !pthread_join(thread, NULL));
}

static void check_missing_commands(void)
{
	struct ambient_guest guest;
	char *argv[] = { (char *)"sworn-no-such-command", NULL };
	char script[64];
	int fd;

	EXPECT(begin(argv, &guest) == -ENOENT);
	argv[0] = (char *)"/no/such/command";
	EXPECT(begin(argv, &guest) == -ENOENT);
	argv[0] = (char *)"";
	EXPECT(begin(argv, &guest) == -ENOENT);
	argv[0] = (char *)"/etc/passwd";
	EXPECT(begin(argv, &guest) == -EACCES);
	argv[0] = (char *)"/etc/passwd/x";
	EXPECT(begin(argv, &guest) == -ENOENT);
	argv[0] = (char *)"/usr";
	EXPECT(begin(argv, &guest) == -EACCES);
	snprintf(script, sizeof(script), "/tmp/test_ambient.script.%d", (int)getpid());
	fd = open(script, O_CREAT | O_WRONLY, 0755);
	EXPECT(fd >= 0 && write(fd, "echo\n", 5) == 5 && !close(fd));
	argv[0] = script;
	if (access("/proc/sys/fs/binfmt_misc/status", F_OK))
		EXPECT(begin(argv, &guest) == -ENOEXEC);
	fd = open(script, O_WRONLY | O_TRUNC);
	EXPECT(fd >= 0 && write(fd, "#!/bin/sh\nexit 0\n", 17) == 17 && !close(fd));
	EXPECT(!begin(argv, &guest) && finish(&guest) == 0);
	unlink(script);
	EXPECT(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
}

static void check_report(void)
{
	struct ambient_guest guest = shell("exit 0");

	dprintf(1, "%s%s\n", guest.report.isolation, guest.report.complete ? "" : " (incomplete)");
	EXPECT(guest.report.complete == (!without_namespaces() && !without("personality")));
	EXPECT(without_namespaces() ==
	       (strstr(guest.report.isolation, "ambient: no namespaces") != NULL));
}

static unsigned long refused;

static void check_refusal(void)
{
	char *const argv[] = { (char *)"true", NULL };
	bool pid = !(refused & (CLONE_NEWPID | CLONE_NEWNS)), net = !(refused & CLONE_NEWNET);
	struct ambient_guest guest;
	const char *missing;

	EXPECT(!refuse_namespaces(refused) && !begin(argv, &guest) && finish(&guest) == 0);
	dprintf(1, "%s\n", guest.report.isolation);
	missing = strstr(guest.report.isolation, "; no ");
	EXPECT(missing && !guest.report.complete && guest.refuse_sockets == !net);
	EXPECT((guest.init != 0) == pid && guest.guest_pid == (pid ? 2 : guest.tid));
	EXPECT(!strstr(missing, " pid") == pid && !strstr(missing, " net") == net);
	EXPECT(!strstr(missing, " mount") == !(refused & CLONE_NEWNS));
	EXPECT(!strstr(missing, " ipc") == !(refused & CLONE_NEWIPC));
	EXPECT(!strstr(missing, " uts") == !(refused & CLONE_NEWUTS));
}

static void ambient_start_lacks_only_the_namespaces_that_are_refused(void **state)
{
	static const unsigned long cases[] = {
		CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS,
		CLONE_NEWPID, CLONE_NEWNS,  CLONE_NEWNET | CLONE_NEWNS,
	};
	const struct world users[] = { { 0, "" }, { 12345, "" } };
	int why = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		why = refused_to(users[i].uid);
		for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]) && !why; j++) {
			refused = cases[j];
			if (run(&users[i], check_refusal) != DONE)
				fail_msg("as uid %u, refused %#lx", (unsigned)users[i].uid, refused);
		}
	}
	if (why) {
		print_message("skipped: namespaces of an ordinary user: %s\n", strerror(why));
		skip();
	}
}

#define IN_EVERY_WORLD(name, body)     \
	static void name(void **state) \
	{                              \
		(void)state;           \
		in_every_world(body);  \
	}

IN_EVERY_WORLD(ambient_start_stops_at_the_execve, check_exec_stop)
IN_EVERY_WORLD(ambient_guest_is_process_2_of_its_namespace, check_pids)
IN_EVERY_WORLD(ambient_guest_keeps_user_and_gets_the_environment, check_user)
IN_EVERY_WORLD(ambient_guest_reaches_only_its_own_loopback, check_network)
IN_EVERY_WORLD(ambient_guest_does_not_see_hidden_directories, check_hidden)
IN_EVERY_WORLD(ambient_guest_has_a_fixed_layout_or_the_report_says_so, check_layout_or_report)
IN_EVERY_WORLD(ambient_guest_has_only_three_descriptors_and_the_callers_limits, check_descriptors)
IN_EVERY_WORLD(ambient_guest_has_the_callers_signals, check_signals)
IN_EVERY_WORLD(ambient_guest_has_the_callers_directory, check_working_directory)
IN_EVERY_WORLD(ambient_guest_traps_rdtsc, check_tsc)
IN_EVERY_WORLD(ambient_orphans_are_reaped_and_init_ends_with_the_last, check_orphans)
IN_EVERY_WORLD(ambient_domain_dies_with_the_recorder, check_recorder_death)
IN_EVERY_WORLD(ambient_start_works_beside_threads, check_threads)
IN_EVERY_WORLD(ambient_start_names_what_is_wrong_with_a_command, check_missing_commands)
IN_EVERY_WORLD(ambient_start_reports_what_it_reached, check_report)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ambient_start_stops_at_the_execve),
		cmocka_unit_test(ambient_guest_is_process_2_of_its_namespace),
		cmocka_unit_test(ambient_guest_keeps_user_and_gets_the_environment),
		cmocka_unit_test(ambient_guest_reaches_only_its_own_loopback),
		cmocka_unit_test(ambient_guest_does_not_see_hidden_directories),
		cmocka_unit_test(ambient_guest_has_a_fixed_layout_or_the_report_says_so),
		cmocka_unit_test(ambient_guest_has_only_three_descriptors_and_the_callers_limits),
		cmocka_unit_test(ambient_guest_has_the_callers_signals),
		cmocka_unit_test(ambient_guest_has_the_callers_directory),
		cmocka_unit_test(ambient_guest_traps_rdtsc),
		cmocka_unit_test(ambient_orphans_are_reaped_and_init_ends_with_the_last),
		cmocka_unit_test(ambient_domain_dies_with_the_recorder),
		cmocka_unit_test(ambient_start_works_beside_threads),
		cmocka_unit_test(ambient_start_names_what_is_wrong_with_a_command),
		cmocka_unit_test(ambient_start_reports_what_it_reached),
		cmocka_unit_test(ambient_start_lacks_only_the_namespaces_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
