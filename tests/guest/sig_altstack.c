/* Handlers on an alternate stack, with SA_ONSTACK, nested, and disarmed. */
#include "guest.h"
#include <signal.h>

static char stack[65536];
static volatile int on_stack[2], depth;

static void handler(int number)
{
	char here;
	stack_t now;

	on_stack[depth] = &here >= stack && &here < stack + sizeof(stack);
	expect(sigaltstack(NULL, &now) == 0);
	if (on_stack[depth])
		expect(now.ss_flags == SS_ONSTACK && sigaltstack(&now, NULL) == -1 && errno == EPERM);
	if (++depth == 1 && number == SIGUSR1)
		raise(SIGUSR2);
}

static void attempt(const char *what)
{
	depth = on_stack[0] = on_stack[1] = 0;
	raise(SIGUSR1);
	say("%s: %d handlers, on alternate stack: %d %d\n", what, depth, on_stack[0], on_stack[1]);
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler };
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) }, now;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	attempt("none");
	expect(sigaltstack(&alternate, NULL) == 0);
	attempt("not asked");
	action.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	attempt("asked");
	expect(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack && now.ss_flags == 0);
	alternate.ss_flags = SS_DISABLE;
	expect(sigaltstack(&alternate, NULL) == 0);
	attempt("disabled");
	alternate.ss_flags = 0;
	alternate.ss_size = 100;
	expect(sigaltstack(&alternate, NULL) == -1);
	say("too small: %s\n", errno == ENOMEM ? "ENOMEM" : "other");
	return 0;
}
