#include "numbers.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/kcmp.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../sandbox/descriptor.h"
#include "../traces/error.h"
#include "routes.h"
#include "view.h"

#define BILLION 1000000000ULL
#define CONTROL_BYTES_MAX 4096
#define EVENTS_BYTES_MAX 65536
#define STAMPS_OF_ONE 3 /* SCM_TIMESTAMPING has three, of which those that are unset are 0 */
/* What a connection over loopback may well have, microseconds. */
#define TCP_RTO_US 201000
#define TCP_RTT_US 50
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* kcmp(2) orders by addresses of the kernel: by who was asked about here, as far as that tells them apart. */
static void order_by_names(const struct call *call, int64_t *result)
{
	bool less = call->args[0] != call->args[1] ? (int)call->args[0] < (int)call->args[1]
						   : call->args[3] < call->args[4];

	if (*result == 1 || *result == 2)
		*result = less ? 1 : 2;
}

static int put_word(struct thread *thread, uint64_t address, uint64_t word, size_t length)
{
	return guest_write(thread, address, &word, length);
}

/* What the view calls the file behind the first argument. 0 and its number, or negative. */
static int number_file(struct recorder *rec, struct thread *thread, uint64_t *ret)
{
	struct fd_info info = fd_lookup(thread->process->fds, thread->tid, (int)thread->call.args[0]);
	const struct view_file *file = view_file_find(rec, info.device, info.inode);

	*ret = file ? file->number : 0;
	return file ? 0 : SWORN_ELIMIT;
}

static uint64_t now_ns(const struct recorder *rec)
{
	return rec->epoch_ns + rec->clock_ns;
}

static int change_ioctl(struct recorder *rec, struct thread *thread)
{
	uint64_t address = thread->call.args[2], now = now_ns(rec), number;
	int64_t words[2] = { (int64_t)(now / BILLION), (int64_t)(now % BILLION) };
	int r;

	switch ((uint32_t)thread->call.args[1]) {
	case SIOCGSTAMP_OLD:
	case (uint32_t)SIOCGSTAMP_NEW: words[1] /= 1000; break;
	case SIOCGSTAMPNS_OLD:
	case (uint32_t)SIOCGSTAMPNS_NEW: break;
	case (uint32_t)FS_IOC_GETVERSION:
		r = rec->view ? number_file(rec, thread, &number) : 0;
		return r < 0 || !rec->view ? r : put_word(thread, address, number, sizeof(uint32_t));
	default: return 0;
	}
	return guest_write(thread, address, words, sizeof(words));
}

/* tcp(7): what clocks have measured. */
static void clear_times(struct tcp_info *info)
{
	info->tcpi_rto = TCP_RTO_US;
	info->tcpi_ato = info->tcpi_rcv_rtt = 0;
	info->tcpi_last_data_sent = info->tcpi_last_ack_sent = 0;
	info->tcpi_last_data_recv = info->tcpi_last_ack_recv = 0;
	info->tcpi_rtt = info->tcpi_rttvar = info->tcpi_min_rtt = TCP_RTT_US;
	info->tcpi_pacing_rate = info->tcpi_delivery_rate = 0;
	info->tcpi_busy_time = info->tcpi_rwnd_limited = info->tcpi_sndbuf_limited = 0;
}

static int change_tcp(struct thread *thread, uint64_t address, size_t length)
{
	struct tcp_info info;

	memset(&info, 0, sizeof(info));
	if (length > sizeof(info))
		length = sizeof(info);
	if (guest_read(thread, address, &info, length) != length)
		return 0;
	clear_times(&info);
	return guest_write(thread, address, &info, length);
}

static int change_option(struct recorder *rec, struct thread *thread)
{
	const uint64_t *args = thread->call.args;
	uint64_t word = 0;
	uint32_t length;
	int r = 0;

	if (guest_read(thread, args[4], &length, sizeof(length)) != sizeof(length))
		return 0;
	if ((int)args[1] == IPPROTO_TCP && (int)args[2] == TCP_INFO)
		return change_tcp(thread, args[3], length);
	if ((int)args[1] != SOL_SOCKET || length > sizeof(word))
		return 0;
	switch ((int)args[2]) {
	case SO_COOKIE: r = number_file(rec, thread, &word); break;
	case SO_NETNS_COOKIE: word = 1; break;
	case SO_INCOMING_CPU: break;
	default: return 0;
	}
	return r < 0 ? r : put_word(thread, args[3], word, length);
}

/* Times of a message's arrival: timestamping.rst of the kernel. False for other control messages. */
static bool change_stamp(const struct recorder *rec, struct cmsghdr *control)
{
	size_t count = (control->cmsg_len - CMSG_LEN(0)) / (2 * sizeof(int64_t));
	uint64_t now = now_ns(rec);
	int64_t stamp[2] = { (int64_t)(now / BILLION), (int64_t)(now % BILLION) }, old[2];

	if (control->cmsg_level != SOL_SOCKET)
		return false;
	switch (control->cmsg_type) {
	case SCM_TIMESTAMP:
	case SO_TIMESTAMP_NEW: stamp[1] /= 1000; break;
	case SCM_TIMESTAMPNS:
	case SCM_TIMESTAMPING:
	case SO_TIMESTAMPNS_NEW:
	case SO_TIMESTAMPING_NEW: break;
	default: return false;
	}
	for (size_t i = 0; i < count && i < STAMPS_OF_ONE; i++) {
		memcpy(old, CMSG_DATA(control) + i * sizeof(old), sizeof(old));
		if (old[0] || old[1])
			memcpy(CMSG_DATA(control) + i * sizeof(stamp), stamp, sizeof(stamp));
	}
	return true;
}

