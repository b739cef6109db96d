#include "debugreg.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "../traces/error.h"
#include "stop.h"

static int poke(pid_t tid, size_t number, unsigned long value)
{
	size_t offset = offsetof(struct user, u_debugreg) + number * sizeof(value);

	if (ptrace(PTRACE_POKEUSER, tid, offset, value) < 0)
		return errno == ESRCH ? SWORN_EGONE : -errno;
	return 0;
}

int debugreg_set(pid_t tid, const uint64_t *addresses, size_t count)
{
	unsigned long control = 0;
	int r = poke(tid, 7, 0);

	for (size_t i = 0; r == 0 && i < count && i < DEBUGREG_MAX; i++) {
		if (!addresses[i])
			continue;
		r = poke(tid, i, addresses[i]);
		control |= 1UL << (2 * i); /* local enable, on execution */
	}
	return r == 0 && control ? poke(tid, 7, control) : r;
}

bool debugreg_is_hit(pid_t tid, int status)
{
	siginfo_t info;

	return stop_kind(status) == STOP_SIGNAL && stop_signal(status) == SIGTRAP &&
	       ptrace(PTRACE_GETSIGINFO, tid, NULL, &info) == 0 && info.si_code == TRAP_HWBKPT;
}
