/*
 * Writes a trace, streaming: events are encoded into blocks; a worker thread compresses, hashes and
 * writes them, so memory does not grow with the run. Used by record/. Knows nothing of ptrace.
 */
#ifndef SWORN_TRACES_WRITER_H
#define SWORN_TRACES_WRITER_H

#include "event.h"
#include "key.h"

struct writer; /* one open trace; used from one thread */

/* What the header and INFO frame say. All pointers borrowed for the call. */
struct trace_info {
	uint32_t table_version;
	const char *seed;	 /* printable text: the number or text given, or 64 hex digits */
	const char *const *argv; /* NULL-terminated; arbitrary bytes */
	const char *directory;	 /* working directory at the start */
	bool clock_virtual, schedule_seeded;
	uint64_t epoch_ns; /* virtual clock's start, Unix time in ns; 0 with the real clock */
	const char *host, *os_release, *operator_name, *tool; /* printable text */
	uint64_t started_utc_ns;
	uint64_t xcr0;	 /* vector components of the recording CPU */
	const char *cpu; /* model name */
};

/* What the SUMMARY frame says. Borrowed; NULL lists are empty. */
struct trace_summary {
	bool requires_pmu;
	const char *requires_cpu; /* what CPUID answered: "x86-64-v2", "-v3" or "-v4"; NULL: as the recording CPU */
	const char *const *assumptions; /* NULL-terminated, printable text, as all lists here */
	const char *const *exclusions;
	const char *isolation; /* what recording reached, e.g. "ambient: user mount pid net ipc uts" */
	bool capture_isolated; /* token or policy domain (never yet) */
	bool complete;	       /* false: the recorder ended early; the seal says prefix */
};

/*
 * Creates a trace. `path` non-NULL: a self-contained file there (written under a temporary name
 * beside it and renamed at writer_close; an existing file is replaced only then). `path` NULL: a thin
 * trace in the store at `store_fd` (store.h), whose blobs go into the store.
 * The partial file of a killed recorder remains as a valid prefix (path + ".partial", or in the store's traces/).
 */
int writer_open(const char *path, int store_fd, const struct trace_info *info, struct writer **ret);

/* Who signs a trace: the recorder's key of a tenant, with its secret half. */
struct signer {
	const struct key *key; /* borrowed for the call that takes the signer */
	uint8_t tenant[16];
};
/* The same, signed; `signer` NULL as writer_open(). The trace's own key is made here and erased at the end. */
int writer_open_signed(const char *path, int store_fd, const struct trace_info *info,
		       const struct signer *signer, struct writer **ret);

/* Appends one event; encodes it before returning, keeps nothing borrowed. Event numbers are assigned
 * by the order of calls. Fails with the worker's error (-ENOSPC, ...) once one happened. */
int writer_event(struct writer *writer, const struct event *event);

/* Stores content once per digest: `digest` must be SHA-256 of the bytes. Copies (or writes) before
 * returning. Cheap when the digest is known already. The blob's frame precedes every later event. */
int writer_blob(struct writer *writer, const uint8_t digest[DIGEST_BYTES], const void *bytes,
		size_t length);
bool writer_has_blob(const struct writer *writer, const uint8_t digest[DIGEST_BYTES]);

/* Starts a new block now, so that a kill loses nothing before this point. */
int writer_flush(struct writer *writer);

/*
 * Writes SUMMARY, INDEX and SEAL (state and outputs come from the END event, which must have been the
 * last), makes the file durable and gives its final path in `ret_path` (owned by the caller, free()).
 * Releases the writer whatever happens.
 */
int writer_close(struct writer *writer, const struct trace_summary *summary, char **ret_path);

/* Gives up: leaves the prefix on disk, unless it has no event, and releases. */
void writer_abandon(struct writer *writer);

int writer_fd(const struct writer *writer);		 /* of the partial file; borrowed */
uint64_t writer_bytes(const struct writer *writer);	 /* stored so far */
uint64_t writer_events(const struct writer *writer);	 /* appended so far */
uint64_t writer_held_up_ns(const struct writer *writer); /* that callers waited for the disk so far */

#endif
