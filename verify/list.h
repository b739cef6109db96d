/*
 * The list form of an event: one line of text that is the same for the same event, everywhere.
 * docs/FORMAT.md specifies it. Used by `sworn verify --list`; tests/reader.py prints the same.
 */
#ifndef SWORN_VERIFY_LIST_H
#define SWORN_VERIFY_LIST_H

#include <stdio.h>

#include "../traces/event.h"

/* Prints the line. 0, or -EIO when `out` failed. */
int list_event(FILE *out, const struct event *event);

#endif
