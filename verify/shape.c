#include "shape.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "constant.h"

/* The kernel's own layouts. */
struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};
struct kernel_open_how {
	uint64_t flags, mode, resolve;
};
struct kernel_winsize {
	uint16_t row, column, x, y;
};
struct kernel_termios {
	uint32_t input, output, control, local;
	uint8_t line, characters[19];
};

static void u(struct out *out, const char *before, uint64_t value)
{
	out_text(out, before);
	out_uint(out, value);
}

static void d(struct out *out, const char *before, int64_t value)
{
	out_text(out, before);
	out_int(out, value);
}

static void x(struct out *out, const char *before, uint64_t value)
{
	out_text(out, before);
	if (value)
		out_hex(out, value);
	else
		out_char(out, '0');
}

static void pointer(struct out *out, const char *before, uint64_t value)
{
	out_text(out, before);
	if (value)
		out_hex(out, value);
	else
		out_text(out, "NULL");
}

void shape_put_mode(struct out *out, uint32_t mode)
{
	const char *type = mode & S_IFMT ? constant_name(SET_file_type, mode & S_IFMT) : NULL;
	if (type) {
		out_text(out, type);
		out_char(out, '|');
		mode &= ~(uint32_t)S_IFMT;
	}
	for (unsigned int i = 0; i < 3; i++) {
		static const char *const names[] = { "S_ISUID|", "S_ISGID|", "S_ISVTX|" };
		uint32_t bit = (uint32_t)S_ISUID >> i;
		if (mode & bit && type)
			out_text(out, names[i]);
		mode &= type ? ~bit : mode;
	}
	if (mode < 010)
		out_text(out, mode ? "0" : "00");
	out_octal(out, mode);
}

static void device(struct out *out, const char *before, uint64_t number)
{
	out_text(out, before);
	x(out, "makedev(", major(number));
	x(out, ", ", minor(number));
	out_char(out, ')');
}

static bool is_device(uint32_t mode)
{
	return (mode & S_IFMT) == S_IFCHR || (mode & S_IFMT) == S_IFBLK;
}

static void put_stat(struct out *out, const uint8_t *bytes, size_t length)
{
	struct stat s;
	(void)length;
	memcpy(&s, bytes, sizeof(s));
	device(out, "{st_dev=", s.st_dev);
	u(out, ", st_ino=", s.st_ino);
	out_text(out, ", st_mode=");
	shape_put_mode(out, s.st_mode);
	u(out, ", st_nlink=", s.st_nlink);
	u(out, ", st_uid=", s.st_uid);
	u(out, ", st_gid=", s.st_gid);
	u(out, ", st_blksize=", (uint64_t)s.st_blksize);
	u(out, ", st_blocks=", (uint64_t)s.st_blocks);
	if (is_device(s.st_mode))
		device(out, ", st_rdev=", s.st_rdev);
	else
		u(out, ", st_size=", (uint64_t)s.st_size);
	d(out, ", st_atime=", s.st_atim.tv_sec);
	u(out, ", st_atime_nsec=", (uint64_t)s.st_atim.tv_nsec);
	d(out, ", st_mtime=", s.st_mtim.tv_sec);
	u(out, ", st_mtime_nsec=", (uint64_t)s.st_mtim.tv_nsec);
	d(out, ", st_ctime=", s.st_ctim.tv_sec);
	u(out, ", st_ctime_nsec=", (uint64_t)s.st_ctim.tv_nsec);
	out_char(out, '}');
}

static void statx_time(struct out *out, const char *name, const struct statx_timestamp *time)
{
	out_text(out, name);
	d(out, "={tv_sec=", time->tv_sec);
	u(out, ", tv_nsec=", time->tv_nsec);
	out_char(out, '}');
}