static int change_message(const struct recorder *rec, struct thread *thread, uint64_t address)
{
	_Alignas(struct cmsghdr) static uint8_t bytes[CONTROL_BYTES_MAX];
	struct msghdr message;
	uint64_t guest_control;
	bool changed = false;

	if (guest_read(thread, address, &message, sizeof(message)) != sizeof(message))
		return 0;
	guest_control = (uint64_t)(uintptr_t)message.msg_control;
	if (!guest_control || message.msg_controllen < CMSG_LEN(0) ||
	    message.msg_controllen > sizeof(bytes) ||
	    guest_read(thread, guest_control, bytes, message.msg_controllen) != message.msg_controllen)
		return 0;
	message.msg_control = bytes;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		/* A guest may have written here meanwhile: nothing is taken for granted. */
		if (c->cmsg_len < CMSG_LEN(0) ||
		    c->cmsg_len > message.msg_controllen - (size_t)((uint8_t *)c - bytes))
			break;
		changed |= change_stamp(rec, c);
	}
	return changed ? guest_write(thread, guest_control, bytes, message.msg_controllen) : 0;
}

/* Both halves of a move have one number, from a counter of the whole host. */
static uint32_t move_number(struct recorder *rec, uint32_t host)
{
	for (uint32_t i = 0; i < MOVES_KEPT && i < rec->moves_count; i++) {
		uint32_t number = rec->moves_count - i;

		if (rec->moves[number % MOVES_KEPT] == host)
			return number;
	}
	rec->moves_count++;
	rec->moves[rec->moves_count % MOVES_KEPT] = host;
	return rec->moves_count;
}

static int change_events(struct recorder *rec, struct thread *thread, int64_t result)
{
	static uint8_t bytes[EVENTS_BYTES_MAX];
	size_t length = (size_t)result, at = 0;
	struct inotify_event event;
	char path[64], name[32];
	bool changed = false;
	ssize_t n;

	if (length > sizeof(bytes))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", thread->tid, (int)thread->call.args[0]);
	n = readlink(path, name, sizeof(name) - 1);
	name[n > 0 ? n : 0] = '\0';
	if (strcmp(name, "anon_inode:inotify") != 0 ||
	    guest_read(thread, thread->call.args[1], bytes, length) != length)
		return 0;
	while (length - at >= sizeof(event)) {
		memcpy(&event, bytes + at, sizeof(event));
		if (event.cookie) {
			event.cookie = move_number(rec, event.cookie);
			memcpy(bytes + at, &event, sizeof(event));
			changed = true;
		}
		if (event.len > length - at - sizeof(event))
			break;
		at += sizeof(event) + event.len;
	}
	return changed ? guest_write(thread, thread->call.args[1], bytes, length) : 0;
}

/* Descriptors without a file have no type. */
static bool is_nameless(const struct thread *thread)
{
	struct fd_info info = fd_lookup(thread->process->fds, thread->tid, (int)thread->call.args[0]);

	return info.mode && !(info.mode & S_IFMT);
}

static int change(struct recorder *rec, struct thread *thread, int64_t *result)
{
	const uint64_t *args = thread->call.args;
	int r = 0;

	switch (thread->call.nr) {
	case SYS_kcmp: order_by_names(&thread->call, result); return 0;
	case SYS_ioctl: return change_ioctl(rec, thread);
	case SYS_getsockopt: return change_option(rec, thread);
	case SYS_socket: rec->routes |= (int)args[0] == AF_NETLINK; return 0;
	case SYS_recvfrom: return routes_received(rec, thread, *result);
	case SYS_recvmsg:
		r = change_message(rec, thread, args[1]);
		return r < 0 ? r : routes_received(rec, thread, *result);
	case SYS_recvmmsg:
		for (int64_t i = 0; r == 0 && i < *result; i++)
			r = change_message(rec, thread, args[1] + (uint64_t)i * sizeof(struct mmsghdr));
		return r;
	case SYS_read:
		if (*result >= (int64_t)sizeof(struct inotify_event) && is_nameless(thread))
			return change_events(rec, thread, *result);
		return 0;
	default: return 0;
	}
}

int numbers_return(struct recorder *rec, struct thread *thread, int64_t *result)
{
	int64_t before = *result;
	int r;

	if (before < 0 && before >= -4095)
		return 0;
	r = change(rec, thread, result);
	if (r < 0 || *result == before)
		return r < 0 && r != -EFAULT ? r : 0;
	thread->registers.rax = (uint64_t)*result;
	return stop_set_registers(thread);
}
