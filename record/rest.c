#include "rest.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "outside.h"

#define LOOKS_WITHOUT_WCHAN 64U /* where the kernel does not tell who sleeps for sure */
#define LOOKS_MAX 3U /* in a row that find all at rest, where none of them is of one moment */
#define UNINTERRUPTED_NS 3000000000ULL

void rest_begin(struct thread *thread)
{
	thread->record->place[0] = '\0';
}

/* Uninterruptible sleeps end by themselves, however slow the disk is, but for the parent in vfork, until its child has left
 * the memory they share, and for those on files that a guest serves. */
static bool sleeps_on_guest(const struct recorder *rec, const struct thread *thread)
{
	const struct record_thread *own = thread->record;

	if (own->in_call && thread->call.row && thread->call.row->family == FAMILY_CLONE)
		return schedule_vforks(rec, thread);
	return schedule_now_ns() - own->resumed_ns > UNINTERRUPTED_NS && outside_serves_files(rec);
}

/* The kernel function that the thread sleeps in. False while it is on the processor or waits for it, and where the kernel
 * does not tell (proc_pid_wchan(5)). */
static bool read_place(struct thread *thread, char ret_place[PLACE_BYTES])
{
	struct record_thread *own = thread->record;
	char path[64];
	ssize_t n;

	if (own->wchan_fd < 0) {
		snprintf(path, sizeof(path), "/proc/%d/wchan", thread->tid);
		own->wchan_fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	n = own->wchan_fd < 0 ? -1 : pread(own->wchan_fd, ret_place, PLACE_BYTES - 1, 0);
	if (n <= 0 || ret_place[0] == '0')
		return false;
	ret_place[n] = '\0';
	return own->tells_place = true;
}

/* A thread whose state says that it sleeps may still be on its way there, or back. */
static bool is_off(struct thread *thread, char ret_place[PLACE_BYTES])
{
	if (read_place(thread, ret_place)) {
		thread->record->looks = 0;
		return true;
	}
	ret_place[0] = '\0';
	return ++thread->record->looks % LOOKS_WITHOUT_WCHAN == 0;
}

bool rest_is_asleep(const struct recorder *rec, struct thread *thread)
{
	struct record_thread *own = thread->record;
	char place[PLACE_BYTES] = "", before[PLACE_BYTES] = "", state;

	if (thread->run != RUN_LISTEN && own->tells_place) {
		if (!read_place(thread, before))
			return false;
		/* Where this call slept interruptibly before: the state says nothing new, and takes most of the time. */
		if (strcmp(before, own->place) == 0)
			return true;
	}
	state = schedule_state(thread);
	if (thread->run == RUN_LISTEN)
		return state == 't' || state == 'T';
	if ((state != 'S' && (state != 'D' || !sleeps_on_guest(rec, thread))) || !is_off(thread, place))
		return false;
	/* Had it run in between, that place would be of another stop. */
	if (state == 'S' && strcmp(place, before) == 0)
		memcpy(own->place, place, sizeof(place));
	return true;
}

/* On its way out: a leader ends after its threads, the first process of a namespace after all others. */
static bool waits_to_end(struct thread *thread)
{
	char state = schedule_state(thread);

	return state == 'S' || (state == 'Z' && thread->process->threads_count > 1 &&
				thread->tid == thread->process->leader);
}

static bool is_at_rest(const struct recorder *rec, struct thread *thread)
{
	if (thread->record->died || thread->run == RUN_USER)
		return true;
	if (thread->record->exiting)
		return waits_to_end(thread);
	if (thread->run == RUN_STOPPED)
		return !rec->killing || schedule_state(thread) == 't';
	return rest_is_asleep(rec, thread);
}

bool rest_all(const struct recorder *rec, const struct thread *except)
{
	for (struct thread *t = rec->guests.first; t; t = t->next) {
		if (t != except && !is_at_rest(rec, t))
			return false;
	}
	return true;
}

/* How often the recorder was off its processor. */
static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

bool rest_all_at_once(const struct recorder *rec)
{
	/* Whoever ran meanwhile may have woken one who had been looked at. No guest can while the recorder has their processor. */
	for (unsigned int i = 0; i < LOOKS_MAX; i++) {
		long before = switches();

		if (!rest_all(rec, NULL))
			return false;
		if (rec->one_cpu && switches() == before)
			return true;
	}
	return true;
}
