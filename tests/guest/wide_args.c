/* An argument vector of 256 KiB handed through exec, with one long string and many short ones. */
#include "guest.h"

#define SHORT 1500

static char long_one[100001], names[SHORT][101];

static uint64_t digest(int argc, char **argv)
{
	uint64_t sum = 0;

	for (int i = 1; i < argc; i++)
		sum = sum * 31 + fingerprint(argv[i], strlen(argv[i]));
	return sum;
}

int main(int argc, char **argv)
{
	static char *args[SHORT + 3];

	if (argc > 2) {
		say("%d arguments, digest %016lx\n", argc - 1, (unsigned long)digest(argc, argv));
		return 0;
	}
	args[0] = argv[0];
	memset(long_one, 'L', sizeof(long_one) - 1);
	args[1] = long_one;
	for (int i = 0; i < SHORT; i++) {
		memset(names[i], 'a' + i % 26, 100);
		args[2 + i] = names[i];
	}
	say("handing over %016lx\n", (unsigned long)digest(SHORT + 2, args));
	execv("/proc/self/exe", args);
	return 127;
}
