/*
 * Writes JSON, in order, onto a stream: just what reports need. Keys are trusted, strings are not.
 * Used by report.c and by verbs with members of their own.
 */
#ifndef SWORN_TRACES_JSON_H
#define SWORN_TRACES_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out; /* borrowed */
	bool more; /* something stands before in the object or array */
};

/* In all of these a NULL key is for elements of an array and for the outermost value. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);
void json_uint(struct json *json, const char *key, uint64_t value);
void json_int(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
/* Bytes outside printable ASCII become \u00XX; NULL becomes null. */
void json_text(struct json *json, const char *key, const char *text);
/* "sha256:" and 64 hexadecimal digits; null when the digest is all zeros. */
void json_digest(struct json *json, const char *key, const uint8_t *digest);
/* An array of the texts up to NULL; a NULL list is empty. */
void json_texts(struct json *json, const char *key, const char *const *texts);

#endif
