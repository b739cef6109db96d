/*
 * What a program got at its start, read from the stack of its EXEC event: arguments, environment,
 * auxiliary vector. Used by origin.c. Pure.
 */
#ifndef SWORN_VERIFY_IMAGE_H
#define SWORN_VERIFY_IMAGE_H

#include "../traces/buffer.h"
#include "origin.h"

enum image_list { IMAGE_ARGUMENTS, IMAGE_ENVIRONMENT };

/*
 * Appends the strings of one list of an EXEC event to `buffer`, each with its NUL, and counts them. 0; -ENOENT when the stack
 * cannot be read; -ENOMEM.
 */
int image_strings(const struct event *event, enum image_list list, struct buffer *buffer,
		  uint32_t *ret_count);

/*
 * The first argument, variable or auxiliary value in which two EXEC events differ: which of ORIGIN_ARGUMENTS,
 * ORIGIN_ENVIRONMENT, ORIGIN_AUXV or ORIGIN_RANDOM, ORIGIN_NONE when none does or the stacks cannot be read. Fills where
 * and values of *difference, and the subject.
 */
enum origin image_difference(const struct event *const events[2], struct difference *difference,
			     char ret_subject[ORIGIN_SUBJECT_BYTES]);

#endif
