#include "crew.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../traces/digest.h"
#include "../traces/error.h"
#include "source.h"

/*
 * A loader asks CPUID, which tells the processor, within the first events of an image and keeps the answer:
 * two rdtsc, brk and the first files. Calls cost more there, so it is not for longer.
 */
#define STARTING_EVENTS 8

/* Written by one worker each, read by the first process when they are over. */
struct share {
	uint64_t played, checkpoints, left;
	int result;
	bool over;
};

/* At an exec the unit that is left and the one that starts may be in different hands. */
struct crossing {
	bool given, taken;
	uint8_t as_given[DIGEST_BYTES], as_taken[DIGEST_BYTES];
	bool final_known;
	uint8_t final[DIGEST_BYTES];
	uint32_t owner; /* of the group this unit stands for: worker from 1 */
};

struct table {
	_Atomic uint64_t end; /* no event from this number on needs to be played any more */
	struct share shares[WORKERS_MAX];
	struct crossing units[]; /* by number */
};

struct crew {
	const struct crew_plan *plan;
	struct table *table; /* shared memory */
	size_t bytes;
	unsigned int self; /* worker from 1, 0 = the first process, which plays nothing */
};

/* NULL for a unit that the check did not see: the file may have changed since. */
static struct crossing *crossing_of(const struct crew *crew, const struct unit *unit)
{
	return unit->number <= groups_units(crew->plan->groups) ? &crew->table->units[unit->number]
								: NULL;
}

bool crew_owns(struct crew *crew, uint32_t unit)
{
	uint32_t group;

	if (crew->self == 0 || unit > groups_units(crew->plan->groups))
		return false;
	group = group_of_unit(crew->plan->groups, unit);
	return crew->table->units[group].owner == crew->self;
}

bool crew_has_object(const struct crew *crew, uint64_t object)
{
	uint32_t group = group_of_object(crew->plan->groups, object);

	return crew->self != 0 && group != 0 && crew->table->units[group].owner == crew->self;
}

/* What of a process outlives its image, as far as its model has it. */
static void digest_legacy(const struct thread *thread, uint8_t ret[DIGEST_BYTES])
{
	struct {
		uint64_t mask;
		struct signal_disposition actions[SIGNALS];
	} legacy = { .mask = thread->mask };

	memcpy(legacy.actions, thread->process->signals->actions, sizeof(legacy.actions));
	digest_of(&legacy, sizeof(legacy), ret);
}

void crew_gave(struct crew *crew, const struct thread *thread)
{
	struct crossing *crossing = crossing_of(crew, thread->process->unit);

	if (!crossing)
		return;
	crossing->given = true;
	digest_legacy(thread, crossing->as_given);
}

void crew_took(struct crew *crew, const struct thread *thread)
{
	struct crossing *crossing = crossing_of(crew, thread->process->unit);

	if (!crossing)
		return;
	crossing->taken = true;
	digest_legacy(thread, crossing->as_taken);
}

static void pin(pid_t tid, int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	sched_setaffinity(tid, sizeof(set), &set);
}

void crew_send_home(const struct crew *crew, const struct thread *thread)
{
	if (crew->plan->home < 0 || crew->plan->home == crew->plan->cpus[crew->self - 1])
		return;
	thread->process->unit->starting = STARTING_EVENTS;
	pin(thread->tid, crew->plan->home);
}

void crew_fetch(const struct crew *crew, const struct thread *thread)
{
	pin(thread->tid, crew->plan->cpus[crew->self - 1]);
}

void crew_results(const struct crew *crew, struct replayer *rep)
{
	rep->played = 1; /* the END */
	for (unsigned int i = 0; i < crew->plan->workers; i++)
		rep->played += crew->table->shares[i].played;
	for (struct unit *unit = rep->guests.units; unit; unit = unit->next) {
		const struct crossing *crossing = crossing_of(crew, unit);

		if (!crossing)
			continue;
		unit->final_known = crossing->final_known;
		memcpy(unit->final, crossing->final, DIGEST_BYTES);
	}
}

static int work(struct crew *crew, struct replayer *rep)
{
	struct event event;
	int r;

	while ((r = trace_next(rep->reader, &event)) > 0) {
		if (event.number >= atomic_load(&crew->table->end))
			return SWORN_EGONE;
		r = replayer_play(rep, &event);
		if (r < 0)
			break;
	}
	if (r < 0)
		return r;
	for (const struct unit *unit = rep->guests.units; unit; unit = unit->next) {
		struct crossing *crossing = &crew->table->units[unit->number];

		if (unit->elsewhere)
			continue;
		crossing->final_known = unit->final_known;
		memcpy(crossing->final, unit->final, DIGEST_BYTES);
	}
	return rep->ended ? 0 : SWORN_EFORMAT;
}

