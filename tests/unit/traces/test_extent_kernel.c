/* The walk against this kernel: no call may write a byte that its row does not name. */
#include "../../../traces/extent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <cmocka.h>

static struct range_list entry, after;

static int release(void **state)
{
	(void)state;
	range_list_release(&entry);
	range_list_release(&after);
	assert_null(entry.ranges);
	return 0;
}

static size_t own_read(void *context, uint64_t address, void *buffer, size_t length)
{
	(void)context;
	memcpy(buffer, (const void *)(uintptr_t)address, length);
	return length;
}

static _Alignas(64) uint8_t arena[1 << 16], before[sizeof(arena)];

static bool covered(const uint8_t *byte)
{
	for (size_t i = 0; i < after.count; i++) {
		const struct range *range = &after.ranges[i];

		if ((uint64_t)(uintptr_t)byte - range->address < range->length)
			return true;
	}
	return false;
}

/* Runs the call and fails when the kernel wrote a byte of the arena that the walk does not name. */
static long run(uint32_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	const uint64_t args[6] = { a, b, c, d, e };
	const struct row *row = syscall_resolve(nr, args);
	long result;

	memcpy(before, arena, sizeof(arena));
	assert_int_equal(row->treatment == TREAT_REFUSE, 0);
	assert_int_equal(extent_entry(row, args, own_read, NULL, &entry), 0);
	result = syscall(nr, a, b, c, d, e);
	if (result < 0)
		result = -errno;
	assert_int_equal(extent_exit(row, args, result, &entry, own_read, NULL, &after), 0);
	for (size_t i = 0; i < sizeof(arena); i++) {
		if (arena[i] != before[i] && !covered(arena + i))
			fail_msg("%s = %ld wrote byte %zu outside its extents", row->name, result, i);
	}
	return result;
}

/* Memory that no kernel structure resembles, so that any write shows. */
static uint64_t fresh(size_t offset)
{
	if (offset == 0) {
		for (size_t i = 0; i < sizeof(arena); i++)
			arena[i] = (uint8_t)(0xa5 ^ i * 7);
	}
	return (uint64_t)(uintptr_t)(arena + offset);
}

static void simple_calls_write_inside_their_extents(void **state)
{
	static const uint32_t one[] = { SYS_uname, SYS_sysinfo, SYS_times, SYS_time, SYS_pipe };
	static const uint32_t two[] = { SYS_fstat,	   SYS_fstatfs,
					SYS_getrlimit,	   SYS_getrusage,
					SYS_getitimer,	   SYS_sched_getparam,
					SYS_rt_sigpending, SYS_clock_getres,
					SYS_clock_gettime, SYS_sched_rr_get_interval };

	(void)state;
	for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++)
		assert_true(run(one[i], fresh(0), 0, 0, 0, 0) >= 0);
	for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++) {
		if (two[i] == SYS_rt_sigpending)
			assert_int_equal(run(two[i], fresh(0), 8, 0, 0, 0), 0);
		else
			assert_int_equal(run(two[i], 0, fresh(0), 0, 0, 0), 0);
	}
	assert_int_equal(run(SYS_gettimeofday, fresh(0), fresh(512), 0, 0, 0), 0);
	assert_int_equal(run(SYS_getresuid, fresh(0), fresh(64), fresh(128), 0, 0), 0);
	assert_int_equal(run(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, fresh(0), 0), 0);
	assert_int_equal(run(SYS_rt_sigaction, SIGUSR1, 0, fresh(0), 8, 0), 0);
	assert_int_equal(run(SYS_rt_sigprocmask, 0, 0, fresh(0), 8, 0), 0);
	assert_int_equal(run(SYS_sigaltstack, 0, fresh(0), 0, 0, 0), 0);
	assert_int_equal(run(SYS_sched_getattr, 0, fresh(0), 56, 0, 0), 0);
	assert_true(run(SYS_sched_getaffinity, 0, 1024, fresh(0), 0, 0) > 0);
	assert_int_equal(run(SYS_getcpu, fresh(0), fresh(64), 0, 0, 0), 0);
	assert_int_equal(run(SYS_get_robust_list, 0, fresh(0), fresh(64), 0, 0), 0);
	assert_int_equal(run(SYS_prctl, PR_GET_NAME, fresh(0), 0, 0, 0), 0);
	assert_int_equal(run(SYS_prctl, PR_GET_PDEATHSIG, fresh(0), 0, 0, 0), 0);
	assert_int_equal(run(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, fresh(0), 0), 0);
	memset(arena, 0, sizeof(arena));
	assert_true(run(SYS_adjtimex, (uint64_t)(uintptr_t)arena, 0, 0, 0, 0) >= 0);
}

