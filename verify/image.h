/*
 * What a program got at its start, read from the stack of its EXEC event: arguments, environment,
 * auxiliary vector. Used by origin.c. Pure.
 */
#ifndef SWORN_VERIFY_IMAGE_H
#define SWORN_VERIFY_IMAGE_H

#include "origin.h"

/*
 * The first argument, variable or auxiliary value in which two EXEC events differ: which of ORIGIN_ARGUMENTS,
 * ORIGIN_ENVIRONMENT, ORIGIN_AUXV or ORIGIN_RANDOM, ORIGIN_NONE when none does or the stacks cannot be read. Fills where
 * and values of *difference, and the subject.
 */
enum origin image_difference(const struct event *const events[2], struct difference *difference,
			     char ret_subject[ORIGIN_SUBJECT_BYTES]);

#endif
