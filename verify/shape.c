#include "shape_inside.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <time.h>

#include "constant.h"

/* The kernel's own layouts. */
struct kernel_winsize {
	uint16_t row, column, x, y;
};
struct kernel_termios {
	uint32_t input, output, control, local;
	uint8_t line, characters[19];
};

void shape_uint(struct out *out, const char *before, uint64_t value)
{
	out_text(out, before);
	out_uint(out, value);
}

void shape_int(struct out *out, const char *before, int64_t value)
{
	out_text(out, before);
	out_int(out, value);
}

void shape_hex(struct out *out, const char *before, uint64_t value)
{
	out_text(out, before);
	if (value)
		out_hex(out, value);
	else
		out_char(out, '0');
}

void shape_pointer(struct out *out, const char *before, uint64_t value)
{
	out_text(out, before);
	if (value)
		out_hex(out, value);
	else
		out_text(out, "NULL");
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
	shape_put_timeval(out, bytes, length);
	out_text(out, ", ru_stime=");
	shape_put_timeval(out, bytes + 16, length);
	for (size_t i = 0; i < 14; i++) {
		uint64_t value;
		memcpy(&value, bytes + 32 + 8 * i, sizeof(value));
		out_text(out, ", ");
		out_text(out, names[i]);
		shape_uint(out, "=", value);
	}
	out_char(out, '}');
}

static void put_sysinfo(struct out *out, const uint8_t *bytes, size_t length)
{
	struct sysinfo info;
	(void)length;
	memcpy(&info, bytes, sizeof(info));
	shape_int(out, "{uptime=", info.uptime);
	shape_uint(out, ", loads=[", info.loads[0]);
	shape_uint(out, ", ", info.loads[1]);
	shape_uint(out, ", ", info.loads[2]);
	shape_uint(out, "], totalram=", info.totalram);
	shape_uint(out, ", freeram=", info.freeram);
	shape_uint(out, ", sharedram=", info.sharedram);
	shape_uint(out, ", bufferram=", info.bufferram);
	shape_uint(out, ", totalswap=", info.totalswap);
	shape_uint(out, ", freeswap=", info.freeswap);
	shape_uint(out, ", procs=", info.procs);
	shape_uint(out, ", totalhigh=", info.totalhigh);
	shape_uint(out, ", freehigh=", info.freehigh);
	shape_uint(out, ", mem_unit=", info.mem_unit);
	out_char(out, '}');
}

static void put_winsize(struct out *out, const uint8_t *bytes, size_t length)
{
	struct kernel_winsize size;
	(void)length;
	memcpy(&size, bytes, sizeof(size));
	shape_uint(out, "{ws_row=", size.row);
	shape_uint(out, ", ws_col=", size.column);
	shape_uint(out, ", ws_xpixel=", size.x);
	shape_uint(out, ", ws_ypixel=", size.y);
	out_char(out, '}');
}

static void put_termios(struct out *out, const uint8_t *bytes, size_t length)
{
	struct kernel_termios t;
	(void)length;
	memcpy(&t, bytes, sizeof(t));
	shape_hex(out, "{c_iflag=", t.input);
	shape_hex(out, ", c_oflag=", t.output);
	shape_hex(out, ", c_cflag=", t.control);
	shape_hex(out, ", c_lflag=", t.local);
	shape_uint(out, ", c_line=", t.line);
	out_text(out, ", c_cc=");
	out_quoted(out, t.characters, sizeof(t.characters));
	out_char(out, '}');
}

static void put_pollfd(struct out *out, const uint8_t *bytes, size_t length)
{
	struct pollfd fd;
	(void)length;
	memcpy(&fd, bytes, sizeof(fd));
	shape_int(out, "{fd=", fd.fd);
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
	shape_uint(out, ", data={u32=", event.data.u32);
	shape_uint(out, ", u64=", event.data.u64);
	out_text(out, "}}");
}

static void put_inet6(struct out *out, const uint8_t *bytes)
{
	struct sockaddr_in6 in6;
	char name[INET6_ADDRSTRLEN];
	memcpy(&in6, bytes, sizeof(in6));
	shape_uint(out, "{sa_family=AF_INET6, sin6_port=htons(", ntohs(in6.sin6_port));
	shape_uint(out, "), sin6_flowinfo=htonl(", ntohl(in6.sin6_flowinfo));
	inet_ntop(AF_INET6, &in6.sin6_addr, name, sizeof(name));
	out_format(out, "), inet_pton(AF_INET6, \"%s\", &sin6_addr)", name);
	shape_uint(out, ", sin6_scope_id=", in6.sin6_scope_id);
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
		shape_uint(out, "{sa_family=AF_INET, sin_port=htons(", ntohs(in.sin_port));
		out_format(out, "), sin_addr=inet_addr(\"%s\")}", name);
	} else if (family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
		put_inet6(out, bytes);
	} else if (family == AF_NETLINK && length >= sizeof(nl)) {
		memcpy(&nl, bytes, sizeof(nl));
		shape_uint(out, "{sa_family=AF_NETLINK, nl_pid=", nl.nl_pid);
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
	shape_uint(out, "[", value);
	out_char(out, ']');
}

