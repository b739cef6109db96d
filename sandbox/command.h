/*
 * Finding the program that a command names, as execvp(3) does, before anything is started. Used by
 * ambient.c. Reads the file system only.
 */
#ifndef SWORN_SANDBOX_COMMAND_H
#define SWORN_SANDBOX_COMMAND_H

#include "../traces/event.h"

/*
 * `name` itself when it holds a slash, else the first executable file in the PATH of
 * `environment` (/bin:/usr/bin without one). -ENOENT when there is none or the interpreter that it
 * names is missing; -EACCES when it or its interpreter may not be executed or not be read; -ENOEXEC
 * when it starts neither as a script nor as a 64-bit program and no binfmt_misc could take it.
 */
int command_find(const char *name, char *const *environment, char ret_path[PATH_BYTES_MAX]);

#endif