static void put_statx(struct out *out, const uint8_t *bytes, size_t length)
{
	struct statx s;
	(void)length;
	memcpy(&s, bytes, sizeof(s));
	out_text(out, "{stx_mask=");
	constant_put_bits(out, SET_statx_mask, s.stx_mask);
	u(out, ", stx_blksize=", s.stx_blksize);
	x(out, ", stx_attributes=", s.stx_attributes);
	u(out, ", stx_nlink=", s.stx_nlink);
	u(out, ", stx_uid=", s.stx_uid);
	u(out, ", stx_gid=", s.stx_gid);
	out_text(out, ", stx_mode=");
	shape_put_mode(out, s.stx_mode);
	u(out, ", stx_ino=", s.stx_ino);
	u(out, ", stx_size=", s.stx_size);
	u(out, ", stx_blocks=", s.stx_blocks);
	x(out, ", stx_attributes_mask=", s.stx_attributes_mask);
	statx_time(out, ", stx_atime", &s.stx_atime);
	statx_time(out, ", stx_btime", &s.stx_btime);
	statx_time(out, ", stx_ctime", &s.stx_ctime);
	statx_time(out, ", stx_mtime", &s.stx_mtime);
	u(out, ", stx_rdev_major=", s.stx_rdev_major);
	u(out, ", stx_rdev_minor=", s.stx_rdev_minor);
	u(out, ", stx_dev_major=", s.stx_dev_major);
	u(out, ", stx_dev_minor=", s.stx_dev_minor);
	x(out, ", stx_mnt_id=", s.stx_mnt_id);
	out_char(out, '}');
}

static void put_statfs(struct out *out, const uint8_t *bytes, size_t length)
{
	struct statfs s;
	(void)length;
	memcpy(&s, bytes, sizeof(s));
	x(out, "{f_type=", (uint64_t)s.f_type);
	u(out, ", f_bsize=", (uint64_t)s.f_bsize);
	u(out, ", f_blocks=", s.f_blocks);
	u(out, ", f_bfree=", s.f_bfree);
	u(out, ", f_bavail=", s.f_bavail);
	u(out, ", f_files=", s.f_files);
	u(out, ", f_ffree=", s.f_ffree);
	x(out, ", f_fsid={val=[", (uint32_t)s.f_fsid.__val[0]);
	x(out, ", ", (uint32_t)s.f_fsid.__val[1]);
	u(out, "]}, f_namelen=", (uint64_t)s.f_namelen);
	u(out, ", f_frsize=", (uint64_t)s.f_frsize);
	x(out, ", f_flags=", (uint64_t)s.f_flags);
	out_char(out, '}');
}

static void put_timespec(struct out *out, const uint8_t *bytes, size_t length)
{
	struct timespec t;
	(void)length;
	memcpy(&t, bytes, sizeof(t));
	d(out, "{tv_sec=", t.tv_sec);
	d(out, ", tv_nsec=", t.tv_nsec);
	out_char(out, '}');
}

static void put_utime(struct out *out, const uint8_t *bytes)
{
	struct timespec t;
	memcpy(&t, bytes, sizeof(t));
	if (t.tv_nsec == UTIME_NOW || t.tv_nsec == UTIME_OMIT)
		out_text(out, t.tv_nsec == UTIME_NOW ? "UTIME_NOW" : "UTIME_OMIT");
	else
		put_timespec(out, bytes, sizeof(t));
}

static void put_times(struct out *out, const uint8_t *bytes, size_t length)
{
	(void)length;
	out_char(out, '[');
	put_utime(out, bytes);
	out_text(out, ", ");
	put_utime(out, bytes + sizeof(struct timespec));
	out_char(out, ']');
}

static void put_timeval(struct out *out, const uint8_t *bytes, size_t length)
{
	struct timeval t;
	(void)length;
	memcpy(&t, bytes, sizeof(t));
	d(out, "{tv_sec=", t.tv_sec);
	d(out, ", tv_usec=", t.tv_usec);
	out_char(out, '}');
}

static void put_utimes(struct out *out, const uint8_t *bytes, size_t length)
{
	out_char(out, '[');
	put_timeval(out, bytes, length);
	out_text(out, ", ");
	put_timeval(out, bytes + sizeof(struct timeval), length);
	out_char(out, ']');
}

static void put_old_times(struct out *out, const uint8_t *bytes, size_t length)
{
	int64_t t[2];
	(void)length;
	memcpy(t, bytes, sizeof(t));
	d(out, "{actime=", t[0]);
	d(out, ", modtime=", t[1]);
	out_char(out, '}');
}

