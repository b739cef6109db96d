#include "group.h"

#include <errno.h>
#include <stdlib.h>

#define OBJECTS_MAX (1U << 16)
/* Of one call's inputs that came in PART events: whoever hashes outputs keeps them until the call is over. */
#define KEPT_BYTES_MAX (64ULL << 20)

/* Numbers indexed by numbers, from 1; those not yet set are 0. */
struct numbers {
	uint32_t *values;
	size_t capacity;
};

struct groups {
	struct numbers parents;	  /* of units: a forest, roots are their own parents */
	struct numbers of_thread; /* unit of each thread */
	struct numbers of_object; /* a unit that maps it */
	uint32_t units, threads;
	uint64_t kept;
	bool inseparable;
};

struct groups *groups_new(void)
{
	return calloc(1, sizeof(struct groups));
}

void groups_release(struct groups *groups)
{
	if (!groups)
		return;
	free(groups->parents.values);
	free(groups->of_thread.values);
	free(groups->of_object.values);
	free(groups);
}

static uint32_t number_at(const struct numbers *numbers, uint64_t index)
{
	return index < numbers->capacity ? numbers->values[index] : 0;
}

static int number_set(struct numbers *numbers, size_t index, uint32_t value)
{
	if (index >= numbers->capacity) {
		size_t capacity = numbers->capacity ? numbers->capacity : 64;
		uint32_t *values;

		while (capacity <= index)
			capacity *= 2;
		values = reallocarray(numbers->values, capacity, sizeof(*values));
		if (!values)
			return -ENOMEM;
		for (size_t i = numbers->capacity; i < capacity; i++)
			values[i] = 0;
		numbers->values = values;
		numbers->capacity = capacity;
	}
	numbers->values[index] = value;
	return 0;
}

uint32_t group_of_unit(const struct groups *groups, uint32_t unit)
{
	uint32_t *parents = groups->parents.values;

	if (unit >= groups->parents.capacity)
		return 0;
	while (parents[unit] != unit) {
		parents[unit] = parents[parents[unit]]; /* shorter for whoever comes next */
		unit = parents[unit];
	}
	return unit;
}

uint32_t group_of_object(const struct groups *groups, uint64_t object)
{
	return group_of_unit(groups, number_at(&groups->of_object, object));
}

uint32_t groups_units(const struct groups *groups)
{
	return groups->units;
}

uint32_t groups_count(const struct groups *groups)
{
	uint32_t count = 0;

	if (groups->inseparable)
		return 1;
	for (uint32_t unit = 1; unit <= groups->units; unit++)
		count += group_of_unit(groups, unit) == unit;
	return count;
}

/* The lower number stands for both: it comes first in the trace. */
static int join(struct groups *groups, uint32_t unit, uint64_t object)
{
	uint32_t a, b = group_of_object(groups, object);

	if (unit == 0 || object == 0)
		return 0;
	if (object > OBJECTS_MAX) {
		groups->inseparable = true;
		return 0;
	}
	if (b == 0)
		return number_set(&groups->of_object, object, unit);
	a = group_of_unit(groups, unit);
	return number_set(&groups->parents, a > b ? a : b, a > b ? b : a);
}

static int join_mappings(struct groups *groups, uint32_t unit, const struct event *event)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < event->mappings_count; i++)
		r = join(groups, unit, event->mappings[i].object);
	return r;
}

static int note_exec(struct groups *groups, const struct event *event)
{
	int r = 0;

	/* Replay in order says what is wrong with such numbers. */
	if (event->exec.unit != groups->units + 1 ||
	    event->thread > (groups->units ? groups->threads : 1))
		groups->inseparable = true;
	if (groups->inseparable)
		return 0;
	groups->units++;
	if (groups->units == 1)
		groups->threads = 1;
	r = number_set(&groups->parents, groups->units, groups->units);
	return r < 0 ? r : number_set(&groups->of_thread, event->thread, groups->units);
}

static int note_clone(struct groups *groups, const struct event *event)
{
	if (event->clone.child != groups->threads + 1)
		groups->inseparable = true;
	if (groups->inseparable)
		return 0;
	groups->threads++;
	return number_set(&groups->of_thread, event->clone.child,
			  number_at(&groups->of_thread, event->thread));
}

static void note_part(struct groups *groups, const struct event *event)
{
	for (size_t i = 0; i < event->payloads_count; i++) {
		if (event->payloads[i].direction == DIRECTION_IN)
			groups->kept += event->payloads[i].length;
	}
	if (groups->kept > KEPT_BYTES_MAX)
		groups->inseparable = true;
}

int groups_note(void *context, const struct event *event)
{
	struct groups *groups = context;
	uint32_t thread = event->thread;
	int r = 0;

	switch (event->kind) {
	case EVENT_EXEC: r = note_exec(groups, event); break;
	case EVENT_CLONE: r = note_clone(groups, event); break;
	case EVENT_PART: note_part(groups, event); return 0;
	case EVENT_MEMORY: thread = event->memory.target; break;
	case EVENT_CALL: groups->kept = 0; break;
	case EVENT_TURN:
	case EVENT_EXIT:
	case EVENT_SIGNAL:
	case EVENT_SIGRETURN:
	case EVENT_TRAP:
	case EVENT_CHECKPOINT:
	case EVENT_REFUSED:
	case EVENT_END: break;
	}
	if (r < 0 || groups->inseparable)
		return r;
	return join_mappings(groups, number_at(&groups->of_thread, thread), event);
}
