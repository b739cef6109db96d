/* What guests are told about the time and resources they used, on the virtual clock. */
#ifndef SWORN_RECORD_USAGE_H
#define SWORN_RECORD_USAGE_H

#include "recorder.h"

/* The thread stands at the entry of its call: answers it when it asks for usage or the state of clocks. 0 or negative. */
int usage_entry(struct recorder *rec, struct thread *thread, bool *ret_answered);

/* wait4 or waitid came back with a child: its usage is nothing that a clock measured. 0 or negative. */
int usage_of_child(struct thread *thread, int64_t result);

#endif
