/*
 * Preloaded into the recorder: every SWORN_TICKS-th of its waits is interrupted before the guest has got the processor, as by its
 * ticker on a host that is very busy.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

pid_t waitpid(pid_t pid, int *status, int options)
{
	static pid_t (*real)(pid_t, int *, int);
	static unsigned long waits, every;

	if (!real) {
		const char *text = getenv("SWORN_TICKS");

		*(void **)&real = dlsym(RTLD_NEXT, "waitpid");
		every = text ? strtoul(text, NULL, 10) : 0;
	}
	if (every && !(options & WNOHANG) && ++waits % every == 0) {
		errno = EINTR;
		return -1;
	}
	return real(pid, status, options);
}
