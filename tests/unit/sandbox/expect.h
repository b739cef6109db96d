/*
 * Checks in a child process, where cmocka's would report to the wrong one: a child that comes through all
 * of them exits with DONE. Used by tests of sandbox/ only.
 */
#ifndef SWORN_TESTS_EXPECT_H
#define SWORN_TESTS_EXPECT_H

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define DONE 42
#define EXPECT(condition)                                                                    \
	do {                                                                                 \
		if (!(condition)) {                                                          \
			dprintf(2, "line %d: %s (errno %d)\n", __LINE__, #condition, errno); \
			_exit(1);                                                            \
		}                                                                            \
	} while (0)

#endif
