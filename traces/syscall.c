#include "syscall.h"
#include "event.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <asm/prctl.h>
#include <linux/fanotify.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/if_xdp.h>
#include <linux/kd.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/prctl.h>
#include <linux/quota.h>
#include <linux/random.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <linux/termios.h>
#include <linux/vt.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/utsname.h>

/* Requests that the headers of Debian 12 (kernel 6.1) lack. */
#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#endif
/* Rows need names of their own; the level is the other half of the key. */
#define MCAST_MSFILTER_V6 MCAST_MSFILTER
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif
#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif
#ifndef FS_IOC_GETFSUUID
#define FS_IOC_GETFSUUID 0x80111500
#define FS_IOC_GETFSSYSFSPATH 0x80811501
#endif
#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS 0x40085400
#endif
#ifndef F_CREATED_QUERY
#define F_CREATED_QUERY 1028
#endif
/* Of the packet filters' tables. Their headers and the C library's do not go together. */
#define IPT_SO_SET_REPLACE 64
#define IP6T_SO_SET_REPLACE 64
#define ARPT_SO_SET_REPLACE 96
#define EBT_SO_SET_ENTRIES 128
#define EBT_SO_GET_ENTRIES 129
#define EBT_SO_GET_INIT_ENTRIES 131
/* Enumerators where the headers know them, never macros. */
#define FSCONFIG_CMD_CREATE_EXCL 8
#define LANDLOCK_RULE_NET_PORT 2

/* What the table calls by a C type is what the kernel moves. */
#define SAME_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "kernel ABI: " #type)
SAME_SIZE(struct stat, 144);
SAME_SIZE(struct statx, 256);
SAME_SIZE(struct statfs, 120);
SAME_SIZE(struct timespec, 16);
SAME_SIZE(struct timeval, 16);
SAME_SIZE(struct timezone, 8);
SAME_SIZE(struct itimerval, 32);
SAME_SIZE(struct itimerspec, 32);
SAME_SIZE(struct timex, 208);
SAME_SIZE(struct tms, 32);
SAME_SIZE(struct rusage, 144);
SAME_SIZE(struct rlimit, 16);
SAME_SIZE(struct sysinfo, 112);
SAME_SIZE(struct utsname, 390);
SAME_SIZE(struct epoll_event, 12);
SAME_SIZE(struct mq_attr, 64);
SAME_SIZE(struct sembuf, 6);
SAME_SIZE(struct iovec, 16);
SAME_SIZE(struct semid_ds, 104);
SAME_SIZE(struct shmid_ds, 112);
SAME_SIZE(struct msqid_ds, 120);
SAME_SIZE(struct seminfo, 40);
SAME_SIZE(struct shminfo, 72);
SAME_SIZE(struct shm_info, 48);
SAME_SIZE(struct msginfo, 32);
SAME_SIZE(struct flock, 32);
SAME_SIZE(struct f_owner_ex, 8);
SAME_SIZE(stack_t, 24);
SAME_SIZE(siginfo_t, SIGINFO_BYTES);
SAME_SIZE(struct sigevent, 64);
SAME_SIZE(struct termios, 36);
SAME_SIZE(struct termios2, 44);
SAME_SIZE(struct termio, 18);
SAME_SIZE(struct winsize, 8);
SAME_SIZE(struct vt_stat, 6);
SAME_SIZE(struct ifreq, 40);
SAME_SIZE(struct arpreq, 68);
SAME_SIZE(struct rtentry, 120);
SAME_SIZE(struct fsxattr, 28);
SAME_SIZE(struct file_clone_range, 32);
SAME_SIZE(struct file_dedupe_range, 24);
SAME_SIZE(struct file_dedupe_range_info, 32);
SAME_SIZE(struct fiemap, 32);
SAME_SIZE(struct fiemap_extent, 56);
SAME_SIZE(struct loop_config, 304);
SAME_SIZE(struct loop_info64, 232);
SAME_SIZE(struct if_dqblk, 72);
SAME_SIZE(struct if_nextdqblk, 72);
SAME_SIZE(struct if_dqinfo, 24);
SAME_SIZE(struct landlock_path_beneath_attr, 12);

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define TEXT2(a) #a
#define TEXT(a) TEXT2(a)

