/*
 * Reads a passphrase: from a file, or from the terminal without echo. Used by the keystore only.
 */
#ifndef SWORN_TRACES_PASSPHRASE_H
#define SWORN_TRACES_PASSPHRASE_H

#include <stddef.h>

#define PASSPHRASE_BYTES 1024 /* with the final NUL */

/*
 * Fills the guarded PASSPHRASE_BYTES at `ret_text`. `file`: its first line; NULL: $SWORN_PASSPHRASE_FILE likewise, else the
 * terminal is asked with `prompt`. 0; -ENOTTY when there is neither; -ENODATA for an empty one, SWORN_ELIMIT for one too long,
 * other -errno of open(2) and read(2).
 */
int passphrase_read(const char *file, const char *prompt, char *ret_text);

#endif
