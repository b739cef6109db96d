/* Random bytes from every source: never twice the same, never all zero, the same in replay. */
#include "guest.h"
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/random.h>

static unsigned char drawn[64][16];
static int used;

static void keep(const void *bytes)
{
	memcpy(drawn[used], bytes, 16);
	for (int i = 0; i < used; i++)
		expect(memcmp(drawn[i], drawn[used], 16) != 0);
	used++;
}

int main(void)
{
	static unsigned char big[100000];
	unsigned long ones = 0;
	int fd, ends[2];

	keep((const void *)getauxval(AT_RANDOM));
	for (int i = 0; i < 8; i++) {
		unsigned char bytes[16];

		expect(getrandom(bytes, 16, i % 2 ? GRND_NONBLOCK : 0) == 16);
		keep(bytes);
	}
	fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 8; i++) {
		unsigned char bytes[16];

		expect(read(fd, bytes, 16) == 16);
		keep(bytes);
	}
	expect(pipe(ends) == 0);
	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			expect(getrandom(big, 16, 0) == 16 && write(ends[1], big, 16) == 16);
			_exit(0);
		}
		expect(reap(pid) == 0 && read(ends[0], big, 16) == 16);
		keep(big);
	}
	expect(getrandom(big, sizeof(big), 0) == sizeof(big));
	for (size_t i = 0; i < sizeof(big); i++)
		ones += (unsigned long)__builtin_popcount(big[i]);
	say("%d draws, all different; bits balanced: %d\n", used, ones > 395000 && ones < 405000);
	expect(getrandom(big, 16, 0x80) == -1 && errno == EINVAL);
	return 0;
}