enum number {
#define SYSCALL(number, name, ...) NR_##name = (number),
#define SYSCALL_KEYED(number, name, ...) NR_##name = (number),
#define REFUSED(number, name, ...) NR_##name = (number),
#define REFUSED_QUIETLY(number, name, ...) NR_##name = (number),
#include "syscall_table.def"
#undef SYSCALL
#undef SYSCALL_KEYED
#undef REFUSED
#undef REFUSED_QUIETLY
};

/* Treatment, flags and family travel in one number: EMULATE | BLOCKS, SPECIAL(MAP). */
#define EMULATE TREAT_EMULATE
#define EXECUTE TREAT_EXECUTE
#define SPECIAL(name) (TREAT_SPECIAL | FAMILY_##name << 16)
#define BLOCKS (ROW_BLOCKS << 8)
#define OUTPUT (ROW_OUTPUT << 8)
#define CLOSES (ROW_CLOSES << 8)
#define TIMER (ROW_TIMER << 8)
#define WRITES_FILE (ROW_WRITES_FILE << 8)
#define OPENS (ROW_OPENS << 8)
#define EARLY (ROW_EARLY << 8)

/* Arguments that move no bytes. */
#define ARGUMENT(text, type)               \
	{                                  \
		.name = text, .kind = type \
	}
#define NO_ARGUMENT              \
	{                        \
		.kind = ARG_NONE \
	}
#define WORD(name) ARGUMENT(#name, ARG_WORD)
#define INT(name) ARGUMENT(#name, ARG_INT)
#define FD(name) ARGUMENT(#name, ARG_FD)
#define SIZE(name) ARGUMENT(#name, ARG_SIZE)
#define FLAGS(name) ARGUMENT(#name, ARG_FLAGS)
#define MODE(name) ARGUMENT(#name, ARG_MODE)
#define SIGNAL(name) ARGUMENT(#name, ARG_SIGNAL)
#define PID(name) ARGUMENT(#name, ARG_PID)
#define ADDR(name) ARGUMENT(#name, ARG_ADDR)

/* Arguments that do, and how many. */
#define MEMORY(text, way, ...)                                                  \
	{                                                                       \
		.name = text, .kind = ARG_MEMORY, .direction = way, __VA_ARGS__ \
	}
#define IN(name, ...) MEMORY(#name, DIRECTION_IN, __VA_ARGS__)
#define OUT(name, ...) MEMORY(#name, DIRECTION_OUT, __VA_ARGS__)
#define INOUT(name, ...) MEMORY(#name, DIRECTION_INOUT, __VA_ARGS__)
#define PATH(name) MEMORY(#name, DIRECTION_IN, STRING(PATH_BYTES_MAX))
#define XATTR(name) MEMORY(#name, DIRECTION_IN, STRING(256))

#define SCALED(kind, index, bytes, ...) .extent = kind, .arg = (index), .unit = (bytes)
#define BYTES(bytes) .extent = EXTENT_FIXED, .unit = (bytes)
#define TYPE(type) BYTES(sizeof(type))
#define COUNT(...) SCALED(EXTENT_COUNT, __VA_ARGS__, 1, 0)
#define RESULT(...) SCALED(EXTENT_RESULT, __VA_ARGS__, 1, 0)
#define DEREF(...) SCALED(EXTENT_DEREF, __VA_ARGS__, 1, 0)
#define STRING(bytes) .extent = EXTENT_STRING, .unit = (bytes)
#define STRINGS .extent = EXTENT_STRINGS
#define IOVEC(index) .extent = EXTENT_IOVEC, .arg = (index)
#define MSGHDR .extent = EXTENT_MSGHDR
#define MMSGHDR(index) .extent = EXTENT_MMSGHDR, .arg = (index)
#define FDSET(index) .extent = EXTENT_FDSET, .arg = (index)
#define PAGES(index) .extent = EXTENT_PAGES, .arg = (index)
#define MSGBUF(index) .extent = EXTENT_MSGBUF, .arg = (index)
#define SPAN .extent = EXTENT_SPAN, .unit = 8
#define SPAN32 .extent = EXTENT_SPAN, .unit = 4
#define PROGRAM .extent = EXTENT_PROGRAM
#define IFCONF .extent = EXTENT_IFCONF
#define LIST(bytes, at, each) .extent = EXTENT_LIST, .head = (bytes), .arg = (at), .unit = (each)
#define BY_FAMILY .extent = EXTENT_SPECIAL

