/*
 * Output digests: SHA-256 over the bytes that guests sent to each sink, taken from guest memory when the call
 * came back, in record and in replay alike.
 */
#ifndef SWORN_SANDBOX_SINK_H
#define SWORN_SANDBOX_SINK_H

#include "guest.h"

struct sinks;

struct sinks *sinks_new(void);
void sinks_release(struct sinks *sinks); /* NULL allowed */

/* Recorder: the number of the sink behind fd argument 0 of the call that came back, or 0 when its bytes are not
 * counted (pipes between guests, devices). stdout and stderr are told by device and inode. */
uint32_t sink_number(struct sinks *sinks, struct thread *thread);
/* Recorder: that file is gone, and another one has its inode. */
void sinks_forget(struct sinks *sinks, uint64_t device, uint64_t inode);
/* Recorder, before the first event: what descriptors 1 and 2 of the command refer to. */
void sinks_bind_standard(struct sinks *sinks);

/* Both sides: counts the bytes of the thread's finished call into sink `number`: the data that its argument 1
 * names, up to `result` bytes. SWORN_EFORMAT for a number that cannot be. `copy` gets each chunk when not NULL. */
int sink_update(struct sinks *sinks, uint32_t number, struct thread *thread, int64_t result,
		void (*copy)(uint32_t number, const void *bytes, size_t length));

/* Replayer: the bytes come from `read` with this context instead of the thread's memory; NULL: from there again. */
void sinks_read_from(struct sinks *sinks, guest_reader *read, void *context);

/* The digests so far: gives a borrowed array, valid until the next call. */
int sinks_report(struct sinks *sinks, const struct sink **ret, size_t *ret_count);
/* Replayer: the kind of a sink is known only to the recorder; taken over from the END event. */

#endif
