/*
 * Reading from stream sockets in a seeded recording. How much a read gets must not depend on how far the writer's call
 * has come when the reader wakes up: a read that would sleep waits without reading, and reads when all others are
 * at rest; and it gets what had arrived when it began, not what arrives because it reads.
 */
#ifndef SWORN_RECORD_STREAM_H
#define SWORN_RECORD_STREAM_H

#include "recorder.h"

/* The thread stands at the entry of its call, which it is about to execute. 0 or negative. */
int stream_enter(struct thread *thread);

/* The call came back, registers are read: puts the guest's arguments back. 1 when it has waited and is made again, else 0 or
 * negative. */
int stream_leave(struct thread *thread);

/* socket came back with a descriptor: its buffer has a fixed size, whatever the kernel measures. What is accepted takes it over. */
void stream_created(struct thread *thread, int64_t result);

#endif