/* The kernel's own layouts, which the C library's differ from or lack. */
#define SIGSET BYTES(8)
#define SIGACTION BYTES(32)
#define SIGINFO BYTES(SIGINFO_BYTES)
#define SIGEVENT BYTES(64)
#define SCHED_ATTR BYTES(56)
#define CAP_HEADER BYTES(8)
#define CAP_DATA BYTES(24)
#define TERMIO BYTES(18)
#define FUTEX_WAITER_BYTES 24
#define SEMAPHORE_VALUES BYTES(2 * 32000) /* as many as a set has by default at most */
#define FUTEX_COMMAND_MASK ((uint32_t)FUTEX_CMD_MASK)

#define KEY_NONE 0xff
#define HOW(how, result_is, need)                                                              \
	.treatment = (how)&0xff, .flags = ((how) >> 8) & 0xff, .family = ((how) >> 16) & 0xff, \
	.result = RESULT_##result_is, .grant = GRANT_##need
#define REFUSAL(number, why) .treatment = TREAT_REFUSE, .error = (number), .reason = (why)
#define ARGUMENTS(...) .args = { __VA_ARGS__ }
#define REQUEST_OF(text, value, mask)                                                  \
	.nr = PASTE(NR_, PARENT), .name = TEXT(PARENT) ":" text, .sub_value = (value), \
	.sub_mask = (mask), .key = KEY_NONE, .key2 = KEY_NONE

#define REQUEST_AS(text, value, mask, how, result, need, ...) \
	{ REQUEST_OF(text, value, mask), HOW(how, result, need), ARGUMENTS(__VA_ARGS__) },
#define REFUSED_AS(text, value, mask, error, reason, ...) \
	{ REQUEST_OF(text, value, mask), REFUSAL(error, reason), ARGUMENTS(__VA_ARGS__) },
#define REQUEST(value, ...) REQUEST_AS(#value, value, 0, __VA_ARGS__)
#define REFUSED_REQUEST(value, ...) REFUSED_AS(#value, value, 0, __VA_ARGS__)
#define UNLISTED(error, ...)                                                                       \
	{                                                                                          \
		REQUEST_OF("other", 0, 0), REFUSAL(error, "the table does not list this request"), \
			ARGUMENTS(__VA_ARGS__)                                                     \
	}

#define PARENT ioctl
static const struct row ioctl_rows[] = {
#include "ioctl_table.def"
};
static const struct row ioctl_unlisted = UNLISTED(ENOTTY, FD(fd), INT(request), WORD(arg));
#undef PARENT

#define PARENT fcntl
static const struct row fcntl_rows[] = {
#include "fcntl_table.def"
};
static const struct row fcntl_unlisted = UNLISTED(EINVAL, FD(fd), INT(cmd), WORD(arg));
#undef PARENT

#define PARENT prctl
static const struct row prctl_rows[] = {
#include "prctl_table.def"
};
static const struct row prctl_unlisted = UNLISTED(EINVAL, INT(option), WORD(arg2), WORD(arg3),
						  WORD(arg4), WORD(arg5));
#undef PARENT

#define PARENT arch_prctl
static const struct row arch_prctl_rows[] = {
#include "arch_prctl_table.def"
};
static const struct row arch_prctl_unlisted = UNLISTED(EINVAL, INT(option), WORD(arg));
#undef PARENT