static void put_timezone(struct out *out, const uint8_t *bytes, size_t length)
{
	struct timezone zone;
	(void)length;
	memcpy(&zone, bytes, sizeof(zone));
	d(out, "{tz_minuteswest=", zone.tz_minuteswest);
	d(out, ", tz_dsttime=", zone.tz_dsttime);
	out_char(out, '}');
}

static void put_itimerval(struct out *out, const uint8_t *bytes, size_t length)
{
	out_text(out, "{it_interval=");
	put_timeval(out, bytes, length);
	out_text(out, ", it_value=");
	put_timeval(out, bytes + sizeof(struct timeval), length);
	out_char(out, '}');
}

static void put_itimerspec(struct out *out, const uint8_t *bytes, size_t length)
{
	out_text(out, "{it_interval=");
	put_timespec(out, bytes, length);
	out_text(out, ", it_value=");
	put_timespec(out, bytes + sizeof(struct timespec), length);
	out_char(out, '}');
}

static void signal_short(struct out *out, int number)
{
	const char *name = number < 32 ? sigabbrev_np(number) : NULL;
	if (number == SIGIO)
		name = "IO";
	if (name)
		out_text(out, name);
	else if (number == 32)
		out_text(out, "RTMIN");
	else
		d(out, "RT_", number - 32);
}

void shape_put_set(struct out *out, const uint8_t *bytes, size_t length)
{
	uint64_t set = 0;
	bool more = false;
	memcpy(&set, bytes, length < sizeof(set) ? length : sizeof(set));
	/* Nearly full sets are told by what they lack. */
	bool inverted = __builtin_popcountll(set) >= 43;
	if (inverted) {
		out_char(out, '~');
		set = ~set;
	}
	out_char(out, '[');
	for (int i = 1; i <= 64; i++) {
		if (!(set & 1ULL << (i - 1)))
			continue;
		if (more)
			out_char(out, ' ');
		signal_short(out, i);
		more = true;
	}
	out_char(out, ']');
}

static void put_sigaction(struct out *out, const uint8_t *bytes, size_t length)
{
	struct kernel_sigaction action;
	(void)length;
	memcpy(&action, bytes, sizeof(action));
	out_text(out, "{sa_handler=");
	if (action.handler <= 1)
		out_text(out, action.handler ? "SIG_IGN" : "SIG_DFL");
	else
		out_hex(out, action.handler);
	out_text(out, ", sa_mask=");
	shape_put_set(out, (const uint8_t *)&action.mask, sizeof(action.mask));
	out_text(out, ", sa_flags=");
	constant_put_bits(out, SET_signal_flags, action.flags);
	if (action.flags & 0x04000000)
		pointer(out, ", sa_restorer=", action.restorer);
	out_char(out, '}');
}

static enum constant_set code_set(int number)
{
	switch (number) {
	case SIGCHLD: return SET_child_code;
	case SIGSEGV: return SET_segv_code;
	case SIGFPE: return SET_fpe_code;
	case SIGILL: return SET_ill_code;
	case SIGBUS: return SET_bus_code;
	case SIGTRAP: return SET_trap_code;
	case SIGPOLL: return SET_poll_code;
	case SIGSYS: return SET_sys_code;
	}
	return SET_none;
}

static void child_info(struct out *out, const siginfo_t *info)
{
	u(out, ", si_pid=", (uint32_t)info->si_pid);
	u(out, ", si_uid=", info->si_uid);
	out_text(out, ", si_status=");
	if (info->si_code == CLD_EXITED)
		out_int(out, info->si_status);
	else
		constant_put_signal(out, info->si_status);
	d(out, ", si_utime=", info->si_utime);
	d(out, ", si_stime=", info->si_stime);
}

