/* posix_spawn with file actions and attributes: closed and moved descriptors, masks, process groups. */
#include "guest.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

static int image(void)
{
	sigset_t mask;
	char line[32] = "";

	sigprocmask(SIG_BLOCK, NULL, &mask);
	expect(read(0, line, sizeof(line) - 1) > 0);
	printf("image read '%s', USR1 blocked %d, group leader %d, fd 9 %s, NAME=%s\n", line,
	       sigismember(&mask, SIGUSR1), getpgrp() == getpid(),
	       fcntl(9, F_GETFD) < 0 ? "closed" : "open", getenv("NAME"));
	return 5;
}

int main(int argc, char **argv)
{
	char *args[] = { argv[0], "image", NULL }, *environment[] = { "NAME=value", NULL }, text[256];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int in[2], out[2];
	sigset_t mask;
	ssize_t n;
	pid_t pid;

	if (argc > 1)
		return image();
	expect(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	expect(dup2(1, 9) == 9);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_addclose(&actions, 9);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	posix_spawnattr_setsigmask(&attributes, &mask);
	posix_spawnattr_setpgroup(&attributes, 0);
	expect(posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, args, environment) == 0);
	expect(write(in[1], "hello", 5) == 5);
	close(in[1]);
	close(out[1]);
	while ((n = read(out[0], text, sizeof(text))) > 0)
		expect(write(1, text, (size_t)n) == n);
	say("status %d\n", WEXITSTATUS(reap(pid)));
	expect(posix_spawn(&pid, "/nonexistent/program", NULL, NULL, args, environment) == ENOENT);
	return 0;
}
