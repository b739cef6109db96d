/* Asks the service for each "NAME PIECES" argument and prints what it says; 1 when there was an error. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0), failed = 0;
	char line[128];
	FILE *in, *out;

	if (argc < 3)
		return 2;
	address.sin_port = htons((unsigned short)atoi(argv[1]));
	for (int i = 0; connect(fd, (struct sockaddr *)&address, sizeof(address)); i++) {
		if (i == 100)
			return 3;
		usleep(10000);
	}
	in = fdopen(fd, "r");
	out = fdopen(dup(fd), "w");
	for (int i = 2; in && out && i < argc; i++) {
		fprintf(out, "%s\n", argv[i]);
		fflush(out);
		if (!fgets(line, sizeof(line), in))
			return 3;
		printf("%s", line);
		failed |= !strcmp(line, "error\n");
	}
	return failed;
}
