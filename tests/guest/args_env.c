/* Arguments and environment as the program finds them, and the auxiliary vector's pointers into them. */
#include "guest.h"
#include <sys/auxv.h>

extern char **environ;

int main(int argc, char **argv)
{
	size_t bytes = 0;

	for (int i = 1; i < argc; i++)
		say("argument %d: '%s'\n", i, argv[i]);
	for (char **at = environ; *at; at++) {
		bytes += strlen(*at) + 1;
		if (strncmp(*at, "GUEST_", 6) == 0)
			say("environment: %s\n", *at);
	}
	expect(argv[argc] == NULL && bytes > 0 ? 1 : argc > 0);
	expect(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_PHDR) != 0 && getauxval(AT_ENTRY) != 0);
	expect((const char *)getauxval(AT_EXECFN) > (const char *)argv && getauxval(AT_SECURE) == 0);
	expect(getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid());
	say("%d arguments\n", argc - 1);
	return 0;
}