static _Noreturn void become_worker(struct crew *crew, const struct replayer *fresh, pid_t first)
{
	const struct crew_plan *plan = crew->plan;
	struct share *share = &crew->table->shares[crew->self - 1];
	struct replayer rep = *fresh;
	int source, r;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != first)
		_exit(1);
	pin(0, plan->cpus[crew->self - 1]);
	rep.crew = crew;
	rep.sinks = NULL;
	rep.show_output = false;
	if (plan->sources) {
		source = plan->sources[crew->self - 1];
		reader_blob_source(rep.reader, source_open, &source);
	}
	r = arena_open(&rep.guests.arena);
	if (r == 0)
		r = object_arena_open(&rep.objects);
	if (r == 0)
		r = work(crew, &rep);
	if (r < 0)
		atomic_store(&crew->table->end, 0);
	share->played = rep.played;
	share->checkpoints = rep.checkpoints;
	share->left = rep.left;
	share->result = r;
	share->over = true;
	_exit(0);
}

/* Deals the groups out in their order: what runs at the same time, one after the other in the trace, goes to different
 * workers. How long one computes its events do not tell. */
static void deal(struct crew *crew)
{
	uint32_t dealt = 0;

	for (uint32_t unit = 1; unit <= groups_units(crew->plan->groups); unit++) {
		if (group_of_unit(crew->plan->groups, unit) == unit)
			crew->table->units[unit].owner = dealt++ % crew->plan->workers + 1;
	}
}

/* Waits for all. Those that are left have nothing to do once one failed. */
static int collect(struct crew *crew, const pid_t *workers, unsigned int count)
{
	bool killed = false;
	int r = count == crew->plan->workers ? 0 : -EAGAIN;

	for (unsigned int left = count; left > 0;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return SWORN_EGONE;
		for (unsigned int i = 0; i < count; i++) {
			const struct share *share = &crew->table->shares[i];

			if (workers[i] != pid)
				continue;
			left--;
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !share->over)
				killed = true;
			else if (r == 0 && share->result != SWORN_EGONE)
				r = share->result;
			if (killed || r < 0)
				atomic_store(&crew->table->end, 0);
		}
	}
	return killed ? SWORN_EGONE : r;
}

/* Nothing passes because nobody looked: everything was played once, and every hand-over seen from both sides. */
static int add_up(const struct crew *crew, const struct replayer *clerk)
{
	uint32_t units = groups_units(crew->plan->groups);
	uint64_t checkpoints = 0, left = 0;

	for (unsigned int i = 0; i < crew->plan->workers; i++) {
		checkpoints += crew->table->shares[i].checkpoints;
		left += crew->table->shares[i].left;
	}
	for (uint32_t unit = 2; unit <= units; unit++) {
		const struct crossing *crossing = &crew->table->units[unit];

		if (!crossing->given || !crossing->taken ||
		    !digest_equal(crossing->as_given, crossing->as_taken))
			return SWORN_EDIVERGED;
	}
	return checkpoints == clerk->checkpoints && left + 1 == units ? 0 : SWORN_EDIVERGED;
}

static int run(struct crew *crew, const struct replayer *fresh, struct replayer *clerk)
{
	pid_t workers[WORKERS_MAX], first = getpid();
	unsigned int count = 0;
	int r;

	atomic_store(&crew->table->end, UINT64_MAX);
	while (count < crew->plan->workers) {
		crew->self = count + 1;
		workers[count] = fork();
		if (workers[count] == 0)
			become_worker(crew, fresh, first);
		if (workers[count] < 0) {
			atomic_store(&crew->table->end, 0);
			break;
		}
		count++;
	}
	crew->self = 0;
	r = collect(crew, workers, count);
	if (r < 0)
		return r;
	clerk->crew = crew;
	r = clerk_walk(clerk);
	clerk->crew = NULL;
	return r < 0 ? r : add_up(crew, clerk);
}

int crew_play(const struct crew_plan *plan, const struct replayer *fresh, struct replayer *clerk)
{
	struct crew crew = { .plan = plan };
	int r;

	crew.bytes = sizeof(struct table) +
		     (groups_units(plan->groups) + 1ULL) * sizeof(struct crossing);
	crew.table = mmap(NULL, crew.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (crew.table == MAP_FAILED)
		return -ENOMEM;
	deal(&crew);
	r = run(&crew, fresh, clerk);
	munmap(crew.table, crew.bytes);
	return r;
}