static void put_siginfo(struct out *out, const uint8_t *bytes, size_t length)
{
	siginfo_t info;
	memset(&info, 0, sizeof(info));
	memcpy(&info, bytes, length < sizeof(info) ? length : sizeof(info));
	out_text(out, "{");
	if (info.si_signo == 0 && info.si_code == 0) {
		out_char(out, '}');
		return;
	}
	out_text(out, "si_signo=");
	constant_put_signal(out, info.si_signo);
	out_text(out, ", si_code=");
	const char *name = constant_name(SET_signal_code, (uint64_t)info.si_code);
	if (!name && code_set(info.si_signo) != SET_none)
		name = constant_name(code_set(info.si_signo), (uint64_t)info.si_code);
	if (name)
		out_text(out, name);
	else
		x(out, "", (uint32_t)info.si_code);
	if (info.si_errno)
		d(out, ", si_errno=", info.si_errno);
	if (info.si_signo == SIGCHLD && info.si_code > 0 && info.si_code != SI_KERNEL) {
		child_info(out, &info);
	} else if (info.si_code == SI_TIMER) {
		d(out, ", si_timerid=", info.si_timerid);
		d(out, ", si_overrun=", info.si_overrun);
	} else if (info.si_code <= 0) {
		u(out, ", si_pid=", (uint32_t)info.si_pid);
		u(out, ", si_uid=", info.si_uid);
	} else if (info.si_signo != SIGSYS && info.si_signo != SIGPOLL && info.si_code != SI_KERNEL) {
		pointer(out, ", si_addr=", (uint64_t)(uintptr_t)info.si_addr);
	}
	if (info.si_code == SI_QUEUE || info.si_code == SI_MESGQ || info.si_code == SI_TIMER) {
		d(out, ", si_int=", info.si_value.sival_int);
		pointer(out, ", si_ptr=", (uint64_t)(uintptr_t)info.si_value.sival_ptr);
	}
	out_char(out, '}');
}

static void put_stack(struct out *out, const uint8_t *bytes, size_t length)
{
	stack_t stack;
	(void)length;
	memcpy(&stack, bytes, sizeof(stack));
	pointer(out, "{ss_sp=", (uint64_t)(uintptr_t)stack.ss_sp);
	out_text(out, ", ss_flags=");
	constant_put_bits(out, SET_stack_flags, (uint32_t)stack.ss_flags);
	u(out, ", ss_size=", stack.ss_size);
	out_char(out, '}');
}

static void limit(struct out *out, const char *before, uint64_t value)
{
	out_text(out, before);
	if (value == UINT64_MAX)
		out_text(out, "RLIM64_INFINITY");
	else if (value > 1024 && value % 1024 == 0)
		out_format(out, "%llu*1024", (unsigned long long)(value / 1024));
	else
		out_uint(out, value);
}

static void put_rlimit(struct out *out, const uint8_t *bytes, size_t length)
{
	struct rlimit limits;
	(void)length;
	memcpy(&limits, bytes, sizeof(limits));
	limit(out, "{rlim_cur=", limits.rlim_cur);
	limit(out, ", rlim_max=", limits.rlim_max);
	out_char(out, '}');
}

static void put_utsname(struct out *out, const uint8_t *bytes, size_t length)
{
	static const char *const names[] = { "{sysname=",  ", nodename=", ", release=",
					     ", version=", ", machine=",  ", domainname=" };
	(void)length;
	for (size_t i = 0; i < 6; i++) {
		const char *text = (const char *)bytes + i * 65;
		out_text(out, names[i]);
		out_quoted(out, text, strnlen(text, 65));
	}
	out_char(out, '}');
}

static void put_rusage(struct out *out, const uint8_t *bytes, size_t length)
{
	static const char *const names[] = { "ru_maxrss",  "ru_ixrss",	"ru_idrss",  "ru_isrss",
					     "ru_minflt",  "ru_majflt", "ru_nswap",  "ru_inblock",
					     "ru_oublock", "ru_msgsnd", "ru_msgrcv", "ru_nsignals",
					     "ru_nvcsw",   "ru_nivcsw" };
	out_text(out, "{ru_utime=");
	put_timeval(out, bytes, length);
	out_text(out, ", ru_stime=");
	put_timeval(out, bytes + 16, length);
	for (size_t i = 0; i < 14; i++) {
		uint64_t value;
		memcpy(&value, bytes + 32 + 8 * i, sizeof(value));
		out_text(out, ", ");
		out_text(out, names[i]);
		u(out, "=", value);
	}
	out_char(out, '}');
}

