/*
 * Preloaded into sworn by the fault tests: one call of a function of libc fails. FAULT=FUNCTION:NUMBER:ERROR
 * names which (`malloc:17:12` fails the 17th; an error of 0 on a write or read moves half the bytes; one of -9 kills
 * the process before the call);
 * FAULT_SLOW=MILLISECONDS: every write(2), which is how a trace is written, takes that long. FAULT_COUNT=FILE counts the calls of each there, in words of 8 bytes. Nothing of this is handed on: guests
 * run without.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Same order as names[]. */
enum point {
	MALLOC,
	MMAP,
	OPEN,
	WRITE,
	READ,
	FSYNC,
	FTRUNCATE,
	RENAME,
	MEMFD,
	FORK,
	THREAD,
	WAIT,
	GUEST_READ,
	UNLINK,
	POINTS
};
static const char *const names[POINTS] = { "malloc", "mmap",	  "open",	"write", "read",
					   "fsync",  "ftruncate", "rename",	"memfd", "fork",
					   "thread", "wait",	  "guest_read", "unlink" };

static atomic_long own_counts[POINTS];
static atomic_long *counts = own_counts; /* shared with the processes that this one forks */
static int failing = -1, failing_error;
static long failing_number;
static struct timespec slow;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

/* Whether this call is the one to fail; errno is set then. */
static bool fails(enum point point)
{
	long number = atomic_fetch_add(&counts[point], 1) + 1;

	if ((int)point != failing || number != failing_number)
		return false;
	if (failing_error == -SIGKILL)
		kill(getpid(), SIGKILL);
	errno = failing_error;
	return true;
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

#define NEXT(function)                     \
	static __typeof__(function) *real; \
	if (!real)                         \
	real = (__typeof__(function) *)next(#function)

/* Words of the file, or of nothing when there is no name; they live on in all processes of this sworn. */
static void share_counts(const char *file)
{
	int fd = file ? (int)syscall(SYS_open, file, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
	long flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
	long address;

	if (fd >= 0)
		syscall(SYS_ftruncate, fd, sizeof(own_counts));
	address = syscall(SYS_mmap, NULL, sizeof(own_counts), PROT_READ | PROT_WRITE, flags, fd, 0);
	if (fd >= 0)
		close(fd);
	if (address != -1)
		counts = (void *)address;
	memset(counts, 0, sizeof(own_counts));
}

__attribute__((constructor)) static void start(void)
{
	const char *fault = getenv("FAULT");
	char name[32];

	share_counts(getenv("FAULT_COUNT"));
	if (fault && sscanf(fault, "%31[a-z_]:%ld:%d", name, &failing_number, &failing_error) == 3) {
		for (int i = 0; i < POINTS; i++) {
			if (!strcmp(name, names[i]))
				failing = i;
		}
	}
	if (getenv("FAULT_SLOW"))
		slow.tv_nsec = atol(getenv("FAULT_SLOW")) * 1000000;
	unsetenv("LD_PRELOAD");
	unsetenv("FAULT");
	unsetenv("FAULT_SLOW");
	unsetenv("FAULT_COUNT");
}

void *malloc(size_t size)
{
	return fails(MALLOC) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails(MALLOC) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails(MALLOC) ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
	if (fails(MALLOC) || (size && count > (size_t)-1 / size))
		return NULL;
	return __libc_realloc(old, count * size);
}

void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	NEXT(mmap);
	return fails(MMAP) ? MAP_FAILED : real(address, length, prot, flags, fd, offset);
}

static mode_t mode_of(int flags, va_list list)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	NEXT(open);
	va_list list;

	va_start(list, flags);
	mode_t mode = mode_of(flags, list);
	va_end(list);
	return fails(OPEN) ? -1 : real(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
	NEXT(openat);
	va_list list;

	va_start(list, flags);
	mode_t mode = mode_of(flags, list);
	va_end(list);
	return fails(OPEN) ? -1 : real(directory, path, flags, mode);
}

static size_t moved(enum point point, size_t length, bool *ret_fails)
{
	*ret_fails = fails(point);
	if (*ret_fails && failing_error == 0) {
		*ret_fails = false;
		return (length + 1) / 2;
	}
	return length;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	NEXT(write);
	bool failed;

	length = moved(WRITE, length, &failed);
	nanosleep(&slow, NULL);
	return failed ? -1 : real(fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
	NEXT(pwrite);
	bool failed;

	length = moved(WRITE, length, &failed);
	return failed ? -1 : real(fd, bytes, length, offset);
}

ssize_t read(int fd, void *bytes, size_t length)
{
	NEXT(read);
	bool failed;

	length = moved(READ, length, &failed);
	return failed ? -1 : real(fd, bytes, length);
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset)
{
	NEXT(pread);
	bool failed;

	length = moved(READ, length, &failed);
	return failed ? -1 : real(fd, bytes, length, offset);
}

ssize_t __read_chk(int fd, void *bytes, size_t length, size_t size);
ssize_t __read_chk(int fd, void *bytes, size_t length, size_t size)
{
	return read(fd, bytes, length < size ? length : size);
}

ssize_t __pread_chk(int fd, void *bytes, size_t length, off_t offset, size_t size);
ssize_t __pread_chk(int fd, void *bytes, size_t length, off_t offset, size_t size)
{
	return pread(fd, bytes, length < size ? length : size, offset);
}

int fsync(int fd)
{
	NEXT(fsync);
	return fails(FSYNC) ? -1 : real(fd);
}

int fdatasync(int fd)
{
	NEXT(fdatasync);
	return fails(FSYNC) ? -1 : real(fd);
}

int ftruncate(int fd, off_t length)
{
	NEXT(ftruncate);
	return fails(FTRUNCATE) ? -1 : real(fd, length);
}

int rename(const char *from, const char *to)
{
	NEXT(rename);
	return fails(RENAME) ? -1 : real(from, to);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	NEXT(renameat);
	return fails(RENAME) ? -1 : real(from_directory, from, to_directory, to);
}

int memfd_create(const char *name, unsigned flags)
{
	NEXT(memfd_create);
	return fails(MEMFD) ? -1 : real(name, flags);
}

pid_t fork(void)
{
	NEXT(fork);
	return fails(FORK) ? -1 : real();
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
		   void *argument)
{
	NEXT(pthread_create);
	return fails(THREAD) ? failing_error : real(thread, attributes, function, argument);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	NEXT(waitpid);
	/* A look that does not wait is not interrupted. */
	return !(options & WNOHANG) && fails(WAIT) ? -1 : real(pid, status, options);
}

ssize_t process_vm_readv(pid_t pid, const struct iovec *local, unsigned long local_count,
			 const struct iovec *remote, unsigned long remote_count, unsigned long flags)
{
	NEXT(process_vm_readv);
	return fails(GUEST_READ) ? -1 : real(pid, local, local_count, remote, remote_count, flags);
}

int unlinkat(int directory, const char *path, int flags)
{
	NEXT(unlinkat);
	return fails(UNLINK) ? -1 : real(directory, path, flags);
}
