/*
 * Inside of the hardware counter of one guest thread, for counter.c, cut.c and their tests only. Others
 * use cut.h.
 */
#ifndef SWORN_SANDBOX_COUNTER_H
#define SWORN_SANDBOX_COUNTER_H

#include <linux/perf_event.h>
#include "cut.h"

/* What cut_choose() and cut_reach() weigh; counter_tune() fills in the defaults. */
struct cut_tuning {
	uint64_t margin_address; /* branches before a TURN_ADDRESS at which the interrupt is asked for */
	uint64_t margin_count; /* the same for TURN_COUNT, where the rest is slow */
	uint64_t rare;	       /* branches without a hit that make an address rare */
	uint64_t look_ns;      /* CPU time before the next few addresses are tried */
	unsigned int looks;    /* how often */
	uint64_t slice;	       /* branches of a seeded slice, about */
};

struct counter {
	pid_t tid;
	int branches_fd; /* the counter */
	int clock_fd;	 /* the thread's CPU time; -1 until first used */
	bool on, limited;
	uint64_t mask; /* the thread's own, valid with mask_taken */
	bool mask_taken;
	struct cut_tuning tuning;
};

enum halt {
	HALT_OTHER,	 /* not ours: *ret_status says what */
	HALT_OVERFLOW,	 /* the period was over */
	HALT_LIMIT,	 /* the CPU time was over */
	HALT_BREAKPOINT, /* a breakpoint.h event fired: rip says which */
};

/* Fills in type and config of the event that counts retired conditional branches, user mode only.
 * SWORN_EHOST for a CPU that is not in the table. */
int counter_event(struct perf_event_attr *ret);
/* What suits that event. */
void counter_tune(struct cut_tuning *ret);

/* perf_event_open for one thread on any CPU, close-on-exec: the fd, or -errno. */
int counter_event_open(pid_t tid, struct perf_event_attr *event);

/* Blocks until the resumed thread stops. A kind of halt, or SWORN_EGONE when it was reaped. */
int counter_wait(struct counter *counter, int *ret_status);
/* Resumes without a signal, then counter_wait(). */
int counter_run(struct counter *counter, int *ret_status);
/* Another period from here, without touching the count. */
int counter_period(struct counter *counter, uint64_t branches);
/* Takes these signals (a mask, bit 0 = signal 1) out of the thread's blocked ones until counter_stop(). */
int counter_unblock(struct counter *counter, uint64_t signals);
/*
 * Counter off, and every interrupt of ours that is still queued in the thread taken out, so that
 * nothing of this surfaces later. `*status` is the stop the thread stands at; another that came
 * meanwhile (SIGKILL, or a signal that beat the call) replaces it and 1 is returned.
 */
int counter_settle(struct counter *counter, int *status);
/* Everything of ours leaves the thread; `r` is what a run came to, *status the stop it stands at. Gives `r`; 1 when the thread was
 * killed, or another stop came meanwhile. */
int counter_finish(struct counter *counter, int r, int *status);

#endif
