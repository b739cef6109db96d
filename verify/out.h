/*
 * Lines of text or JSON, written through one large buffer: cheap enough for every event of a trace, and the one place
 * where bytes that guests chose are made harmless. Whatever they hold, a line stays one line of printable ASCII. Used by the
 * printers of `sworn audit`.
 */
#ifndef SWORN_VERIFY_OUT_H
#define SWORN_VERIFY_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUT_KEPT_BYTES_MAX (64U << 20)
#define OUT_SCHEMA 1 /* of the JSON objects (docs/AUDIT.md) */

struct out {
	int fd;		 /* borrowed */
	int error;	 /* the first that writing met, 0 or -errno; what comes after is dropped */
	bool json;	 /* one object a line */
	bool unverified; /* every line says so */
	char *bytes;	 /* owned */
	size_t used, size;
	bool more; /* JSON: something stands before in the object or array */
	uint64_t lines;
};

/* 0 or -ENOMEM. */
int out_init(struct out *out, int fd, bool json);
/* Writes what is left and releases. 0 or the first error. */
int out_close(struct out *out);

/* Text. */
void out_char(struct out *out, char c);
void out_text(struct out *out, const char *text); /* trusted */
void out_uint(struct out *out, uint64_t value);
void out_int(struct out *out, int64_t value);
void out_hex(struct out *out, uint64_t value); /* with 0x */
void out_octal(struct out *out, uint64_t value);
__attribute__((format(printf, 2, 3))) void out_format(struct out *out, const char *format, ...);
void out_digest(struct out *out, const uint8_t *digest); /* "sha256:" and 64 digits, or "-" for zeros */
/* In quotes, with \n, \t, \r, \", \\ and \xNN. */
void out_quoted(struct out *out, const void *bytes, size_t length);
/* As it is where nothing in it could be misread (a path, a word), in quotes where something could. */
void out_name(struct out *out, const char *name);
/* Raw bytes: only for what the user asked to have raw. */
void out_raw(struct out *out, const void *bytes, size_t length);

/* A line, of either sort: out_line() begins it, out_end() ends it. `kind` is the "kind" of the JSON object. */
void out_line(struct out *out, const char *kind);
void out_end(struct out *out);

/* Members of the object; NULL keys are for arrays. */
void out_member_uint(struct out *out, const char *key, uint64_t value);
void out_member_int(struct out *out, const char *key, int64_t value);
void out_member_bool(struct out *out, const char *key, bool value);
/* Each byte outside of printable ASCII becomes \u00XX: the bytes can be had back from the text. NULL is null. */
void out_member_text(struct out *out, const char *key, const char *text);
void out_member_bytes(struct out *out, const char *key, const void *bytes, size_t length);
void out_member_digest(struct out *out, const char *key, const uint8_t *digest); /* zeros: null */
void out_member_event(struct out *out, const char *key, uint64_t event); /* HISTORY_NO_EVENT: null */
void out_open(struct out *out, const char *key, char bracket);
void out_shut(struct out *out, char bracket);

#endif
