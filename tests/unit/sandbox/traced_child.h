/*
 * A forked child that is seized and stopped, and the model's thread for it: what tests of code that takes a
 * struct thread need. Included behind cmocka.h by tests and scenarios.
 */
#ifndef SWORN_TESTS_TRACED_CHILD_H
#define SWORN_TESTS_TRACED_CHILD_H

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../sandbox/launch.h"
#include "../../../sandbox/stop.h"
#include "../../../traces/error.h"

struct traced {
	struct guests guests;
	struct thread *thread;
};

/* Runs `body` in a child once that is seized. Its first stop is still to come. */
static inline void traced_start(struct traced *traced, void (*body)(void))
{
	int go[2];
	char byte;

	*traced = (struct traced){ 0 };
	assert_int_equal(pipe(go), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (read(go[0], &byte, 1) == 1)
			body();
		_exit(0);
	}
	assert_int_equal(launch_seize(pid), 0);
	assert_int_equal(write(go[1], "", 1), 1);
	close(go[0]);
	close(go[1]);
	traced->thread = guest_first(&traced->guests, pid, (uint32_t)pid);
	assert_non_null(traced->thread);
}

/* The next stop of the thread, which runs. */
static inline int traced_wait(struct traced *traced)
{
	int status = 0, r;

	do
		r = stop_wait(traced->thread, &status);
	while (r == -EINTR);
	assert_int_equal(r, 0);
	return status;
}

static inline int traced_next(struct traced *traced, int request)
{
	assert_int_equal(stop_resume(traced->thread, request, 0), 0);
	return traced_wait(traced);
}

/* Waits for the SIGTRAP of the int3 at which `body` gets ready, and reads the registers. */
static inline void traced_ready(struct traced *traced)
{
	int status = traced_wait(traced);

	assert_int_equal(stop_kind(status), STOP_SIGNAL);
	assert_int_equal(stop_signal(status), SIGTRAP);
	assert_int_equal(stop_get_registers(traced->thread), 0);
}

static inline void traced_end(struct traced *traced)
{
	launch_discard(traced->thread->tid);
	guests_release(&traced->guests);
}

#endif
