/*
 * The loopback interface of a new network namespace. ambient.c calls this inside; it knows nothing of guests.
 */
#ifndef SWORN_SANDBOX_LOOPBACK_H
#define SWORN_SANDBOX_LOOPBACK_H

/* Brings it up. 0, also where the kernel has no IPv4, or -errno. */
int loopback_up(void);

/*
 * Over 127.0.0.0/8, TCP acknowledges at once from here on, however much is unread (RTAX_QUICKACK, ip-route(8)): how
 * far a window opens then does not depend on when somebody would have acknowledged. 0 or -errno.
 */
int loopback_acknowledge(void);

#endif
