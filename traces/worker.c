#include "worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)

struct worker {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t work; /* there is a job, an open job got its first event, or an end */
	pthread_cond_t room; /* a job became free */
	worker_function *function;
	void *context;
	struct job jobs[WORKER_JOBS];
	struct job *free[WORKER_JOBS];
	struct job *queue[WORKER_JOBS]; /* a ring */
	struct job *open;		/* NULL between two blocks */
	size_t free_count, queue_head, queue_count;
	uint64_t held_up_ns;
	bool stopping;
	_Atomic int error;
	pid_t caller;	   /* thread whose CPU is to be left alone */
	cpu_set_t allowed; /* what the process was started with */
	cpu_set_t avoided; /* the caller's, when last looked at */
};

static uint64_t monotonic_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

/* The caller may be pinned before or after the worker starts, so this is looked at for each job. */
static void leave_caller_alone(struct worker *worker)
{
	cpu_set_t caller, own;
	if (sched_getaffinity(worker->caller, sizeof(caller), &caller) < 0 ||
	    CPU_COUNT(&caller) != 1 || CPU_EQUAL(&caller, &worker->avoided))
		return;
	worker->avoided = caller;
	CPU_AND(&own, &worker->allowed, &caller);
	CPU_XOR(&own, &worker->allowed, &own);
	if (CPU_COUNT(&own) > 0)
		pthread_setaffinity_np(pthread_self(), sizeof(own), &own);
}

/* A caller that is pinned already no longer shows what the process was given; its parent does. */
static void find_allowed(struct worker *worker)
{
	cpu_set_t parent;
	if (sched_getaffinity(0, sizeof(worker->allowed), &worker->allowed) < 0)
		CPU_ZERO(&worker->allowed);
	if (CPU_COUNT(&worker->allowed) <= 1 &&
	    sched_getaffinity(getppid(), sizeof(parent), &parent) == 0)
		worker->allowed = parent;
}

static struct job *pop(struct worker *worker)
{
	struct job *job = worker->queue[worker->queue_head];
	worker->queue_head = (worker->queue_head + 1) % WORKER_JOBS;
	worker->queue_count--;
	return job;
}

static void push(struct worker *worker, struct job *job)
{
	size_t tail = (worker->queue_head + worker->queue_count) % WORKER_JOBS;
	assert(worker->queue_count < WORKER_JOBS);
	worker->queue[tail] = job;
	worker->queue_count++;
	pthread_cond_signal(&worker->work);
}

static void sleep_until(struct worker *worker, uint64_t deadline_ns)
{
	struct timespec deadline = { .tv_sec = (time_t)(deadline_ns / NS_PER_SECOND),
				     .tv_nsec = (long)(deadline_ns % NS_PER_SECOND) };
	pthread_cond_timedwait(&worker->work, &worker->mutex, &deadline);
}

/* Waits for the next job to do; NULL when there will be none. Locked. */
static struct job *next_job(struct worker *worker)
{
	for (;;) {
		if (worker->queue_count > 0)
			return pop(worker);
		if (worker->stopping)
			return NULL;
		if (!worker->open || worker->open->events == 0) {
			pthread_cond_wait(&worker->work, &worker->mutex);
			continue;
		}
		uint64_t deadline = worker->open->opened_ns + WORKER_AGE_NS;
		if (monotonic_ns() >= deadline) {
			struct job *job = worker->open;
			worker->open = NULL;
			return job;
		}
		sleep_until(worker, deadline);
	}
}

static void *run(void *argument)
{
	struct worker *worker = argument;
	struct job *job;
	pthread_setname_np(pthread_self(), "sworn-writer");
	pthread_mutex_lock(&worker->mutex);
	while ((job = next_job(worker))) {
		pthread_mutex_unlock(&worker->mutex);
		leave_caller_alone(worker);
		int r = worker_error(worker) < 0 ? 0 : worker->function(worker->context, job);
		pthread_mutex_lock(&worker->mutex);
		if (r < 0)
			atomic_store(&worker->error, r);
		worker->free[worker->free_count++] = job;
		pthread_cond_signal(&worker->room);
	}
	pthread_mutex_unlock(&worker->mutex);
	return NULL;
}

