/* A tree of forks, three levels deep; every node hands the sum of its subtree up through a pipe. */
#include "guest.h"

static int grow(int depth, int label)
{
	int ends[2], sum = label, part;
	pid_t child[2];

	if (depth == 0)
		return sum;
	expect(pipe(ends) == 0);
	for (int i = 0; i < 2; i++) {
		child[i] = fork();
		expect(child[i] >= 0);
		if (child[i] == 0) {
			close(ends[0]);
			part = grow(depth - 1, label * 2 + i);
			expect(write(ends[1], &part, sizeof(part)) == sizeof(part));
			_exit((label * 2 + i) & 0x3f);
		}
	}
	close(ends[1]);
	while (read(ends[0], &part, sizeof(part)) == sizeof(part))
		sum += part;
	close(ends[0]);
	for (int i = 0; i < 2; i++) {
		int status = reap(child[i]);

		expect(WIFEXITED(status) && WEXITSTATUS(status) == ((label * 2 + i) & 0x3f));
	}
	return sum;
}

int main(void)
{
	say("sum of 15 labels: %d\n", grow(3, 1));
	return 0;
}
