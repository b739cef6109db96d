/*
 * What this host offers of what Sworn uses, found out by trying, each in a process of its own; what it costs to
 * do without; and the setting that would change it. For `sworn doctor`; nothing else asks here, since
 * every mechanism finds out for itself what it can have.
 */
#ifndef SWORN_SANDBOX_PROBE_H
#define SWORN_SANDBOX_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum probe_state {
	PROBE_OK,      /* there */
	PROBE_MISSING, /* not there, or refused */
	PROBE_OFF,     /* there or not: SWORN_WITHOUT forbids it */
};

#define PROBE_TEXT 200

struct probe {
	const char *name; /* as SWORN_WITHOUT has it, where it does */
	bool needed;	  /* nothing works without it */
	enum probe_state state;
	char detail[PROBE_TEXT]; /* what was found */
	const char *cost;	 /* of doing without, static; NULL when it is there */
	char remedy[PROBE_TEXT]; /* what closes the gap; empty when it is there */
};

#define PROBES 9
struct probe_host {
	char kernel[PROBE_TEXT], cpu[PROBE_TEXT];
	unsigned cpus; /* that this process may use */
	bool root;
	uint64_t stop_ns; /* one stop of a guest there and back, measured; 0 when it could not be */
	struct probe probes[PROBES];
};

/* Tries everything; takes some milliseconds and leaves nothing behind. */
void probe_host(struct probe_host *ret);

#endif
