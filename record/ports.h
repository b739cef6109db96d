/*
 * Numbers that the kernel gives to sockets without a name: ports, abstract names, numbers of netlink sockets. The kernel
 * draws them at random; a seeded recording gives them in order, before the kernel would.
 */
#ifndef SWORN_RECORD_PORTS_H
#define SWORN_RECORD_PORTS_H

#include "recorder.h"

/*
 * The thread stands at the entry of its call: answers a bind that leaves the number open, and names the socket of a call
 * that would have the kernel name it. Where the host lets nobody have the guest's socket, the kernel's number stays. 0 or negative.
 */
int ports_entry(struct recorder *rec, struct thread *thread, bool *ret_answered);

#endif
