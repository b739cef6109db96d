/*
 * Timers on the virtual clock: setitimer and alarm, POSIX timers, timerfd. They are the recorder's; the kernel's are never armed.
 */
#ifndef SWORN_RECORD_TIMERS_H
#define SWORN_RECORD_TIMERS_H

#include <signal.h>

#include "recorder.h"

/* The thread stands at the entry of its call: answers it when it is about a timer. 0 or negative. */
int timers_entry(struct recorder *rec, struct thread *thread, bool *ret_answered);

/* timerfd_create came back with a descriptor (registers are read). */
int timers_created(struct recorder *rec, struct thread *thread, int64_t result);

/* eventfd or eventfd2 came back with a descriptor. */
void timers_number_taken(struct recorder *rec, const struct thread *thread, int64_t result);

/* sendmsg or sendmmsg came back: timers that were sent with it are on their way. */
void timers_sent(struct recorder *rec, struct thread *thread, int64_t result);

/* The earliest deadline of timers and sleeps; UINT64_MAX for none. */
uint64_t timers_next(const struct recorder *rec);

/* Everything whose time has come on the virtual clock happens: signals, counts, ends of sleeps. */
int timers_expire(struct recorder *rec);

/* A signal is about to be delivered: tells a POSIX timer's what it missed. */
void timers_delivered(struct recorder *rec, const struct thread *thread, siginfo_t *info);

/* The process is gone, or (`exec`) has a new image, which keeps only interval timers. */
void timers_forget(struct recorder *rec, const struct process *process, bool exec);

#endif
