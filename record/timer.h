/*
 * One timer on the virtual clock, for timers.c (setitimer, POSIX timers) and timer_fd.c (timerfd), and for nobody else.
 */
#ifndef SWORN_RECORD_TIMER_H
#define SWORN_RECORD_TIMER_H

#include <time.h>

#include "recorder.h"

enum timer_kind { TIMER_INTERVAL, TIMER_POSIX, TIMER_FD };

struct timer {
	enum timer_kind kind;
	struct process *process; /* not of TIMER_FD */
	int id;			 /* which of setitimer; POSIX id; the eventfd's number */
	pid_t holder;		 /* TIMER_FD: the thread that was last seen to have it, ... */
	int fd;			 /* ... as this descriptor of its own */
	int kept;  /* TIMER_FD: our own descriptor of one that was sent over a socket; -1: none */
	bool held; /* TIMER_FD: some guest had it at the last look at all of them */
	clockid_t clock;
	int notify, signal;
	uint32_t target;		   /* SIGEV_THREAD_ID: thread number */
	uint64_t value;			   /* sigev_value */
	uint64_t deadline_ns, interval_ns; /* 0: off; 0: once */
	uint64_t overrun, missed; /* of the last signal that was delivered; of the one that is pending */
	struct timer *next;
};

/* The timer, or NULL. TIMER_FD: of any process. Borrowed. */
struct timer *timer_find(const struct recorder *rec, enum timer_kind kind,
			 const struct process *process, int id);
/* A new one behind all others; NULL on lack of memory. */
struct timer *timer_add(struct recorder *rec, enum timer_kind kind, struct process *process, int id);
/* Takes it out of the list and releases it. */
void timer_drop(struct timer **at);
/* Interval and rest in seconds and units, as getitimer(2) and timer_gettime(2) tell them. */
void timer_describe(const struct recorder *rec, const struct timer *timer, uint64_t unit_ns,
		    int64_t ret_words[4]);
/* Sets what `words` say (interval, value); `absolute`: on the timer's clock. 0 or -EINVAL. */
int64_t timer_arm(const struct recorder *rec, struct timer *timer, const int64_t words[4],
		  uint64_t unit_ns, bool absolute);
/* Writes four words where argument `arg` says, if anywhere. As record_give(). */
int timer_give_words(struct recorder *rec, struct thread *thread, unsigned int arg,
		     const int64_t words[4], int64_t *ret_result);
/* Reads four words where argument `arg` says; false when that is a bad address. */
bool timer_take_words(struct thread *thread, unsigned int arg, int64_t ret_words[4]);
/* Whether timer_create(2) knows the clock. */
bool timer_is_clock(clockid_t id);

/* timer_fd.c */
/* timerfd_create, at its entry. 0 or negative. */
int timer_fd_create(struct recorder *rec, struct thread *thread, bool *ret_answered);
/* Answers timerfd_settime and timerfd_gettime. 0 or negative. */
int timer_fd_answer(struct recorder *rec, struct thread *thread);
/* Tells `count` expirations. False when no guest has it any more. */
bool timer_fd_tell(struct recorder *rec, struct timer *timer, uint64_t count);

#endif