static void file_calls_write_inside_their_extents(void **state)
{
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	uint64_t root;

	(void)state;
	assert_true(dir >= 0 && file >= 0);
	fresh(0);
	memcpy(arena + 0x8000, "/", 2);
	memcpy(arena + 0x8010, "/proc/self/exe", 15);
	root = fresh(0x8000);
	assert_int_equal(run(SYS_stat, root, fresh(16), 0, 0, 0), 0);
	assert_int_equal(run(SYS_statfs, root, fresh(512), 0, 0, 0), 0);
	assert_int_equal(run(SYS_newfstatat, (uint64_t)AT_FDCWD, root, fresh(1024), 0, 0), 0);
	assert_int_equal(run(SYS_statx, (uint64_t)AT_FDCWD, root, 0, 0xfff, fresh(2048)), 0);
	assert_true(run(SYS_readlink, root + 16, fresh(3072), 100, 0, 0) > 0);
	assert_true(run(SYS_getcwd, fresh(4096), 512, 0, 0, 0) > 0);
	assert_true(run(SYS_getdents64, (uint64_t)dir, fresh(0x2000), 4096, 0, 0) > 0);
	assert_true(run(SYS_read, (uint64_t)file, fresh(0x4000), 4096, 0, 0) > 0);
	assert_true(run(SYS_pread64, (uint64_t)file, fresh(0x5000), 64, 3, 0) == 64);
	assert_true(run(SYS_listxattr, root, fresh(0x6000), 256, 0, 0) <= 256);
	assert_int_equal(run(SYS_getgroups, 0, 0, 0, 0, 0), getgroups(0, NULL));
	assert_true(run(SYS_getgroups, 64, fresh(0x7000), 0, 0, 0) >= 0);
	close(dir);
	close(file);
}

/* Calls of which the kernel may be too old say so, and then write nothing. */
static void younger_file_calls_write_inside_their_extents(void **state)
{
	const uint64_t here = (uint64_t)AT_FDCWD;
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint64_t root, *words = (uint64_t *)(void *)(arena + 0x8100);

	(void)state;
	assert_true(file >= 0);
	fresh(0);
	memcpy(arena + 0x8000, "/", 2);
	memset(arena + 0x8100, 0, 128);
	root = fresh(0x8000);
	*(uint32_t *)(void *)arena = 4;
	run(303, here, root, fresh(0x2000), fresh(0x3000), 0);
	*(uint32_t *)(void *)(arena + 0x2000) = 128;
	run(303, here, root, fresh(0x2000), fresh(0x3000), 0);
	run(451, (uint64_t)file, fresh(0x8100), fresh(0x2100), 0, 0);
	run(468, here, root, fresh(0x2200), 24, 0);
	words[0] = 24;
	words[1] = UINT64_MAX;
	words[2] = 0;
	run(458, fresh(0x8100), fresh(0x2400), 8, 0, 0);
	memset(arena + 0x8100, 0, 32);
	words[1] = UINT64_MAX;
	*(uint32_t *)(void *)(arena + 0x8118) = 3;
	run(SYS_ioctl, (uint64_t)file, 0xc020660b, fresh(0x8100), 0, 0);
	close(file);
}

