/* What kind of program an exec is about to run: record_entry() asks before it runs. */
#ifndef SWORN_RECORD_PROGRAM_H
#define SWORN_RECORD_PROGRAM_H

#include <stdbool.h>

struct thread;

/* Whether the exec at whose entry `thread` stands names a program of 32 bits. False as well when that cannot be told: the
 * file may not be read, or a guest may be serving it. */
bool program_is_narrow(struct thread *thread);

#endif