static void put_sysinfo(struct out *out, const uint8_t *bytes, size_t length)
{
	struct sysinfo info;
	(void)length;
	memcpy(&info, bytes, sizeof(info));
	d(out, "{uptime=", info.uptime);
	u(out, ", loads=[", info.loads[0]);
	u(out, ", ", info.loads[1]);
	u(out, ", ", info.loads[2]);
	u(out, "], totalram=", info.totalram);
	u(out, ", freeram=", info.freeram);
	u(out, ", sharedram=", info.sharedram);
	u(out, ", bufferram=", info.bufferram);
	u(out, ", totalswap=", info.totalswap);
	u(out, ", freeswap=", info.freeswap);
	u(out, ", procs=", info.procs);
	u(out, ", totalhigh=", info.totalhigh);
	u(out, ", freehigh=", info.freehigh);
	u(out, ", mem_unit=", info.mem_unit);
	out_char(out, '}');
}

static void put_winsize(struct out *out, const uint8_t *bytes, size_t length)
{
	struct kernel_winsize size;
	(void)length;
	memcpy(&size, bytes, sizeof(size));
	u(out, "{ws_row=", size.row);
	u(out, ", ws_col=", size.column);
	u(out, ", ws_xpixel=", size.x);
	u(out, ", ws_ypixel=", size.y);
	out_char(out, '}');
}

static void put_termios(struct out *out, const uint8_t *bytes, size_t length)
{
	struct kernel_termios t;
	(void)length;
	memcpy(&t, bytes, sizeof(t));
	x(out, "{c_iflag=", t.input);
	x(out, ", c_oflag=", t.output);
	x(out, ", c_cflag=", t.control);
	x(out, ", c_lflag=", t.local);
	u(out, ", c_line=", t.line);
	out_text(out, ", c_cc=");
	out_quoted(out, t.characters, sizeof(t.characters));
	out_char(out, '}');
}

static void put_pollfd(struct out *out, const uint8_t *bytes, size_t length)
{
	struct pollfd fd;
	(void)length;
	memcpy(&fd, bytes, sizeof(fd));
	d(out, "{fd=", fd.fd);
	if (fd.fd >= 0) {
		out_text(out, ", events=");
		constant_put_bits(out, SET_poll_events, (uint16_t)fd.events);
	}
	out_char(out, '}');
}

static void put_epoll_event(struct out *out, const uint8_t *bytes, size_t length)
{
	struct epoll_event event;
	(void)length;
	memcpy(&event, bytes, sizeof(event));
	out_text(out, "{events=");
	constant_put_bits(out, SET_epoll_events, event.events);
	u(out, ", data={u32=", event.data.u32);
	u(out, ", u64=", event.data.u64);
	out_text(out, "}}");
}

static void put_inet6(struct out *out, const uint8_t *bytes)
{
	struct sockaddr_in6 in6;
	char name[INET6_ADDRSTRLEN];
	memcpy(&in6, bytes, sizeof(in6));
	u(out, "{sa_family=AF_INET6, sin6_port=htons(", ntohs(in6.sin6_port));
	u(out, "), sin6_flowinfo=htonl(", ntohl(in6.sin6_flowinfo));
	inet_ntop(AF_INET6, &in6.sin6_addr, name, sizeof(name));
	out_format(out, "), inet_pton(AF_INET6, \"%s\", &sin6_addr)", name);
	u(out, ", sin6_scope_id=", in6.sin6_scope_id);
	out_char(out, '}');
}

static void put_unix(struct out *out, const uint8_t *path, size_t length)
{
	out_text(out, "{sa_family=AF_UNIX");
	if (length > 0 && path[0] == '\0') {
		out_text(out, ", sun_path=@");
		out_quoted(out, path + 1, length - 1);
	} else if (length > 0) {
		out_text(out, ", sun_path=");
		out_quoted(out, path, strnlen((const char *)path, length));
	}
	out_char(out, '}');
}