#define PARENT futex
static const struct row futex_rows[] = {
#include "futex_table.def"
};
static const struct row futex_unlisted = UNLISTED(ENOSYS, ADDR(uaddr), INT(op), INT(val),
						  WORD(val2), ADDR(uaddr2), INT(val3));
#undef PARENT

#define PARENT madvise
static const struct row madvise_rows[] = {
#include "madvise_table.def"
};
static const struct row madvise_unlisted = UNLISTED(EINVAL, ADDR(addr), SIZE(length), INT(advice));
#undef PARENT

#define PARENT process_madvise
static const struct row process_madvise_rows[] = {
#include "process_madvise_table.def"
};
static const struct row process_madvise_unlisted = UNLISTED(EINVAL, FD(pidfd), ADDR(iov),
							    SIZE(iovcnt), INT(advice), INT(flags));
#undef PARENT

#define PARENT epoll_ctl
static const struct row epoll_ctl_rows[] = {
#include "epoll_ctl_table.def"
};
static const struct row epoll_ctl_unlisted = UNLISTED(EINVAL, FD(epfd), INT(op), FD(fd), ADDR(event));
#undef PARENT

#define PARENT landlock_add_rule
static const struct row landlock_add_rule_rows[] = {
#include "landlock_table.def"
};
static const struct row landlock_add_rule_unlisted = UNLISTED(EINVAL, FD(ruleset_fd), INT(type),
							      ADDR(attr), INT(flags));
#undef PARENT

#define PARENT keyctl
static const struct row keyctl_rows[] = {
#include "keyctl_table.def"
};
static const struct row keyctl_unlisted = UNLISTED(EOPNOTSUPP, INT(operation), WORD(arg2),
						   WORD(arg3), WORD(arg4), WORD(arg5));
#undef PARENT

enum { SYSFS_INDEX_OF = 1, SYSFS_NAME_OF = 2, SYSFS_COUNT = 3 };
#define PARENT sysfs
static const struct row sysfs_rows[] = {
#include "sysfs_table.def"
};
static const struct row sysfs_unlisted = UNLISTED(EINVAL, INT(option), WORD(arg1), WORD(arg2));
#undef PARENT

#define PARENT seccomp
static const struct row seccomp_rows[] = {
#include "seccomp_table.def"
};
static const struct row seccomp_unlisted = UNLISTED(EINVAL, INT(op), INT(flags), ADDR(args));
#undef PARENT

#define PARENT fanotify_init
static const struct row fanotify_init_rows[] = {
#include "fanotify_table.def"
};
#undef PARENT

#define PARENT fsconfig
static const struct row fsconfig_rows[] = {
#include "fsconfig_table.def"
};
static const struct row fsconfig_unlisted = UNLISTED(EOPNOTSUPP, FD(fd), INT(cmd), ADDR(key),
						     ADDR(value), INT(aux));
#undef PARENT

