/*
 * The names of numbers in calls: flags, commands, families. Used by the printer of `sworn audit events`. Pure data.
 */
#ifndef SWORN_VERIFY_CONSTANT_H
#define SWORN_VERIFY_CONSTANT_H

#include "out.h"

enum constant_set {
	SET_none = 0,
#define SET(name) SET_##name,
#define NAME(symbol)
#define NAMED(value, text)
#define END
#include "constant_table.def"
#undef SET
#undef NAME
#undef NAMED
#undef END
};

/* The name of a value, or NULL. */
const char *constant_name(enum constant_set set, uint64_t value);
/* The name, or the number in hexadecimal. */
void constant_put(struct out *out, enum constant_set set, uint64_t value);
/* Names of all bits, joined; what has none as a number; 0, or the name of 0, for no bit. */
void constant_put_bits(struct out *out, enum constant_set set, uint64_t value);

/* "SIGINT", "SIGRT_1"; a number for what is none. */
void constant_put_signal(struct out *out, int number);

#endif
