/* Private and anonymous mappings: zero pages, copies over fork, file content, MAP_FIXED, huge sparse areas. */
#include "guest.h"
#include <fcntl.h>
#include <sys/mman.h>

#define PAGE 4096UL

int main(void)
{
	char path[256], *anonymous, *file, *sparse, *fixed;
	int fd, status;
	pid_t pid;

	scratch_begin(path);
	fd = open("content", O_RDWR | O_CREAT, 0600);
	for (int i = 0; i < 4; i++)
		expect(pwrite(fd, &(char){ (char)('a' + i) }, 1, i * 4096 + 7) == 1);
	anonymous = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	file = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	expect(anonymous != MAP_FAILED && file != MAP_FAILED);
	anonymous[0] = 1;
	anonymous[5 * PAGE] = 5;
	file[PAGE] = 'X'; /* the file keeps its byte */
	pid = fork();
	if (pid == 0) {
		anonymous[0] = 9;
		file[2 * PAGE] = 'Y';
		_exit(anonymous[0] * 10 + anonymous[5 * PAGE]);
	}
	status = reap(pid);
	say("child saw %d, parent %d\n", WEXITSTATUS(status), anonymous[0] * 10 + anonymous[5 * PAGE]);
	say("file pages: %c %c%c %c %c\n", file[7], file[PAGE], file[PAGE + 7], file[2 * PAGE + 7],
	    file[3 * PAGE + 7]);
	expect(file[3 * PAGE + 8] == 0 && file[2 * PAGE] == 0);
	fixed = mmap(anonymous + PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd,
		     (off_t)(2 * PAGE));
	expect(fixed == anonymous + PAGE && fixed[7] == 'c' && anonymous[5 * PAGE] == 5);
	expect(mmap(anonymous, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		    -1, 0) == MAP_FAILED);
	say("over a mapping: %s\n", errno == EEXIST ? "EEXIST" : "other");
	sparse = mmap(NULL, 1UL << 34, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	expect(sparse != MAP_FAILED);
	for (unsigned long at = 0; at < 1UL << 34; at += 1UL << 30)
		sparse[at] = (char)(at >> 30);
	say("sparse: %d %d %d\n", sparse[0], sparse[3UL << 30], sparse[(3UL << 30) + 1]);
	expect(madvise(anonymous, 8 * PAGE, MADV_DONTNEED) == 0);
	say("after DONTNEED: %d %d %c\n", anonymous[0], anonymous[5 * PAGE], fixed[7]);
	expect(munmap(sparse, 1UL << 34) == 0 && munmap(file, 4 * PAGE) == 0);
	expect(unlink("content") == 0);
	scratch_end(path);
	return 0;
}
