/*
 * Waits on what no guest can bring about: a terminal, a pipe or socket that was there before the command. While one
 * is awaited, the virtual clock runs with the real one.
 */
#ifndef SWORN_RECORD_OUTSIDE_H
#define SWORN_RECORD_OUTSIDE_H

#include "recorder.h"

/* Notes which of this process's descriptors, which the command inherits, lead outside. */
void outside_init(struct recorder *rec);

/* True when a thread that sleeps may be woken from outside, or one is stopped until somebody continues it. */
bool outside_is_awaited(const struct recorder *rec);

/* True when a guest serves files to others, as fuse(4) has it: who waits for one of them may wait for that guest. */
bool outside_serves_files(const struct recorder *rec);

/* True when the signal came to the thread from outside: from no guest, or typed at the terminal that the command was given. */
bool outside_signalled(const struct thread *thread, const void *siginfo);

#endif
