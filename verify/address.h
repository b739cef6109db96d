/*
 * Socket addresses as people read them. Used by the history of a trace and by printers. Pure.
 */
#ifndef SWORN_VERIFY_ADDRESS_H
#define SWORN_VERIFY_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#define ADDRESS_BYTES 512 /* every address fits, escaped and with its NUL */

/*
 * "192.0.2.1:80", "[2001:db8::1]:80", "unix:/run/x", "unix:@name" for an abstract one, "unix:" for one without a name,
 * "netlink:pid", else "family N:" and hexadecimal digits; empty for no bytes. Bytes of names that are no printable
 * ASCII, and backslashes, are \xNN.
 */
void address_text(const uint8_t *bytes, size_t length, char ret_text[ADDRESS_BYTES]);

#endif
