/* Memory of another process, read and written by calls and by its file in /proc; one's own, and read-only pages. */
#include "guest.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define LARGE 300000

static char buffer[64] = "as it was", *large, *fixed;
static volatile int seen;

/* The child shows what it holds each time it is asked. */
static pid_t start(int ask, int answer)
{
	pid_t pid = fork();
	char byte;

	if (pid != 0)
		return pid;
	while (read(ask, &byte, 1) == 1) {
		say("child: %s, large %016lx, fixed %s\n", buffer,
		    (unsigned long)fingerprint(large, LARGE), fixed);
		expect(write(answer, &byte, 1) == 1);
	}
	_exit(seen);
}

static void show(const int ends[2])
{
	char byte = 'x';

	expect(write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1);
}

static void by_call(pid_t pid)
{
	char text[64] = "", head[8] = "written ", tail[8] = "by call", *copy = malloc(LARGE);
	struct iovec mine[2] = { { head, 8 }, { tail, 8 } },
		     theirs[2] = { { buffer, 3 }, { buffer + 3, 13 } };
	struct iovec one = { text, sizeof(text) }, two = { buffer, sizeof(buffer) };
	int value = 5;
	struct iovec number = { &value, sizeof(value) },
		     place = { (void *)(uintptr_t)&seen, sizeof(seen) };

	expect(process_vm_readv(pid, &one, 1, &two, 1, 0) == 64);
	say("read: %s\n", text);
	expect(process_vm_writev(pid, mine, 2, theirs, 2, 0) == 16);
	for (int i = 0; i < LARGE; i++)
		copy[i] = (char)(i * 7);
	one = (struct iovec){ copy, LARGE };
	two = (struct iovec){ large, LARGE };
	expect(process_vm_writev(pid, &one, 1, &two, 1, 0) == LARGE);
	two = (struct iovec){ fixed, 4 };
	expect(process_vm_writev(pid, &one, 1, &two, 1, 0) == -1 && errno == EFAULT);
	expect(process_vm_writev(pid, &number, 1, &place, 1, 0) == 4);
	/* Half of it is there. */
	one = (struct iovec){ copy, 8192 };
	two = (struct iovec){ fixed, 8192 };
	expect(process_vm_readv(pid, &one, 1, &two, 1, 0) == 4096);
	two = (struct iovec){ NULL, 1 };
	expect(process_vm_readv(pid, &one, 1, &two, 1, 0) == -1 && errno == EFAULT);
	expect(process_vm_readv(pid, &one, 1, &two, 1, 9) == -1 && errno == EINVAL);
	expect(process_vm_readv(999999, &one, 1, &two, 1, 0) == -1 && errno == ESRCH);
	free(copy);
}

static void by_file(pid_t pid, const char *form)
{
	char path[64], text[16] = "";
	int fd;
	struct iovec parts[2] = { { "by ", 3 }, { "vector", 7 } };

	snprintf(path, sizeof(path), form, pid, pid);
	fd = open(path, O_RDWR);
	expect(fd >= 0 && pread(fd, text, 8, (off_t)(uintptr_t)buffer) == 8);
	expect(pwrite(fd, "through the file", 17, (off_t)(uintptr_t)buffer) == 17);
	expect(pwritev(fd, parts, 2, (off_t)(uintptr_t)large) == 10);
	expect(lseek(fd, (off_t)(uintptr_t)fixed, SEEK_SET) == (off_t)(uintptr_t)fixed);
	expect(write(fd, "forced", 6) == 6);
	close(fd);
	say("file had: %s\n", text);
}

/* Hints for another process's memory change nothing that it sees. */
static void hint(pid_t pid)
{
	struct iovec part = { large, 8192 };
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	expect(fd >= 0 && syscall(440, fd, &part, 1UL, MADV_COLD, 0) == 8192);
	expect(syscall(440, fd, &part, 1UL, 9999, 0) == -1 && errno == EINVAL);
	close(fd);
}

/* The child computes without a call: its memory changes where it stands, or not at all. */
static void computing(void)
{
	int value = 1;
	struct iovec mine = { &value, sizeof(value) },
		     place = { (void *)(uintptr_t)&seen, sizeof(seen) };
	volatile uint64_t state = 1;
	pid_t pid = fork();

	if (pid == 0) {
		while (!seen)
			state = state * 6364136223846793005 + 1;
		_exit(0);
	}
	sleep_ms(120);
	if (process_vm_writev(pid, &mine, 1, &place, 1, 0) < 0) {
		expect(errno == EPERM);
		kill(pid, SIGKILL);
	}
	reap(pid);
	say("computed\n");
}

static void own(void)
{
	struct iovec mine = { "self", 5 }, place = { buffer, 5 };
	int fd = open("/proc/self/mem", O_RDWR);

	expect(process_vm_writev(getpid(), &mine, 1, &place, 1, 0) == 5);
	say("own: %s\n", buffer);
	expect(fd >= 0 && pwrite(fd, "me", 3, (off_t)(uintptr_t)fixed) == 3);
	say("own read-only: %s\n", fixed);
	close(fd);
}

int main(void)
{
	int to[2], from[2];
	pid_t pid;

	large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fixed = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(large != MAP_FAILED && fixed != MAP_FAILED && pipe(to) == 0 && pipe(from) == 0);
	strcpy(fixed, "for reading");
	expect(munmap(fixed + 4096, 4096) == 0 && mprotect(fixed, 4096, PROT_READ) == 0);
	pid = start(to[0], from[1]);
	show((int[2]){ from[0], to[1] });
	by_call(pid);
	show((int[2]){ from[0], to[1] });
	hint(pid);
	by_file(pid, "/proc/%d/mem");
	show((int[2]){ from[0], to[1] });
	by_file(pid, "/proc/%d/task/%d/mem");
	show((int[2]){ from[0], to[1] });
	/* The child holds an end of its own pipe: nothing but a signal ends it. */
	kill(pid, SIGTERM);
	say("status %d\n", WTERMSIG(reap(pid)));
	computing();
	own();
	return 0;
}
