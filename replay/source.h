/*
 * Blobs of the store for a replayer that may not open files: a small process outside of the replay domain opens them by
 * digest and hands their descriptors in. All it ever reads from the domain is 32 bytes a request.
 */
#ifndef SWORN_REPLAY_SOURCE_H
#define SWORN_REPLAY_SOURCE_H

#include "../traces/event.h"

/* Starts the process for the store directory `blobs_fd`; *ret_fd is the socket to it. It ends when the
 * socket's other copies are closed. 0 or -errno. */
int source_start(int blobs_fd, int *ret_fd);
/* A blob_source (reader.h): `context` points at the socket. */
int source_open(void *context, const uint8_t digest[DIGEST_BYTES]);

#endif
