/* Handlers inside handlers: SA_NODEFER recursion, one signal interrupting another's handler, errno kept. */
#include "guest.h"
#include <signal.h>

static char log_text[64];
static volatile sig_atomic_t used, depth;

static void inner(int number)
{
	(void)number;
	log_text[used++] = 'i';
}

static void outer(int number)
{
	int saved = errno;

	log_text[used++] = '(';
	if (++depth < 5)
		raise(number);
	else
		raise(SIGUSR2);
	depth--;
	log_text[used++] = ')';
	errno = saved;
}

static void deferred(int number)
{
	log_text[used++] = '[';
	if (used < 20)
		raise(number); /* blocked while this handler runs: starts when it has returned */
	log_text[used++] = ']';
}

int main(void)
{
	struct sigaction action = { .sa_handler = outer, .sa_flags = SA_NODEFER };

	sigaction(SIGUSR1, &action, NULL);
	action.sa_handler = inner;
	sigaction(SIGUSR2, &action, NULL);
	errno = 77;
	raise(SIGUSR1);
	expect(errno == 77);
	action.sa_handler = deferred;
	action.sa_flags = 0;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	say("%s\n", log_text);
	return 0;
}
