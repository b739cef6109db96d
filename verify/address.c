#include "address.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../traces/digest.h"

static void put_name(const uint8_t *bytes, size_t length, char *text)
{
	size_t used = strlen(text);
	for (size_t i = 0; i < length && used + 5 < ADDRESS_BYTES; i++) {
		if (bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '\\')
			text[used++] = (char)bytes[i];
		else
			used += (size_t)snprintf(text + used, ADDRESS_BYTES - used, "\\x%02x",
						 bytes[i]);
	}
	text[used] = '\0';
}

static void put_unix(const uint8_t *bytes, size_t length, char *text)
{
	snprintf(text, ADDRESS_BYTES, "unix:");
	if (length == 0)
		return;
	if (bytes[0] != '\0') {
		put_name(bytes, strnlen((const char *)bytes, length), text);
		return;
	}
	strcat(text, "@");
	put_name(bytes + 1, length - 1, text);
}

void address_text(const uint8_t *bytes, size_t length, char ret_text[ADDRESS_BYTES])
{
	char name[INET6_ADDRSTRLEN];
	sa_family_t family;
	ret_text[0] = '\0';
	if (length < sizeof(family))
		return;
	memcpy(&family, bytes, sizeof(family));
	if (family == AF_INET && length >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;
		memcpy(&in, bytes, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, name, sizeof(name));
		snprintf(ret_text, ADDRESS_BYTES, "%s:%u", name, ntohs(in.sin_port));
	} else if (family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;
		memcpy(&in6, bytes, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, name, sizeof(name));
		snprintf(ret_text, ADDRESS_BYTES, "[%s]:%u", name, ntohs(in6.sin6_port));
	} else if (family == AF_UNIX) {
		put_unix(bytes + sizeof(family), length - sizeof(family), ret_text);
	} else if (family == AF_NETLINK && length >= sizeof(struct sockaddr_nl)) {
		struct sockaddr_nl nl;
		memcpy(&nl, bytes, sizeof(nl));
		snprintf(ret_text, ADDRESS_BYTES, "netlink:%u", nl.nl_pid);
	} else {
		size_t shown = length - sizeof(family) < 64 ? length - sizeof(family) : 64;
		size_t used = (size_t)snprintf(ret_text, ADDRESS_BYTES, "family %u:", family);
		hex_encode(bytes + sizeof(family), shown, ret_text + used);
	}
}