static void put_descriptors(struct out *out, const uint8_t *bytes, size_t length)
{
	int32_t fds[2];
	(void)length;
	memcpy(fds, bytes, sizeof(fds));
	shape_int(out, "[", fds[0]);
	shape_int(out, ", ", fds[1]);
	out_char(out, ']');
}

static void put_linger(struct out *out, const uint8_t *bytes, size_t length)
{
	struct linger linger;
	(void)length;
	memcpy(&linger, bytes, sizeof(linger));
	shape_int(out, "{onoff=", linger.l_onoff);
	shape_int(out, ", linger=", linger.l_linger);
	out_char(out, '}');
}

static void put_credentials(struct out *out, const uint8_t *bytes, size_t length)
{
	struct ucred credentials;
	(void)length;
	memcpy(&credentials, bytes, sizeof(credentials));
	shape_int(out, "{pid=", credentials.pid);
	shape_uint(out, ", uid=", credentials.uid);
	shape_uint(out, ", gid=", credentials.gid);
	out_char(out, '}');
}

static void put_sembuf(struct out *out, const uint8_t *bytes, size_t length)
{
	struct sembuf operation;
	(void)length;
	memcpy(&operation, bytes, sizeof(operation));
	shape_uint(out, "{sem_num=", operation.sem_num);
	shape_int(out, ", sem_op=", operation.sem_op);
	shape_hex(out, ", sem_flg=", (uint16_t)operation.sem_flg);
	out_char(out, '}');
}

static void put_mq_attr(struct out *out, const uint8_t *bytes, size_t length)
{
	struct mq_attr attributes;
	(void)length;
	memcpy(&attributes, bytes, sizeof(attributes));
	shape_hex(out, "{mq_flags=", (uint64_t)attributes.mq_flags);
	shape_int(out, ", mq_maxmsg=", attributes.mq_maxmsg);
	shape_int(out, ", mq_msgsize=", attributes.mq_msgsize);
	shape_int(out, ", mq_curmsgs=", attributes.mq_curmsgs);
	out_char(out, '}');
}

static const struct shape_row {
	void (*put)(struct out *out, const uint8_t *bytes, size_t length);
	size_t bytes; /* 0: of any length */
} shapes[] = {
	[SHAPE_stat] = { shape_put_stat, sizeof(struct stat) },
	[SHAPE_statx] = { shape_put_statx, 256 },
	[SHAPE_statfs] = { shape_put_statfs, 120 },
	[SHAPE_timespec] = { shape_put_timespec, sizeof(struct timespec) },
	[SHAPE_timeval] = { shape_put_timeval, sizeof(struct timeval) },
	[SHAPE_timezone] = { shape_put_timezone, sizeof(struct timezone) },
	[SHAPE_itimerval] = { shape_put_itimerval, sizeof(struct itimerval) },
	[SHAPE_itimerspec] = { shape_put_itimerspec, sizeof(struct itimerspec) },
	[SHAPE_signals] = { shape_put_set, 0 },
	[SHAPE_sigaction] = { shape_put_sigaction, 32 },
	[SHAPE_siginfo] = { shape_put_siginfo, 0 },
	[SHAPE_stack] = { shape_put_stack, 24 },
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
	[SHAPE_wait_status] = { shape_put_status, sizeof(int) },
	[SHAPE_descriptors] = { put_descriptors, 2 * sizeof(int32_t) },
	[SHAPE_word] = { put_word, sizeof(uint64_t) },
	[SHAPE_user] = { put_user, sizeof(uint32_t) },
	[SHAPE_flock] = { shape_put_flock, sizeof(struct flock) },
	[SHAPE_found_lock] = { shape_put_found_lock, sizeof(struct flock) },
	[SHAPE_linger] = { put_linger, sizeof(struct linger) },
	[SHAPE_credentials] = { put_credentials, sizeof(struct ucred) },
	[SHAPE_dirents] = { shape_put_dirents, 0 },
	[SHAPE_old_dirents] = { shape_put_old_dirents, 0 },
	[SHAPE_sembuf] = { put_sembuf, sizeof(struct sembuf) },
	[SHAPE_scheduling] = { put_integer, sizeof(int32_t) },
	[SHAPE_open_how] = { shape_put_open_how, 24 },
	[SHAPE_times] = { shape_put_times, 2 * sizeof(struct timespec) },
	[SHAPE_utimes] = { shape_put_utimes, 2 * sizeof(struct timeval) },
	[SHAPE_old_times] = { shape_put_old_times, 2 * sizeof(int64_t) },
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
