/*
 * The content of the INFO and SUMMARY frames: struct trace_info and struct trace_summary (writer.h) as
 * deterministic CBOR, and back. Pure.
 */
#ifndef SWORN_TRACES_INFO_H
#define SWORN_TRACES_INFO_H

#include "buffer.h"
#include "writer.h"

#define INFO_TEXT_MAX 4096     /* bytes of one text */
#define INFO_ARGV_MAX 262144   /* arguments of the recorded command */
#define SUMMARY_LIST_MAX 65536 /* entries of one list */

/* A decoded INFO; `info` points into the other two. */
struct info {
	struct trace_info info;
	char *text;	   /* owned */
	const char **argv; /* owned */
};

/* A decoded SUMMARY. capture_isolated and complete are not in the frame: the seal has them. */
struct summary {
	struct trace_summary summary;
	char *text;	    /* owned */
	const char **lists; /* owned: both lists, each NULL-terminated */
};

/* Replace the content of `buffer`. 0, SWORN_ELIMIT or -ENOMEM. Text outside printable ASCII becomes
 * '?'; NULL texts become empty. */
int info_encode(const struct trace_info *info, struct buffer *buffer);
int summary_encode(const struct trace_summary *summary, struct buffer *buffer);

/* 0, SWORN_EFORMAT, SWORN_ELIMIT, -ENOMEM; SWORN_EVERSION for a requirement this build does not know. */
int info_decode(const uint8_t *bytes, size_t length, struct info *ret_info);
int summary_decode(const uint8_t *bytes, size_t length, struct summary *ret_summary);

/* What a replay needs, as words; NULL-terminated. */
#define REQUIRES_MAX 3
void summary_requires(const struct trace_summary *summary, const char *ret[REQUIRES_MAX]);

void info_release(struct info *info);
void summary_release(struct summary *summary);

#endif
