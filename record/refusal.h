/* Calls that are refused for what they ask, not for what they are: record_entry() asks before one runs. */
#ifndef SWORN_RECORD_REFUSAL_H
#define SWORN_RECORD_REFUSAL_H

struct recorder;
struct thread;

/* Why the call of `thread`, which stands at its entry, is refused although its row does not say so: the reason, static, and
 * in *ret_error a positive errno for the guest. NULL, and *ret_error untouched, when it may run. */
const char *refusal_find(const struct recorder *rec, struct thread *thread, int *ret_error);

#endif
