/* Namespaces: host names, users, mounts, and processes that start counting at 1, where the first one's end takes all. */
#include "guest.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int family(int out)
{
	char line[128];
	pid_t first = getpid(), child = fork();

	if (child == 0) {
		snprintf(line, sizeof(line), "child %d of %d in group %d\n", getpid(), getppid(),
			 getpgrp() == 0);
		expect(write(out, line, strlen(line)) == (ssize_t)strlen(line));
		if (fork() == 0) {
			while (getppid() != first)
				sleep_ms(1);
			expect(write(out, "adopted by the first\n", 21) == 21);
			_exit(2);
		}
		_exit(1);
	}
	expect(first == 1 && getppid() == 0 && child == 2);
	expect(WEXITSTATUS(reap(2)) == 1 && WEXITSTATUS(reap(3)) == 2);
	expect(kill(getpid(), SIGTERM) == 0); /* the first process is spared */
	if (fork() == 0)
		for (;;)
			pause();
	return 44;
}

static void clone_pids(void)
{
	int up[2], parent_tid = 0, status;
	char text[128];
	ssize_t n;
	pid_t pid;

	expect(pipe(up) == 0);
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_PARENT_SETTID | SIGCHLD, 0,
			     &parent_tid, 0, 0);
	if (pid == 0)
		_exit(family(up[1]));
	expect(pid > 1 && parent_tid == pid);
	close(up[1]);
	status = reap(pid);
	while ((n = read(up[0], text, sizeof(text) - 1)) > 0) {
		text[n] = '\0';
		say("%s", text);
	}
	say("the first: %d\n", WEXITSTATUS(status));
}

static void unshare_pids(void)
{
	int status;
	pid_t pid;

	expect(unshare(CLONE_NEWPID) == 0);
	pid = fork();
	if (pid == 0) {
		pid_t inner = fork();

		if (inner == 0) {
			kill(1, SIGKILL); /* does nothing from inside */
			for (;;)
				pause();
		}
		if (fork() == 0)
			for (;;)
				pause();
		sleep_ms(5);
		*(volatile int *)nowhere() = 1;
	}
	status = reap(pid);
	say("the first, ended by signal %d\n", WTERMSIG(status));
	expect(fork() == -1 && errno == ENOMEM); /* no first process any more */
}

static void names(void)
{
	char name[65] = "", scratch[256];
	int fd = open("/proc/self/ns/uts", O_RDONLY);

	expect(fd >= 0 && unshare(CLONE_NEWUTS) == 0 && sethostname("elsewhere", 9) == 0);
	expect(setdomainname("nowhere", 7) == 0 && gethostname(name, sizeof(name)) == 0);
	say("host name '%s'\n", name);
	expect(setns(fd, CLONE_NEWUTS) == 0 && gethostname(name, sizeof(name)) == 0 &&
	       strcmp(name, "elsewhere") != 0);
	expect(setns(fd, CLONE_NEWNET) == -1 && errno == EINVAL && close(fd) == 0);
	expect(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	scratch_begin(scratch);
	expect(mkdir("on", 0700) == 0);
	expect(mount("none", "on", "tmpfs", 0, "size=64k") == 0 && creat("on/file", 0600) >= 0);
	expect(umount2("on", MNT_DETACH) == 0 && access("on/file", F_OK) == -1);
	expect(rmdir("on") == 0);
	scratch_end(scratch);
	expect(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM) == 0 && unshare(0x7) == -1 &&
	       errno == EINVAL);
	expect(unshare(CLONE_NEWIPC) == 0 && unshare(CLONE_NEWNET) == 0);
	say("names of our own\n");
}

static void users(void)
{
	int fd;

	expect(unshare(CLONE_NEWUSER) == 0 && getuid() == 65534 && geteuid() == 65534);
	fd = open("/proc/self/uid_map", O_WRONLY);
	expect(fd >= 0 && write(fd, "0 0 1", 5) == 5 && getuid() == 0);
	say("user %d\n", getuid());
}

static void run(void (*what)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		what();
		_exit(0);
	}
	status = reap(pid);
	if (status)
		say("failed: %#x\n", status);
}

int main(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWNS) == 0 ? 0 : 1);
	if (reap(pid) != 0) {
		say("no namespaces here\n");
		return 0;
	}
	run(clone_pids);
	run(unshare_pids);
	run(names);
	run(users);
	return 0;
}