#define PARENT quotactl
#define QUOTA(code, ...)                                                                    \
	REQUEST_AS(#code, (uint32_t)(code) << 8, 0xffffff00, EMULATE, WORD, NONE, INT(cmd), \
		   PATH(special), INT(id), ##__VA_ARGS__)
static const struct row quotactl_rows[] = {
#include "quota_table.def"
};
static const struct row quotactl_unlisted = UNLISTED(EINVAL, INT(cmd), ADDR(special), INT(id),
						     ADDR(addr));
#undef PARENT
#undef QUOTA

#define PARENT quotactl_fd
#define QUOTA(code, ...)                                                                  \
	REQUEST_AS(#code, (uint32_t)(code) << 8, 0xffffff00, EMULATE, WORD, NONE, FD(fd), \
		   INT(cmd), INT(id), ##__VA_ARGS__)
static const struct row quotactl_fd_rows[] = {
#include "quota_table.def"
};
static const struct row quotactl_fd_unlisted = UNLISTED(EINVAL, FD(fd), INT(cmd), INT(id), ADDR(addr));
#undef PARENT
#undef QUOTA

#define PARENT shmctl
#define SHMCTL(code, ...) \
	REQUEST_AS(#code, code, 0, EMULATE, WORD, NONE, INT(shmid), INT(cmd), ##__VA_ARGS__)
#define SEMCTL(...)
#define MSGCTL(...)
static const struct row shmctl_rows[] = {
#include "ipc_table.def"
};
static const struct row shmctl_unlisted = UNLISTED(EINVAL, INT(shmid), INT(cmd), ADDR(buf));
#undef PARENT
#undef SHMCTL
#undef SEMCTL

#define PARENT semctl
#define SHMCTL(...)
#define SEMCTL(code, ...) \
	REQUEST_AS(#code, code, 0, EMULATE, WORD, NONE, INT(semid), INT(semnum), INT(cmd), ##__VA_ARGS__)
static const struct row semctl_rows[] = {
#include "ipc_table.def"
};
static const struct row semctl_unlisted = UNLISTED(EINVAL, INT(semid), INT(semnum), INT(cmd), WORD(arg));
#undef PARENT
#undef SEMCTL
#undef MSGCTL

#define PARENT msgctl
#define SEMCTL(...)
#define MSGCTL(code, ...) \
	REQUEST_AS(#code, code, 0, EMULATE, WORD, NONE, INT(msqid), INT(cmd), ##__VA_ARGS__)
static const struct row msgctl_rows[] = {
#include "ipc_table.def"
};
static const struct row msgctl_unlisted = UNLISTED(EINVAL, INT(msqid), INT(cmd), ADDR(buf));
#undef PARENT

#define PARENT setsockopt
#define SETSOCKOPT(layer, code, value)                                                    \
	REQUEST_AS(#code, code | (uint64_t)(layer) << 32, 0, EMULATE, WORD, NONE, FD(fd), \
		   INT(level), INT(optname), value, INT(optlen))
#define REFUSED_SETSOCKOPT(layer, code, error, reason)                                          \
	REFUSED_AS(#code, code | (uint64_t)(layer) << 32, 0, error, reason, FD(fd), INT(level), \
		   INT(optname), IN(optval, COUNT(4)), INT(optlen))
#define GETSOCKOPT(...)
#define REFUSED_GETSOCKOPT(...)
static const struct row setsockopt_rows[] = {
#include "sockopt_table.def"
};
#undef PARENT
#undef SETSOCKOPT
#undef REFUSED_SETSOCKOPT
#undef GETSOCKOPT
#undef REFUSED_GETSOCKOPT

#define PARENT getsockopt
#define SETSOCKOPT(...)
#define REFUSED_SETSOCKOPT(...)
#define GETSOCKOPT(layer, code, value)                                                    \
	REQUEST_AS(#code, code | (uint64_t)(layer) << 32, 0, EMULATE, WORD, NONE, FD(fd), \
		   INT(level), INT(optname), value, INOUT(optlen, TYPE(int)))
#define REFUSED_GETSOCKOPT(layer, code, error, reason)                                          \
	REFUSED_AS(#code, code | (uint64_t)(layer) << 32, 0, error, reason, FD(fd), INT(level), \
		   INT(optname), ADDR(optval), ADDR(optlen))
static const struct row getsockopt_rows[] = {
#include "sockopt_table.def"
};
#undef PARENT

#define KEY(index) .key = (index), .key2 = KEY_NONE
#define KEYS(index, index2) .key = (index), .key2 = (index2)
#define SYSCALL(number, text, how, result, need, ...) \
	[number] = { .nr = (number),                  \
		     .name = #text,                   \
		     HOW(how, result, need),          \
		     KEYS(KEY_NONE, KEY_NONE),        \
		     ARGUMENTS(__VA_ARGS__) },
#define SYSCALL_KEYED(number, text, keys, other, how, result, need, ...)        \
	[number] = { .nr = (number),                                            \
		     .name = #text,                                             \
		     HOW(how, result, need),                                    \
		     keys,                                                      \
		     .sub = text##_rows,                                        \
		     .sub_count = sizeof(text##_rows) / sizeof(text##_rows[0]), \
		     .fallback = (other),                                       \
		     ARGUMENTS(__VA_ARGS__) },
#define REFUSED(number, text, error, reason, ...) \
	[number] = { .nr = (number),              \
		     .name = #text,               \
		     REFUSAL(error, reason),      \
		     KEYS(KEY_NONE, KEY_NONE),    \
		     ARGUMENTS(__VA_ARGS__) },
#define REFUSED_QUIETLY(number, text, error, reason, ...) \
	[number] = { .nr = (number),                      \
		     .name = #text,                       \
		     REFUSAL(error, reason),              \
		     .flags = ROW_QUIET,                  \
		     KEYS(KEY_NONE, KEY_NONE),            \
		     ARGUMENTS(__VA_ARGS__) },
static const struct row rows[] = {
#include "syscall_table.def"
};
#define ROWS_END (sizeof(rows) / sizeof(rows[0]))

const struct row *syscall_row(uint32_t nr)
{
	return nr < ROWS_END && rows[nr].name ? &rows[nr] : NULL;
}

const struct row *syscall_resolve(uint32_t nr, const uint64_t args[6])
{
	const struct row *row = syscall_row(nr);
	uint64_t value;

	if (!row || !row->sub)
		return row;
	value = (uint32_t)args[row->key];
	if (row->key2 != KEY_NONE)
		value |= args[row->key2] << 32;
	for (size_t i = 0; i < row->sub_count; i++) {
		const struct row *sub = &row->sub[i];

		if ((sub->sub_mask ? value & sub->sub_mask : value) == sub->sub_value)
			return sub;
	}
	return row->fallback ? row->fallback : row;
}

const char *treatment_name(unsigned int treatment)
{
	static const char *const names[] = { "unknown", "emulate", "execute", "special", "refuse" };

	return treatment < sizeof(names) / sizeof(names[0]) ? names[treatment] : "?";
}

const char *family_name(unsigned int family)
{
	static const char *const names[] = {
		[FAMILY_NONE] = "none",
		[FAMILY_MAP] = "map",
		[FAMILY_EXEC] = "exec",
		[FAMILY_CLONE] = "clone",
		[FAMILY_EXIT] = "exit",
		[FAMILY_SIGNAL] = "signal",
		[FAMILY_SIGRETURN] = "sigreturn",
		[FAMILY_TLS] = "tls",
		[FAMILY_RANDOM] = "random",
		[FAMILY_CLOCK] = "clock",
		[FAMILY_PID] = "pid",
		[FAMILY_SCHED] = "sched",
		[FAMILY_DUMPABLE] = "dumpable",
		[FAMILY_SECCOMP] = "seccomp",
		[FAMILY_FOREIGN] = "foreign",
		[FAMILY_ADVICE] = "advice",
	};

	return family < sizeof(names) / sizeof(names[0]) ? names[family] : "?";
}

unsigned int row_args(const struct row *row)
{
	unsigned int count = 6;

	while (count > 0 && row->args[count - 1].kind == ARG_NONE)
		count--;
	return count;
}

uint64_t row_argument(const struct row *row, unsigned int i, const uint64_t args[6])
{
	switch ((enum arg_kind)row->args[i].kind) {
	case ARG_NONE: return 0;
	case ARG_INT:
	case ARG_FD:
	case ARG_MODE:
	case ARG_SIGNAL:
	case ARG_PID: return (uint32_t)args[i];
	case ARG_WORD:
	case ARG_SIZE:
	case ARG_FLAGS:
	case ARG_ADDR:
	case ARG_MEMORY: return args[i];
	}
	return args[i];
}

/* The array is indexed by number and has holes; the index of the rows does not. */
size_t syscall_rows(void)
{
	size_t count = 0;

	for (size_t nr = 0; nr < ROWS_END; nr++)
		count += rows[nr].name != NULL;
	return count;
}

const struct row *syscall_row_at(size_t index)
{
	for (size_t nr = 0; nr < ROWS_END; nr++) {
		if (rows[nr].name && index-- == 0)
			return &rows[nr];
	}
	return NULL;
}
