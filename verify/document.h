/*
 * Reads a JSON text into a tree. `sworn gate` takes in the reports of the processes that it starts by this, and
 * writes its own report from what they said. The text may hold anything that a guest printed: depth and size are
 * limited, and nothing behind the value is accepted. Pure.
 */
#ifndef SWORN_VERIFY_DOCUMENT_H
#define SWORN_VERIFY_DOCUMENT_H

#include <stddef.h>

#include "../traces/json.h"

#define DOCUMENT_BYTES_MAX (64U << 20)
#define DOCUMENT_DEPTH_MAX 32

enum value_kind { VALUE_NULL, VALUE_BOOL, VALUE_NUMBER, VALUE_TEXT, VALUE_LIST, VALUE_OBJECT };

struct value {
	enum value_kind kind;
	bool truth;	     /* BOOL */
	int64_t number;	     /* NUMBER: integers only, as reports have no others */
	char *text;	     /* TEXT: owned; \u00XX is one byte, and anything above is '?' */
	char *key;	     /* owned: of a member of an object, else NULL */
	struct value *inner; /* owned: first member or element */
	struct value *next;  /* owned: the one behind this */
};

/* Owned tree in *ret (document_release()). 0, SWORN_EFORMAT, SWORN_ELIMIT or -ENOMEM. */
int document_parse(const char *text, size_t length, struct value **ret);
void document_release(struct value *value); /* NULL allowed */

/* The member of an object, NULL when there is none or `value` is no object (or NULL). Borrowed. */
const struct value *value_member(const struct value *value, const char *key);
/* The text, number or truth of a member; NULL, 0 and false when it is not there or of another kind. */
const char *value_text(const struct value *value, const char *key);
int64_t value_number(const struct value *value, const char *key);
bool value_truth(const struct value *value, const char *key);
/* First element of the list that a member is, or NULL; `next` leads on. */
const struct value *value_list(const struct value *value, const char *key);

/* Writes the tree as json.h does; `key` as there. */
void value_write(struct json *json, const char *key, const struct value *value);

#endif
