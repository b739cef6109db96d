/*
 * Seeded recordings: which of several sockets that share a port (SO_REUSEPORT) gets a connection or datagram. The kernel decides by a hash
 * with a secret drawn anew for each network namespace.
 */
#ifndef SWORN_RECORD_REUSE_H
#define SWORN_RECORD_REUSE_H

#include "recorder.h"

/* A call came back: sockets that it made share a port share it by the sender's port from now on, unless a guest gave a program for that
 * itself. Where the host lets nobody copy a guest's descriptor the kernel's choice stays. */
void reuse_finish(struct recorder *rec, struct thread *thread, int64_t result);

#endif
