/* What an image takes over of blocked and ignored signals: from inside handlers, after them, by fork and vfork.
 * With the argument "edited" a handler also changes the mask that its return puts back. */
#include "guest.h"
#include <signal.h>
#include <ucontext.h>

static const int shown[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGWINCH, SIGCHLD };
static char *self;
static volatile sig_atomic_t edits;

/* The new image: says what it started with. */
static int show(const char *scene)
{
	char blocked[8] = "", ignored[8] = "";
	struct sigaction action;
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		sigaction(shown[i], NULL, &action);
		expect(action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN);
		blocked[i] = sigismember(&mask, shown[i]) ? 'b' : '-';
		ignored[i] = action.sa_handler == SIG_IGN ? 'i' : '-';
	}
	say("%s: %s %s\n", scene, blocked, ignored);
	return 0;
}

static void run(const char *scene)
{
	pid_t child = fork();

	if (child == 0) {
		execl(self, self, "show", scene, (char *)NULL);
		_exit(127);
	}
	expect(reap(child) == 0);
}

static void run_vfork(const char *scene)
{
	pid_t child = vfork();

	if (child == 0) {
		execl(self, self, "show", scene, (char *)NULL);
		_exit(127);
	}
	expect(reap(child) == 0);
}

static void handler(int number, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;

	(void)info;
	if (number == SIGTERM) {
		raise(SIGWINCH); /* nests */
		run("in a handler");
		return;
	}
	run_vfork("in a nested handler");
	if (edits)
		sigaddset(&frame->uc_sigmask, SIGHUP);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
	sigset_t mask, none;

	if (argc > 2)
		return show(argv[2]);
	self = argv[0];
	sigemptyset(&none);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR2);
	expect(sigaltstack(&stack, NULL) == 0);
	expect(sigaction(SIGTERM, &action, NULL) == 0 && sigaction(SIGWINCH, &action, NULL) == 0);
	expect(signal(SIGUSR2, SIG_IGN) == SIG_DFL);
	run("at first");
	expect(sigprocmask(SIG_BLOCK, &mask, NULL) == 0);
	run("blocked");
	raise(SIGTERM);
	run("after handlers");
	sigaddset(&mask, SIGTERM);
	expect(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
	raise(SIGTERM);
	expect(sigsuspend(&none) == -1 && errno == EINTR);
	run_vfork("after a wait");
	edits = argc > 1 && !strcmp(argv[1], "edited");
	raise(SIGWINCH);
	for (int i = 0; i < 6; i++)
		run("at last");
	return 0;
}