static void terminal_requests_write_inside_their_extents(void **state)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	static const unsigned int requests[] = { TCGETS,     0x802c542a, TIOCGWINSZ, TIOCGPTN,
						 TIOCGPTLCK, FIONREAD,	 TIOCOUTQ,   TIOCGETD,
						 TIOCGEXCL,  TIOCGPKT };

	(void)state;
	if (master < 0)
		skip();
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		assert_int_equal(run(SYS_ioctl, (uint64_t)master, requests[i], fresh(0), 0, 0), 0);
	close(master);
}

static void socket_calls_write_inside_their_extents(void **state)
{
	uint64_t receiver, sender;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct msghdr header = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	receiver = (uint64_t)fds[0];
	sender = (uint64_t)fds[1];
	assert_int_equal(bind(fds[1], (struct sockaddr *)&name, sizeof(name.sun_family)), 0);
	fresh(0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(write((int)sender, "hello", 5), 5);
	*(uint32_t *)(void *)(arena + 256) = 128;
	assert_int_equal(run(SYS_getpeername, receiver, fresh(16), fresh(256), 0, 0), 0);
	*(uint32_t *)(void *)(arena + 256) = 4;
	assert_int_equal(run(SYS_getpeername, receiver, fresh(512), fresh(256), 0, 0), 0);
	*(uint32_t *)(void *)(arena + 256) = 128;
	assert_int_equal(
		run(SYS_getsockopt, receiver, SOL_SOCKET, SO_PEERCRED, fresh(1024), fresh(256)), 0);
	header.msg_name = arena + 2048;
	header.msg_namelen = 128;
	header.msg_iov = (struct iovec *)(void *)(arena + 4096);
	header.msg_iovlen = 2;
	header.msg_control = arena + 8192;
	header.msg_controllen = 256;
	header.msg_iov[0] = (struct iovec){ arena + 0x4000, 3 };
	header.msg_iov[1] = (struct iovec){ arena + 0x5000, 100 };
	memcpy(arena + 1536, &header, sizeof(header));
	setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int));
	assert_int_equal(run(SYS_recvmsg, receiver, fresh(1536), 0, 0, 0), 5);
	assert_true(after.count >= 4);
	assert_memory_equal(arena + 0x4000, "hel", 3);
	assert_memory_equal(arena + 0x5000, "lo", 2);
	close(fds[0]);
	close(fds[1]);
}

static void waiting_calls_write_inside_their_extents(void **state)
{
	struct pollfd *fds = (struct pollfd *)(void *)arena;
	int queue = epoll_create1(EPOLL_CLOEXEC), ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	fresh(0);
	fds[0] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = ends[1], .events = POLLOUT };
	assert_int_equal(run(SYS_poll, (uint64_t)(uintptr_t)fds, 2, 0, 0, 0), 2);
	memset(arena + 1024, 0, 1024);
	arena[1024] = 1;
	arena[2048] = 0;
	memset(arena + 4096, 0, 16);
	assert_true(run(SYS_select, 1, fresh(1024), 0, fresh(1152), fresh(4096)) >= 0);
	assert_int_equal(epoll_ctl(queue, EPOLL_CTL_ADD, ends[0],
				   &(struct epoll_event){ .events = EPOLLIN }),
			 0);
	assert_int_equal(run(SYS_epoll_wait, (uint64_t)queue, fresh(512), 8, 0, 0), 1);
	assert_int_equal(run(SYS_wait4, (uint64_t)-1, fresh(600), 1, fresh(700), 0), -ECHILD);
	close(ends[0]);
	close(ends[1]);
	close(queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simple_calls_write_inside_their_extents),
		cmocka_unit_test(file_calls_write_inside_their_extents),
		cmocka_unit_test(younger_file_calls_write_inside_their_extents),
		cmocka_unit_test(terminal_requests_write_inside_their_extents),
		cmocka_unit_test(socket_calls_write_inside_their_extents),
		cmocka_unit_test(waiting_calls_write_inside_their_extents),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
