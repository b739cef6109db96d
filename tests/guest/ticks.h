/*
 * Where a guest counts its rounds: next to each conditional branch of a loop that waits. A recorder that watches this word has
 * a counter of branches that is slow, but exact, where the processor has none (tests/counted).
 */
#ifndef SWORN_TESTS_TICKS_H
#define SWORN_TESTS_TICKS_H

#include <stdint.h>

#define TICKS_ADDRESS 0x10000000UL

#endif
