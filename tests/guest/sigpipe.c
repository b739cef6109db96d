/* Writing to a pipe and a socket without a reader: EPIPE, the handler, the default action. */
#include "guest.h"
#include <signal.h>
#include <sys/socket.h>

static volatile sig_atomic_t hits;

static void handler(int number)
{
	(void)number;
	hits++;
}

int main(void)
{
	int ends[2], status;
	pid_t pid;

	expect(pipe(ends) == 0);
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	expect(write(ends[1], "x", 1) == -1);
	say("ignored: %s\n", strerror(errno));
	signal(SIGPIPE, handler);
	expect(write(ends[1], "x", 1) == -1);
	say("handled: %s, %d\n", strerror(errno), (int)hits);
	pid = fork();
	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		status = (int)write(ends[1], "x", 1);
		_exit(1);
	}
	status = reap(pid);
	say("default: signalled %d by %d\n", WIFSIGNALED(status), WTERMSIG(status));
	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	close(ends[0]);
	expect(send(ends[1], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE && hits == 1);
	expect(send(ends[1], "x", 1, 0) == -1 && errno == EPIPE && hits == 2);
	say("socket: %d\n", (int)hits);
	return 0;
}
