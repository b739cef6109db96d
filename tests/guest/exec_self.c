/* One process through several images: the argument counts down, the environment changes each time. */
#include "guest.h"

extern char **environ;

int main(int argc, char **argv)
{
	int left = argc > 1 ? atoi(argv[1]) : 4;
	char number[16], variable[32], *args[] = { argv[0], number, NULL },
				       *environment[] = { variable, NULL };
	static int touched;

	expect(touched++ == 0);
	if (argc > 1) {
		expect(environ[0] && !environ[1]);
		say("image %s with %s\n", argv[1], environ[0]);
	}
	if (left == 0)
		return 0;
	snprintf(number, sizeof(number), "%d", left - 1);
	snprintf(variable, sizeof(variable), "STEP=%d", left * 11);
	execve("/proc/self/exe", args, environment);
	return 127;
}
