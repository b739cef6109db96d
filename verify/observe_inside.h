/*
 * What the files of the observation share: observe.c walks the trace, observe_call.c looks at calls, observe_finish.c sums
 * up. Nobody else includes this.
 */
#ifndef SWORN_VERIFY_OBSERVE_INSIDE_H
#define SWORN_VERIFY_OBSERVE_INSIDE_H

#include <sys/types.h>

#include "flow.h"
#include "gather.h"
#include "image.h"
#include "observe.h"

/* Entries that are addressed by the history's numbers. */
struct observe_table {
	void *entries; /* owned */
	size_t count;
};

struct position {
	uint64_t opened; /* the handle's, since numbers come again */
	uint64_t at;
};

struct mask {
	bool known;
	mode_t mask;
};

/* What is known of a file beyond the history. */
struct file_note {
	uint32_t seen; /* its entry, from 1; 0: none */
	bool has_mode;
	mode_t mode;
	char type;	    /* 'd' directory, 'l' link, 'p' pipe, 0 a regular file */
	const char *target; /* of a link; the history's */
};

struct observer {
	struct reader *reader;	  /* borrowed */
	struct observation *seen; /* owned until observe() returns it */
	struct gather *gather;
	struct flow flow;
	struct observe_table positions, masks, files, inputs,
		channels; /* by handle, process, file, file, socket */
	size_t changes;	  /* of the history that were looked at */
	mode_t spare_mask;
	int error;
};

struct seen *observe_add(struct observer *o, enum seen_kind kind, const char *name, uint64_t event);
void *observe_entry(struct observer *o, struct observe_table *table, size_t index, size_t entry_bytes);
mode_t *observe_umask(struct observer *o, uint32_t process);

void observe_call(struct observer *o, const struct event *event);
void observe_refused(struct observer *o, const struct event *event);
void observe_finish(struct observer *o);

#endif
