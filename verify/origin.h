/*
 * What kind of source a difference between two traces came from: judged from the first event that
 * differs, in which field, and what the trace says of the run before. Used by compare.c. Pure.
 */
#ifndef SWORN_VERIFY_ORIGIN_H
#define SWORN_VERIFY_ORIGIN_H

#include "field.h"
#include "track.h"

#define ORIGIN_SUBJECT_BYTES 256

enum origin {
	ORIGIN_NONE = 0,
	ORIGIN_COMMAND,	    /* the recordings are of different things: command, seed, clock ... */
	ORIGIN_ORDER,	    /* which thread ran, and how far */
	ORIGIN_CLOCK,	    /* a clock, timer or time stamp counter */
	ORIGIN_RANDOM,	    /* random bytes */
	ORIGIN_LAYOUT,	    /* addresses */
	ORIGIN_ARGUMENTS,   /* argv of a program */
	ORIGIN_ENVIRONMENT, /* environment of a program, or the working directory */
	ORIGIN_AUXV,	    /* what the kernel told a program at its start */
	ORIGIN_FILE,	    /* what a file holds, or whether it is there */
	ORIGIN_METADATA,    /* what a file's inode says: times, numbers, size */
	ORIGIN_DIRECTORY,   /* names in a directory, and their order */
	ORIGIN_PROC,	    /* /proc or /sys */
	ORIGIN_SOCKET,
	ORIGIN_PIPE,
	ORIGIN_DEVICE,	   /* a file below /dev, or a terminal */
	ORIGIN_PROCESS,	   /* process and thread numbers */
	ORIGIN_USER,	   /* ids and rights */
	ORIGIN_HOST,	   /* name, CPUs, limits, memory and space of the host */
	ORIGIN_SIGNAL,	   /* a signal from outside, or the place where it came */
	ORIGIN_CALL,	   /* another call's result */
	ORIGIN_CPU,	   /* CPUID: the recordings were made on different processors */
	ORIGIN_UNRECORDED, /* nothing that the trace holds differs before */
};

/* One lower-case word, for programs. */
const char *origin_name(enum origin origin);
/* A clause for people: what it is, and what to do about it. */
const char *origin_text(enum origin origin);

/* The two events, and what was known before them. */
struct suspects {
	const struct event *events[2]; /* as compared, or the call that they are part of */
	const struct track *track;
	bool other_cpu; /* the traces name different processors */
};

/*
 * Judges. Writes what it was about (a path, "variable HOME", "st_mtime of PATH") into *ret_subject of
 * ORIGIN_SUBJECT_BYTES, empty where there is nothing to say. May put a better place and values into
 * *difference.
 */
enum origin origin_of(const struct suspects *suspects, struct difference *difference,
		      char ret_subject[ORIGIN_SUBJECT_BYTES]);

#endif
