/*
 * The thread behind a writer: a bounded queue of jobs and the open job that events are encoded into.
 * The caller's side costs one uncontended lock per event. The worker takes the open job by itself
 * once it is WORKER_AGE_NS old, so that a killed recorder leaves a recent prefix; it stays off the
 * CPU that its caller is pinned to. Knows nothing of what a job means.
 */
#ifndef SWORN_TRACES_WORKER_H
#define SWORN_TRACES_WORKER_H

#include "blob.h"
#include "buffer.h"

#define WORKER_JOBS 6
#define WORKER_AGE_NS UINT64_C(1000000000)

struct job {
	struct buffer content;
	uint64_t events;       /* records in it; 0 says that it is a chunk of a blob */
	struct blob blob;      /* of a chunk: the blob's digest and size */
	uint64_t chunk_offset; /* of a chunk, in its blob */
	uint64_t opened_ns;    /* CLOCK_MONOTONIC, of the first event */
};

struct worker;

/* Does one job, in the worker thread. 0 or negative; after a failure no job is done any more. */
typedef int worker_function(void *context, struct job *job);

/* Starts the thread. 0 or -errno. */
int worker_start(worker_function *function, void *context, struct worker **ret);

/*
 * Waits until every queued job is done and ends the thread. An open job that was not submitted is
 * dropped. Gives the first failure, or 0. NULL allowed.
 */
int worker_stop(struct worker *worker);

/* Locks and gives the open job, which may be empty; waits for a free one. On failure (the worker's)
 * nothing is locked. Ends with worker_end(). */
int worker_begin(struct worker *worker, struct job **ret_job);
/* Unlocks; submits the open job when `full`, unless it is empty. */
void worker_end(struct worker *worker, bool full);

/* A free job beside the open one, with room for `length` bytes, for a chunk of a blob; to be given
 * back by worker_submit(). */
int worker_take(struct worker *worker, size_t length, struct job **ret_job);
void worker_submit(struct worker *worker, struct job *job);

/* How long callers waited for a free job so far: the worker, or what it writes to, is slower than they are. */
uint64_t worker_held_up_ns(struct worker *worker);

/* The worker's first failure so far, or 0. */
int worker_error(struct worker *worker);

#endif
