/*
 * The replayer: turns events into stops. It brings the event's thread to where the event says it stood,
 * checks everything the event says against what is there, then makes the event's effects happen.
 * replay_*.c mirror record_*.c.
 */
#ifndef SWORN_REPLAY_REPLAYER_H
#define SWORN_REPLAY_REPLAYER_H

#include "../sandbox/arena.h"
#include "../sandbox/domain.h"
#include "../sandbox/guest.h"
#include "../sandbox/sink.h"
#include "../sandbox/stop.h"
#include "../traces/describe.h"
#include "../traces/reader.h"

#define DIVERGENCE_TEXT 512
#define PREVIOUS_EVENTS 5
#define IMAGE_BYTES_MAX (64ULL << 20) /* pages of one image that came in PART events */

struct crew;

/* The first check that failed. */
struct divergence {
	bool found;
	uint64_t event;
	uint32_t thread, unit;
	char call[64];
	char where[64]; /* which check: "call number", "argument 2", ... */
	char expected[DIVERGENCE_TEXT], actual[DIVERGENCE_TEXT];
	char previous[PREVIOUS_EVENTS][DESCRIPTION_BYTES];
	size_t previous_count;
	char *backtrace; /* owned; lines, or NULL */
};

struct replayer {
	struct guests guests;
	struct reader *reader;
	struct crew *crew; /* borrowed; NULL when one process plays everything, in order */
	struct object_arena *objects;
	struct sinks *sinks;
	struct divergence divergence;
	const struct event *event; /* being played */
	uint32_t running;	   /* the thread whose turn it is, 0 before the first event */
	uint64_t played, checkpoints, left; /* left: images that were checked before an exec ended them */
	bool ended, state_matches;
	uint32_t status;	 /* of the command, once it ended */
	struct process *command; /* borrowed, NULL once it ended */
	uint8_t state[DIGEST_BYTES];
	const char *seed;
	const char *const *argv;
	struct range_list out; /* scratch */
	struct event image;    /* payloads of PART events kept for an EXEC */
	struct payload *image_payloads;
	size_t image_count, image_capacity;
	uint64_t image_bytes;
	bool show_output;
	struct past_event history[PREVIOUS_EVENTS];
	uint64_t history_next;
};

/* Plays one event. 0; SWORN_EDIVERGED with rep->divergence filled; other negative values mean that it could
 * not be told. */
int replayer_play(struct replayer *rep, const struct event *event);
/* After the last event: everything consumed, the end state reached. 0 or SWORN_EDIVERGED. */
int replayer_finish(struct replayer *rep);
void replayer_release(struct replayer *rep);

/* Notes a divergence at the current event; the first one stays. Always returns SWORN_EDIVERGED. */
int diverge(struct replayer *rep, const char *where, const char *expected, const char *actual);
int diverge_number(struct replayer *rep, const char *where, uint64_t expected, uint64_t actual);

/* Runs the thread, unless it stands at one already, to its next stop: a call or a fault. */
int replay_to_stop(struct replayer *rep, struct thread *thread);
/* The same; diverges unless the stop is the entry of the event's call, with the same registers. */
int replay_to_call(struct replayer *rep, struct thread *thread);
/* Checks the event's IN payloads against the guest's memory, going on where the last PART ended. `complete`: none may be
 * missing. */
int replay_check_inputs(struct replayer *rep, struct thread *thread, bool complete);
/* Writes the event's OUT payloads of arguments 0..5 after checking them against the call's ranges. */
int replay_write_outputs(struct replayer *rep, struct thread *thread);
/* Writes a payload without a row (frames, tid words) after checking that it lies in the guest's mappings. */
int replay_write(struct replayer *rep, struct thread *thread, const struct payload *payload);
/* Sets the result as the kernel would and leaves the thread at its boundary. */
int replay_answer(struct thread *thread, int64_t result);
/* Registers and vector state as the event has them; the thread stands at a boundary. */
int replay_set_state(struct thread *thread, const struct event *event);

int replay_call(struct replayer *rep, struct thread *thread);
int replay_part(struct replayer *rep, struct thread *thread);
int replay_map(struct replayer *rep, struct thread *thread);
/* A byte of program text that the recorder replaced in the mapping that this event made (sandbox/entropy.h). */
/* TRAP_CODE: memory that runs for the first time. */
int replay_code(struct thread *thread, const struct event *event);
int replay_text(struct thread *thread, const struct event *event, const struct payload *payload);
int replay_execute(struct replayer *rep, struct thread *thread);
int replay_exec(struct replayer *rep, struct thread *thread);
int replay_clone(struct replayer *rep, struct thread *thread);
int replay_exit(struct replayer *rep, struct thread *thread);
int replay_signal(struct replayer *rep, struct thread *thread);
int replay_sigreturn(struct replayer *rep, struct thread *thread);
int replay_trap(struct replayer *rep, struct thread *thread);
int replay_turn(struct replayer *rep, struct thread *thread);
int replay_checkpoint(struct replayer *rep, struct thread *thread);
int replay_memory(struct replayer *rep, struct thread *thread);
int replay_end(struct replayer *rep);

/* Makes a mapping in the guest as `mapping` says, from the arenas. */
int replay_place(struct replayer *rep, struct thread *thread, const struct mapping *mapping);
/* Content of a blob in the arena, fetched from the trace when it is not there yet. */
int replay_blob(struct replayer *rep, const struct mapping *mapping, struct arena_blob *ret);
/* The thread is gone: what the model makes of its EXIT event. */
void replay_gone(struct replayer *rep, struct thread *thread);
/* Ends the process's threads in the kernel without a word. */
void replay_kill(struct replayer *rep, struct process *process);
/* Frees the bytes kept for an EXEC. */
void replay_forget_image(struct replayer *rep);

/* --show-output: bytes of sink 1 or 2 as they are; other sinks are left out. */
void replay_show(uint32_t number, const void *bytes, size_t length);
/* A text of the call at whose entry the thread stands, for reports. */
void replay_describe(struct thread *thread, char *ret_text, size_t size);
/* Backtrace of a stopped thread, a line per frame, with symbols where its files have some; owned text,
 * printable, or NULL. The thread cannot go on afterwards: reading may have grown its stack. */
char *replay_backtrace(struct replayer *rep, struct thread *thread);

#endif
