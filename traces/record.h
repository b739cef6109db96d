/*
 * The record: one event as deterministic CBOR, and back. A record is a map with integer keys in which
 * every field that has its default value is left out; a decoder that meets a default spelled out
 * refuses it, so one event has exactly one record. Used by the writer and the reader; pure, except
 * that the decoder keeps scratch arrays. docs/FORMAT.md lists the keys of each kind.
 */
#ifndef SWORN_TRACES_RECORD_H
#define SWORN_TRACES_RECORD_H

#include "cbor.h"
#include "event.h"
#include "value.h"

#define RECORD_BYTES_MAX (16u << 20) /* one record; only an EXEC of a huge table comes near */
#define RECORD_VECTOR_MAX 16384	     /* vector state of one event */
#define EVENT_KINDS (EVENT_END + 1)

/* Upper bound of the record's length in bytes, cheap to compute. */
size_t record_bound(const struct event *event);

/*
 * Appends the record of `event` to `out`, which has record_bound() bytes free. 0; SWORN_ELIMIT when
 * a count or length is over its limit; SWORN_EFORMAT when a field has a value that its type does not
 * allow (an enum out of range, a path with NUL ...). `out` is untouched on failure.
 */
int record_encode(const struct event *event, struct cbor_out *out);

/*
 * Takes one record from `in`. Payload and vector bytes stay in the input, everything else that needs
 * memory goes into `scratch`; both must live as long as the event is used. `ret_event->number` is
 * set to 0. SWORN_EFORMAT, SWORN_ELIMIT or -ENOMEM on failure, with `in` and `ret_event` in an
 * unspecified state.
 */
int record_decode(struct cbor_in *in, struct record_scratch *scratch, struct event *ret_event);

/* H("sworn/1/outputs", D(sinks)) of an END event: the outputs digest. 0, or as record_encode(). */
int record_outputs(const struct event *end, uint8_t ret_digest[DIGEST_BYTES]);

#endif
