/*
 * SO_RCVTIMEO and SO_SNDTIMEO on the virtual clock, and TCP_NODELAY. The kernel's sockets have no timeouts: what guests
 * set is kept here, and timeout.c ends the calls that wait longer. And they hold nothing back, which would
 * go on after a real time.
 */
#ifndef SWORN_RECORD_SOCKET_TIME_H
#define SWORN_RECORD_SOCKET_TIME_H

#include "recorder.h"

/* The thread stands at the entry of its call: answers it when it sets or asks for one of them. 0 or negative. */
int socket_time_entry(struct recorder *rec, struct thread *thread, bool *ret_answered);

/* socket came back with a descriptor: it holds nothing back. */
void socket_time_created(struct thread *thread, int64_t result);

/* How long a call of the thread may wait at its first argument, nanoseconds; UINT64_MAX for ever. */
uint64_t socket_time_of(const struct recorder *rec, const struct thread *thread, bool sends);

/* accept came back with a descriptor: what it takes over from the socket that listens. 0 or negative. */
int socket_time_accepted(struct recorder *rec, struct thread *thread, int64_t result);

void socket_time_release(struct recorder *rec);

#endif
