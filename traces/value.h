/*
 * The values of a record that are more than one number, as CBOR: arguments, payloads, paths, a siginfo,
 * and the heads of lists. Used by record.c, which knows the key of each; pure, except that what is
 * taken and cannot stay in the input goes into scratch arrays.
 */
#ifndef SWORN_TRACES_VALUE_H
#define SWORN_TRACES_VALUE_H

#include "cbor.h"
#include "event.h"

/* What a decoded event points to when its bytes cannot be used in place. */
struct record_scratch {
	struct payload *payloads; /* owned; grow up to the limits of event.h */
	struct mapping *mappings;
	struct sink *sinks;
	size_t payloads_capacity, mappings_capacity, sinks_capacity;
	char *paths; /* owned: NUL-terminated copies, reserved before any is handed out */
	size_t paths_length, paths_capacity;
	struct registers registers;
};
void record_scratch_release(struct record_scratch *scratch);

/* Makes room for `count` entries in an owned array. 0 or -ENOMEM, with the array untouched. */
int value_reserve(void **array, size_t *capacity, uint64_t count, size_t entry_bytes);

/* Takes the head of a list that is not empty. SWORN_EFORMAT, or SWORN_ELIMIT above `max`. */
int value_take_count(struct cbor_in *in, uint64_t max, uint64_t *ret_count);

/* How many arguments, or bytes of a siginfo, come before the trailing zeros, which are not stored. */
unsigned int value_args_used(const uint64_t args[6]);
size_t value_siginfo_used(const uint8_t siginfo[SIGINFO_BYTES]);

/*
 * Each puts one value: 0, SWORN_ELIMIT when a count or length is over its limit, SWORN_EFORMAT when
 * something in it is not allowed. Arguments are never refused.
 */
void value_put_args(struct cbor_out *out, const uint64_t args[6]);
int value_put_payloads(struct cbor_out *out, const struct event *event);
int value_put_path(struct cbor_out *out, const char *path);

/*
 * Each takes one value: 0, SWORN_EFORMAT (also for one that would have been left out), SWORN_ELIMIT,
 * or -ENOMEM. A siginfo is expected to be all zeros before. Payloads' bytes stay in the input; a path
 * goes into `scratch`, whose paths_length is 0 at the record's begin.
 */
int value_take_args(struct cbor_in *in, uint64_t args[6]);
int value_take_siginfo(struct cbor_in *in, uint8_t siginfo[SIGINFO_BYTES]);
int value_take_payloads(struct cbor_in *in, struct record_scratch *scratch, struct event *event);
int value_take_path(struct cbor_in *in, struct record_scratch *scratch, const char **ret_path);

#endif