void shape_put_address(struct out *out, const uint8_t *bytes, size_t length)
{
	struct sockaddr_nl nl;
	struct sockaddr_in in;
	char name[INET6_ADDRSTRLEN];
	sa_family_t family;
	if (length < sizeof(family)) {
		out_quoted(out, bytes, length);
		return;
	}
	memcpy(&family, bytes, sizeof(family));
	if (family == AF_UNIX) {
		put_unix(out, bytes + sizeof(family), length - sizeof(family));
	} else if (family == AF_INET && length >= sizeof(in)) {
		memcpy(&in, bytes, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, name, sizeof(name));
		u(out, "{sa_family=AF_INET, sin_port=htons(", ntohs(in.sin_port));
		out_format(out, "), sin_addr=inet_addr(\"%s\")}", name);
	} else if (family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
		put_inet6(out, bytes);
	} else if (family == AF_NETLINK && length >= sizeof(nl)) {
		memcpy(&nl, bytes, sizeof(nl));
		u(out, "{sa_family=AF_NETLINK, nl_pid=", nl.nl_pid);
		out_format(out, ", nl_groups=%08x}", nl.nl_groups);
	} else {
		out_text(out, "{sa_family=");
		constant_put(out, SET_socket_family, family);
		if (length > sizeof(family)) {
			out_text(out, ", sa_data=");
			out_quoted(out, bytes + sizeof(family), length - sizeof(family));
		}
		out_char(out, '}');
	}
}

static void put_integer(struct out *out, const uint8_t *bytes, size_t length)
{
	int32_t value;
	(void)length;
	memcpy(&value, bytes, sizeof(value));
	out_char(out, '[');
	out_int(out, value);
	out_char(out, ']');
}

static void put_user(struct out *out, const uint8_t *bytes, size_t length)
{
	put_integer(out, bytes, length);
}

static void put_word(struct out *out, const uint8_t *bytes, size_t length)
{
	uint64_t value;
	(void)length;
	memcpy(&value, bytes, sizeof(value));
	u(out, "[", value);
	out_char(out, ']');
}

void shape_put_wait_status(struct out *out, int status)
{
	if (WIFEXITED(status)) {
		out_format(out, "[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", WEXITSTATUS(status));
	} else if (WIFSIGNALED(status)) {
		out_text(out, "[{WIFSIGNALED(s) && WTERMSIG(s) == ");
		constant_put_signal(out, WTERMSIG(status));
		out_text(out, WCOREDUMP(status) ? " && WCOREDUMP(s)}]" : "}]");
	} else if (WIFSTOPPED(status)) {
		out_text(out, "[{WIFSTOPPED(s) && WSTOPSIG(s) == ");
		constant_put_signal(out, WSTOPSIG(status));
		out_text(out, "}]");
	} else if (WIFCONTINUED(status)) {
		out_text(out, "[{WIFCONTINUED(s)}]");
	} else {
		out_format(out, "[%d]", status);
	}
}

static void put_status(struct out *out, const uint8_t *bytes, size_t length)
{
	int status;
	(void)length;
	memcpy(&status, bytes, sizeof(status));
	shape_put_wait_status(out, status);
}

static void put_descriptors(struct out *out, const uint8_t *bytes, size_t length)
{
	int32_t fds[2];
	(void)length;
	memcpy(fds, bytes, sizeof(fds));
	d(out, "[", fds[0]);
	d(out, ", ", fds[1]);
	out_char(out, ']');
}

static void put_lock(struct out *out, const uint8_t *bytes, size_t length)
{
	struct flock lock;
	(void)length;
	memcpy(&lock, bytes, sizeof(lock));
	out_text(out, "{l_type=");
	constant_put(out, SET_lock_type, (uint16_t)lock.l_type);
	out_text(out, ", l_whence=");
	constant_put(out, SET_seek, (uint16_t)lock.l_whence);
	d(out, ", l_start=", lock.l_start);
	d(out, ", l_len=", lock.l_len);
}

static void put_flock(struct out *out, const uint8_t *bytes, size_t length)
{
	put_lock(out, bytes, length);
	out_char(out, '}');
}

static void put_found_lock(struct out *out, const uint8_t *bytes, size_t length)
{
	struct flock lock;
	memcpy(&lock, bytes, sizeof(lock));
	put_lock(out, bytes, length);
	d(out, ", l_pid=", lock.l_pid);
	out_char(out, '}');
}

