/* The program break: growth, shrinking, zeroed again, refused, inherited by fork. */
#include "guest.h"

int main(void)
{
	char *start = sbrk(0), *end;

	expect(brk(start + 100) == 0 && sbrk(0) == start + 100);
	start[50] = 'a';
	expect(sbrk(40000) == start + 100);
	end = sbrk(0);
	say("grown by %ld, end %d\n", (long)(end - start), end[-1]);
	memset(start, 'x', (size_t)(end - start));
	expect(sbrk(-30000) == end);
	expect(sbrk(30000) == end - 30000);
	say("kept %c, again %d\n", start[10099], end[-4096]);
	if (fork() == 0) {
		expect(sbrk(0) == end && sbrk(8192) == end);
		end[0] = 'c';
		_exit(end[0]);
	}
	say("child %c\n", WEXITSTATUS(reap(-1)));
	expect(sbrk(0) == end);
	expect(brk(start + (1L << 46)) == -1 && errno == ENOMEM);
	expect(brk(start) == 0 && sbrk(0) == start);
	say("back at the start\n");
	return 0;
}
