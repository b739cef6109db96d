/* A price service on the loopback device: answers lines of one client, keeps a journal, ends with the client. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct price {
	char name[32];
	int cents;
};

static struct price prices[16];
static int prices_count;

static int load(const char *path)
{
	FILE *file = fopen(path, "r");

	if (!file)
		return -1;
	while (prices_count < 16 &&
	       fscanf(file, "%31s %d", prices[prices_count].name, &prices[prices_count].cents) == 2)
		prices_count++;
	fclose(file);
	return 0;
}

static int total(const char *name, int pieces)
{
	for (int i = 0; i < prices_count; i++)
		if (!strcmp(prices[i].name, name))
			return prices[i].cents * pieces;
	return -1;
}

static void serve(FILE *in, FILE *out, FILE *journal)
{
	char line[128], name[32];
	int pieces, cents;

	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%31s %d", name, &pieces) != 2 || (cents = total(name, pieces)) < 0) {
			fprintf(stderr, "service: no price for: %s", line);
			fprintf(out, "error\n");
		} else {
			fprintf(out, "%s %d.%02d\n", name, cents / 100, cents % 100);
			fprintf(journal, "%d %s %d\n", pieces, name, cents);
		}
		fflush(out);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int listener = socket(AF_INET, SOCK_STREAM, 0), client, on = 1;
	FILE *journal, *in, *out;

	if (argc != 3 || load(argv[2]) < 0) {
		fprintf(stderr, "service: wants PORT PRICES\n");
		return 2;
	}
	address.sin_port = htons((unsigned short)atoi(argv[1]));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1)) {
		perror("service");
		return 1;
	}
	close(1);
	client = accept(listener, NULL, NULL);
	in = fdopen(client, "r");
	out = fdopen(dup(client), "w");
	journal = fopen("journal.txt", "w");
	if (!in || !out || !journal)
		return 1;
	serve(in, out, journal);
	return fclose(journal) || fclose(out);
}
