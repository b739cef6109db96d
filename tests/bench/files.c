/* A loop of eight calls on files with names of their own, for tests/bench/audit.py: files CALLS. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) / 8 : 0;

	for (long i = 0; i < rounds; i++) {
		char name[32], other[32], bytes[8];
		struct stat status;
		int fd;

		snprintf(name, sizeof(name), "f%ld", i);
		snprintf(other, sizeof(other), "g%ld", i);
		fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
		if (fd < 0 || write(fd, name, sizeof(bytes)) < 0 ||
		    pread(fd, bytes, sizeof(bytes), 0) < 0 || close(fd) < 0 || rename(name, other) < 0 ||
		    stat(other, &status) < 0 || unlink(other) < 0 || getppid() < 0)
			return 1;
	}
	return 0;
}