static void put_linger(struct out *out, const uint8_t *bytes, size_t length)
{
	struct linger linger;
	(void)length;
	memcpy(&linger, bytes, sizeof(linger));
	d(out, "{onoff=", linger.l_onoff);
	d(out, ", linger=", linger.l_linger);
	out_char(out, '}');
}

static void put_credentials(struct out *out, const uint8_t *bytes, size_t length)
{
	struct ucred credentials;
	(void)length;
	memcpy(&credentials, bytes, sizeof(credentials));
	d(out, "{pid=", credentials.pid);
	u(out, ", uid=", credentials.uid);
	u(out, ", gid=", credentials.gid);
	out_char(out, '}');
}

static void put_entry(struct out *out, const uint8_t *bytes, size_t length, bool old)
{
	uint64_t inode, offset;
	uint16_t size;
	size_t head = old ? 18 : 19;
	memcpy(&inode, bytes, 8);
	memcpy(&offset, bytes + 8, 8);
	memcpy(&size, bytes + 16, 2);
	uint8_t type = old ? bytes[length - 1] : bytes[18];
	u(out, "{d_ino=", inode);
	u(out, ", d_off=", offset);
	u(out, ", d_reclen=", size);
	if (!old) {
		out_text(out, ", d_type=");
		constant_put(out, SET_dirent_type, type);
	}
	out_text(out, ", d_name=");
	out_quoted(out, bytes + head, strnlen((const char *)bytes + head, length - head));
	if (old) {
		out_text(out, ", d_type=");
		constant_put(out, SET_dirent_type, type);
	}
	out_char(out, '}');
}

static void entries(struct out *out, const uint8_t *bytes, size_t length, bool old)
{
	bool more = false;
	out_char(out, '[');
	while (length >= 20) {
		uint16_t size;
		memcpy(&size, bytes + 16, sizeof(size));
		if (size < 20 || size > length)
			break;
		if (more)
			out_text(out, ", ");
		put_entry(out, bytes, size, old);
		bytes += size;
		length -= size;
		more = true;
	}
	out_char(out, ']');
}

static void put_dirents(struct out *out, const uint8_t *bytes, size_t length)
{
	entries(out, bytes, length, false);
}

static void put_old_dirents(struct out *out, const uint8_t *bytes, size_t length)
{
	entries(out, bytes, length, true);
}

static void put_sembuf(struct out *out, const uint8_t *bytes, size_t length)
{
	struct sembuf operation;
	(void)length;
	memcpy(&operation, bytes, sizeof(operation));
	u(out, "{sem_num=", operation.sem_num);
	d(out, ", sem_op=", operation.sem_op);
	x(out, ", sem_flg=", (uint16_t)operation.sem_flg);
	out_char(out, '}');
}

static void put_open_how(struct out *out, const uint8_t *bytes, size_t length)
{
	struct kernel_open_how how;
	(void)length;
	memcpy(&how, bytes, sizeof(how));
	out_text(out, "{flags=");
	shape_put_open_flags(out, how.flags);
	if (how.mode) {
		out_text(out, ", mode=");
		shape_put_mode(out, (uint32_t)how.mode);
	}
	out_text(out, ", resolve=");
	constant_put_bits(out, SET_resolve, how.resolve);
	out_char(out, '}');
}

static void put_mq_attr(struct out *out, const uint8_t *bytes, size_t length)
{
	struct mq_attr attributes;
	(void)length;
	memcpy(&attributes, bytes, sizeof(attributes));
	x(out, "{mq_flags=", (uint64_t)attributes.mq_flags);
	d(out, ", mq_maxmsg=", attributes.mq_maxmsg);
	d(out, ", mq_msgsize=", attributes.mq_msgsize);
	d(out, ", mq_curmsgs=", attributes.mq_curmsgs);
	out_char(out, '}');
}

void shape_put_open_flags(struct out *out, uint64_t flags)
{
	constant_put(out, SET_access_way, flags & O_ACCMODE);
	if (flags & ~(uint64_t)O_ACCMODE) {
		out_char(out, '|');
		constant_put_bits(out, SET_open_flags, flags & ~(uint64_t)O_ACCMODE);
	}
}

