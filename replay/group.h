/*
 * Which units of a trace have to be replayed together: those that share memory. Filled while a trace is
 * checked, before anything of it runs; asked by the workers that replay units apart. Pure code.
 */
#ifndef SWORN_REPLAY_GROUP_H
#define SWORN_REPLAY_GROUP_H

#include "../traces/event.h"

struct groups;

struct groups *groups_new(void);	    /* NULL on lack of memory */
void groups_release(struct groups *groups); /* NULL allowed */

/* For reader_check(): takes the next event. 0 or -ENOMEM. */
int groups_note(void *groups, const struct event *event);

/* How many groups there are, once all events were noted; 1 for a trace whose units cannot be told apart. */
uint32_t groups_count(const struct groups *groups);
uint32_t groups_units(const struct groups *groups);
/* The unit that stands for the group of a unit (from 1), or of the units that map a shared object; 0 when
 * there is none. */
uint32_t group_of_unit(const struct groups *groups, uint32_t unit);
uint32_t group_of_object(const struct groups *groups, uint64_t object);

#endif
