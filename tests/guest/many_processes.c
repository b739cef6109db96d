/* Two hundred short processes, one after the other and twenty at a time. */
#include "guest.h"

int main(void)
{
	long sum = 0;
	int status;

	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		expect(pid >= 0);
		if (pid == 0)
			_exit(i % 100);
		sum += WEXITSTATUS(reap(pid));
	}
	say("one by one: %ld\n", sum);
	for (int wave = 0; wave < 5; wave++) {
		for (int i = 0; i < 20; i++) {
			pid_t pid = fork();

			expect(pid >= 0);
			if (pid == 0)
				_exit(i);
		}
		for (int i = 0; i < 20; i++) {
			expect(wait(&status) > 0);
			sum += WEXITSTATUS(status);
		}
	}
	say("in waves: %ld\n", sum);
	return 0;
}
