/*
 * Where a user's data lies when nobody names a place: the XDG base directories. Used by store and keystore.
 */
#ifndef SWORN_TRACES_HOME_H
#define SWORN_TRACES_HOME_H

#include <stddef.h>

#define HOME_PATH_MAX 4096

/* $XDG_DATA_HOME/sworn/NAME, or $HOME/.local/share/sworn/NAME; "" names the directory of all. 0, -ENOENT when neither is
 * an absolute path, -ENAMETOOLONG. */
int home_path(const char *name, char *ret_path, size_t size);

/* mkdir -p with mode 0700 for what is made. 0 or -errno. */
int home_make(const char *path);

#endif