/* Signals are for the thread that drives the guests. */
static int start_thread(struct worker *worker)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int worker_start(worker_function *function, void *context, struct worker **ret)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	pthread_condattr_t attributes;
	if (!worker)
		return -ENOMEM;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&worker->mutex, NULL);
	pthread_cond_init(&worker->work, &attributes);
	pthread_cond_init(&worker->room, &attributes);
	pthread_condattr_destroy(&attributes);
	worker->function = function;
	worker->context = context;
	worker->caller = gettid();
	find_allowed(worker);
	for (size_t i = 0; i < WORKER_JOBS; i++)
		worker->free[worker->free_count++] = &worker->jobs[i];
	int r = start_thread(worker);
	if (r < 0) {
		free(worker);
		return r;
	}
	*ret = worker;
	return 0;
}

int worker_stop(struct worker *worker)
{
	if (!worker)
		return 0;
	pthread_mutex_lock(&worker->mutex);
	worker->stopping = true;
	pthread_cond_signal(&worker->work);
	pthread_mutex_unlock(&worker->mutex);
	pthread_join(worker->thread, NULL);
	int r = worker_error(worker);
	for (size_t i = 0; i < WORKER_JOBS; i++)
		buffer_release(&worker->jobs[i].content);
	pthread_cond_destroy(&worker->work);
	pthread_cond_destroy(&worker->room);
	pthread_mutex_destroy(&worker->mutex);
	free(worker);
	return r;
}

/* Waits for a free job. Locked. */
static struct job *free_job(struct worker *worker)
{
	if (worker->free_count == 0) {
		uint64_t start = monotonic_ns();

		while (worker->free_count == 0)
			pthread_cond_wait(&worker->room, &worker->mutex);
		worker->held_up_ns += monotonic_ns() - start;
	}
	struct job *job = worker->free[--worker->free_count];
	job->content.length = 0;
	job->events = 0;
	job->opened_ns = 0;
	return job;
}

int worker_begin(struct worker *worker, struct job **ret_job)
{
	pthread_mutex_lock(&worker->mutex);
	int r = worker_error(worker);
	if (r < 0) {
		pthread_mutex_unlock(&worker->mutex);
		return r;
	}
	if (!worker->open)
		worker->open = free_job(worker);
	*ret_job = worker->open;
	return 0;
}

void worker_end(struct worker *worker, bool full)
{
	struct job *job = worker->open;
	if (job->events > 0 && full) {
		worker->open = NULL;
		push(worker, job);
	} else if (job->events > 0 && job->opened_ns == 0) {
		job->opened_ns = monotonic_ns();
		pthread_cond_signal(&worker->work);
	}
	pthread_mutex_unlock(&worker->mutex);
}

int worker_take(struct worker *worker, size_t length, struct job **ret_job)
{
	int r = worker_error(worker);
	if (r < 0)
		return r;
	pthread_mutex_lock(&worker->mutex);
	struct job *job = free_job(worker);
	r = buffer_reserve(&job->content, length);
	if (r < 0)
		worker->free[worker->free_count++] = job;
	else
		*ret_job = job;
	pthread_mutex_unlock(&worker->mutex);
	return r;
}

void worker_submit(struct worker *worker, struct job *job)
{
	pthread_mutex_lock(&worker->mutex);
	push(worker, job);
	pthread_mutex_unlock(&worker->mutex);
}

uint64_t worker_held_up_ns(struct worker *worker)
{
	pthread_mutex_lock(&worker->mutex);
	uint64_t ns = worker->held_up_ns;
	pthread_mutex_unlock(&worker->mutex);
	return ns;
}

int worker_error(struct worker *worker)
{
	return atomic_load(&worker->error);
}
