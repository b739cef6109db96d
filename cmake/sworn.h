/*
 * libsworn: reading and checking traces from other programs. Start with reader_open() in
 * <sworn/reader.h>; <sworn/event.h> says what an event holds, <sworn/error.h> what failures mean.
 * Link with `pkg-config --libs sworn` or the CMake package `sworn` (target sworn::sworn).
 */
#ifndef SWORN_H
#define SWORN_H

#include <sworn/error.h>
#include <sworn/event.h>
#include <sworn/reader.h>
#include <sworn/store.h>
#include <sworn/syscall.h>

#endif