static const struct shape_row {
	void (*put)(struct out *out, const uint8_t *bytes, size_t length);
	size_t bytes; /* 0: of any length */
} shapes[] = {
	[SHAPE_stat] = { put_stat, sizeof(struct stat) },
	[SHAPE_statx] = { put_statx, sizeof(struct statx) },
	[SHAPE_statfs] = { put_statfs, sizeof(struct statfs) },
	[SHAPE_timespec] = { put_timespec, sizeof(struct timespec) },
	[SHAPE_timeval] = { put_timeval, sizeof(struct timeval) },
	[SHAPE_timezone] = { put_timezone, sizeof(struct timezone) },
	[SHAPE_itimerval] = { put_itimerval, sizeof(struct itimerval) },
	[SHAPE_itimerspec] = { put_itimerspec, sizeof(struct itimerspec) },
	[SHAPE_signals] = { shape_put_set, 0 },
	[SHAPE_sigaction] = { put_sigaction, sizeof(struct kernel_sigaction) },
	[SHAPE_siginfo] = { put_siginfo, 0 },
	[SHAPE_stack] = { put_stack, sizeof(stack_t) },
	[SHAPE_rlimit] = { put_rlimit, sizeof(struct rlimit) },
	[SHAPE_utsname] = { put_utsname, 390 },
	[SHAPE_rusage] = { put_rusage, 144 },
	[SHAPE_sysinfo] = { put_sysinfo, sizeof(struct sysinfo) },
	[SHAPE_winsize] = { put_winsize, sizeof(struct kernel_winsize) },
	[SHAPE_termios] = { put_termios, sizeof(struct kernel_termios) },
	[SHAPE_pollfd] = { put_pollfd, sizeof(struct pollfd) },
	[SHAPE_epoll_event] = { put_epoll_event, sizeof(struct epoll_event) },
	[SHAPE_address] = { shape_put_address, 0 },
	[SHAPE_integer] = { put_integer, sizeof(int32_t) },
	[SHAPE_wait_status] = { put_status, sizeof(int) },
	[SHAPE_descriptors] = { put_descriptors, 2 * sizeof(int32_t) },
	[SHAPE_word] = { put_word, sizeof(uint64_t) },
	[SHAPE_user] = { put_user, sizeof(uint32_t) },
	[SHAPE_flock] = { put_flock, sizeof(struct flock) },
	[SHAPE_found_lock] = { put_found_lock, sizeof(struct flock) },
	[SHAPE_linger] = { put_linger, sizeof(struct linger) },
	[SHAPE_credentials] = { put_credentials, sizeof(struct ucred) },
	[SHAPE_dirents] = { put_dirents, 0 },
	[SHAPE_old_dirents] = { put_old_dirents, 0 },
	[SHAPE_sembuf] = { put_sembuf, sizeof(struct sembuf) },
	[SHAPE_scheduling] = { put_integer, sizeof(int32_t) },
	[SHAPE_open_how] = { put_open_how, sizeof(struct kernel_open_how) },
	[SHAPE_times] = { put_times, 2 * sizeof(struct timespec) },
	[SHAPE_utimes] = { put_utimes, 2 * sizeof(struct timeval) },
	[SHAPE_old_times] = { put_old_times, 2 * sizeof(int64_t) },
	[SHAPE_mq_attr] = { put_mq_attr, sizeof(struct mq_attr) },
};

size_t shape_bytes(enum shape shape)
{
	return shapes[shape].bytes;
}

void shape_put(struct out *out, enum shape shape, const uint8_t *bytes, size_t length)
{
	if (shapes[shape].put && length >= shapes[shape].bytes)
		shapes[shape].put(out, bytes, length);
	else
		out_quoted(out, bytes, length);
}

void shape_put_list(struct out *out, enum shape shape, const uint8_t *bytes, size_t length)
{
	size_t each = shapes[shape].bytes;
	out_char(out, '[');
	for (size_t at = 0; each && at + each <= length; at += each) {
		if (at > 0)
			out_text(out, ", ");
		shapes[shape].put(out, bytes + at, each);
	}
	out_char(out, ']');
}
