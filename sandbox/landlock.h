/*
 * Landlock with its newest rights, which the headers of older systems lack. Used by isolation.c.
 */
#ifndef SWORN_SANDBOX_LANDLOCK_H
#define SWORN_SANDBOX_LANDLOCK_H

/*
 * Takes every file system right, TCP and foreign abstract sockets and signals from the calling
 * thread and its children, as far as this kernel's version goes; below `root` (one directory)
 * reading and writing files stays. Needs no_new_privs. The version in force; 0 when the kernel
 * has none; or -errno.
 */
int landlock_confine(const char *root);

#endif
