/* UDP over loopback: sendto and recvfrom, many messages in one call, empty datagrams, timeouts. */
#include "guest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET }, from;
	struct timeval limit = { .tv_usec = 10000 };
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), n;
	struct mmsghdr messages[4] = { 0 };
	struct iovec part[4];
	char text[4][16], one[16];
	socklen_t length = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(bind(a, (struct sockaddr *)&address, sizeof(address)) == 0);
	expect(getsockname(a, (struct sockaddr *)&address, &length) == 0);
	expect(sendto(b, "first", 5, 0, (struct sockaddr *)&address, sizeof(address)) == 5);
	length = sizeof(from);
	expect(recvfrom(a, one, sizeof(one), 0, (struct sockaddr *)&from, &length) == 5);
	say("%.5s, address bytes %u\n", one, length);
	expect(connect(b, (struct sockaddr *)&address, sizeof(address)) == 0 && send(b, "", 0, 0) == 0);
	expect(recv(a, one, sizeof(one), 0) == 0);
	for (int i = 0; i < 4; i++) {
		snprintf(text[i], sizeof(text[i]), "message %d", i);
		part[i] = (struct iovec){ text[i], strlen(text[i]) - (i == 2) };
		messages[i].msg_hdr.msg_iov = &part[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = sendmmsg(b, messages, 3, 0);
	say("sent %d: %u %u %u\n", n, messages[0].msg_len, messages[1].msg_len, messages[2].msg_len);
	memset(text, '.', sizeof(text));
	for (int i = 0; i < 4; i++)
		part[i].iov_len = 16;
	n = recvmmsg(a, messages, 4, MSG_WAITFORONE, NULL);
	say("received %d: %.10s %u %.10s %u\n", n, text[1], messages[1].msg_len, text[2],
	    messages[2].msg_len);
	expect(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	expect(recv(a, one, sizeof(one), 0) == -1);
	say("nothing more: %d\n", errno == EAGAIN);
	expect(recv(a, one, sizeof(one), MSG_DONTWAIT) == -1 && errno == EAGAIN);
	return 0;
}
