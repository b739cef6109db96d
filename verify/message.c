#include "message.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "constant.h"
#include "shape.h"

#define VECTOR_MAX 1024U
#define MMSGHDR_BYTES 64U

/* Memory behind the argument, as it was before the call, or as the call left it. */
static const uint8_t *peek(const struct message_view *view, uint64_t address, uint8_t direction,
			   size_t *ret_left)
{
	for (size_t i = 0; i < view->event->payloads_count; i++) {
		const struct payload *p = &view->event->payloads[i];
		if (p->arg != view->argument || p->direction != direction || address < p->address ||
		    address - p->address >= p->length)
			continue;
		*ret_left = p->length - (size_t)(address - p->address);
		return p->bytes + (address - p->address);
	}
	return NULL;
}

static bool receives(const struct message_view *view)
{
	switch (view->event->nr) {
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_readv:
	case SYS_preadv:
	case SYS_preadv2:
	case SYS_process_vm_readv: return true;
	}
	return false;
}

static void put_pointer(struct out *out, uint64_t value)
{
	if (value)
		out_hex(out, value);
	else
		out_text(out, "NULL");
}

static void put_data(const struct message_view *view, uint64_t address, uint64_t length)
{
	size_t left = 0;
	const uint8_t *bytes = peek(view, address, receives(view) ? DIRECTION_OUT : DIRECTION_IN, &left);
	if (!bytes && length == 0) {
		out_text(view->out, "\"\"");
		return;
	}
	if (!bytes) {
		if (receives(view) && !view->failed)
			out_text(view->out, "\"\"");
		else
			put_pointer(view->out, address);
		return;
	}
	left = left < length ? left : (size_t)length;
	out_quoted(view->out, bytes, left < view->strings ? left : view->strings);
	if (left > view->strings)
		out_text(view->out, "...");
}

/* `left`: bytes that a reading call put there in all. */
static void put_vector(const struct message_view *view, uint64_t address, uint64_t count, uint64_t left)
{
	size_t have = 0;
	const uint8_t *bytes = peek(view, address, DIRECTION_IN, &have);
	if (!bytes) {
		put_pointer(view->out, address);
		return;
	}
	out_char(view->out, '[');
	for (uint64_t i = 0; i < count && i < VECTOR_MAX && (i + 1) * 16 <= have; i++) {
		uint64_t base, length;
		memcpy(&base, bytes + i * 16, sizeof(base));
		memcpy(&length, bytes + i * 16 + 8, sizeof(length));
		uint64_t shown = receives(view) && left < length ? left : length;
		left -= receives(view) ? shown : 0;
		out_text(view->out, i > 0 ? ", {iov_base=" : "{iov_base=");
		if (base)
			put_data(view, base, shown);
		else
			out_text(view->out, "NULL");
		out_text(view->out, ", iov_len=");
		out_uint(view->out, length);
		out_char(view->out, '}');
	}
	out_char(view->out, ']');
}

void message_put_vector(const struct message_view *view, uint64_t address, uint64_t count)
{
	put_vector(view, address, count, view->event->result > 0 ? (uint64_t)view->event->result : 0);
}

static void put_control(const struct message_view *view, uint64_t address, uint64_t length)
{
	size_t left = 0;
	const uint8_t *bytes = peek(view, address, receives(view) ? DIRECTION_OUT : DIRECTION_IN, &left);
	struct cmsghdr head;
	bool more = false;
	if (!bytes) {
		put_pointer(view->out, address);
		return;
	}
	left = left < length ? left : (size_t)length;
	out_char(view->out, '[');
	while (left >= sizeof(head)) {
		memcpy(&head, bytes, sizeof(head));
		if (head.cmsg_len < sizeof(head) || head.cmsg_len > left)
			break;
		out_format(view->out, "%s{cmsg_len=%zu, cmsg_level=", more ? ", " : "", head.cmsg_len);
		constant_put(view->out, SET_socket_level, (uint64_t)head.cmsg_level);
		out_text(view->out, ", cmsg_type=");
		size_t data = head.cmsg_len - CMSG_LEN(0);
		if (head.cmsg_level == SOL_SOCKET && head.cmsg_type == SCM_RIGHTS) {
			out_text(view->out, "SCM_RIGHTS, cmsg_data=[");
			for (size_t i = 0; i + sizeof(int) <= data; i += sizeof(int)) {
				int fd;
				memcpy(&fd, bytes + CMSG_LEN(0) + i, sizeof(fd));
				out_format(view->out, "%s%d", i ? ", " : "", fd);
			}
			out_text(view->out, "]}");
		} else if (head.cmsg_level == SOL_SOCKET && head.cmsg_type == SCM_CREDENTIALS) {
			out_text(view->out, "SCM_CREDENTIALS, cmsg_data=");
			shape_put(view->out, SHAPE_credentials, bytes + CMSG_LEN(0), data);
			out_char(view->out, '}');
		} else {
			out_format(view->out, "0x%x, cmsg_data=", (unsigned int)head.cmsg_type);
			out_quoted(view->out, bytes + CMSG_LEN(0), data);
			out_char(view->out, '}');
		}
		more = true;
		size_t step = CMSG_ALIGN(head.cmsg_len);
		if (step >= left)
			break;
		bytes += step;
		left -= step;
	}
	out_char(view->out, ']');
}

/* A header as it was; name and ancillary data as long as the call left them. */
static void put_header(const struct message_view *view, uint64_t address, uint64_t data)
{
	size_t have = 0, after_have = 0;
	const uint8_t *before = peek(view, address, DIRECTION_IN, &have);
	const uint8_t *after = peek(view, address, DIRECTION_OUT, &after_have);
	struct msghdr head, left;
	if (!before || have < sizeof(head) || (receives(view) && view->failed)) {
		put_pointer(view->out, address);
		return;
	}
	memcpy(&head, before, sizeof(head));
	left = head;
	if (after && after_have >= sizeof(left) && receives(view))
		memcpy(&left, after, sizeof(left));
	out_text(view->out, "{msg_name=");
	size_t name_have = 0;
	const uint8_t *name = peek(view, (uint64_t)(uintptr_t)head.msg_name,
				   receives(view) ? DIRECTION_OUT : DIRECTION_IN, &name_have);
	if (name && left.msg_namelen > 0)
		shape_put_address(view->out, name,
				  name_have < left.msg_namelen ? name_have : left.msg_namelen);
	else
		put_pointer(view->out, (uint64_t)(uintptr_t)head.msg_name);
	out_text(view->out, ", msg_namelen=");
	out_uint(view->out, head.msg_namelen);
	if (left.msg_namelen != head.msg_namelen) {
		out_text(view->out, " => ");
		out_uint(view->out, left.msg_namelen);
	}
	out_text(view->out, ", msg_iov=");
	put_vector(view, (uint64_t)(uintptr_t)head.msg_iov, head.msg_iovlen, data);
	out_text(view->out, ", msg_iovlen=");
	out_uint(view->out, head.msg_iovlen);
	if (left.msg_controllen > 0) {
		out_text(view->out, ", msg_control=");
		put_control(view, (uint64_t)(uintptr_t)head.msg_control, left.msg_controllen);
	}
	out_text(view->out, ", msg_controllen=");
	out_uint(view->out, left.msg_controllen);
	out_text(view->out, ", msg_flags=");
	constant_put_bits(view->out, SET_message_flags, (uint32_t)left.msg_flags);
	out_char(view->out, '}');
}

void message_put(const struct message_view *view, uint64_t address)
{
	put_header(view, address, view->event->result > 0 ? (uint64_t)view->event->result : 0);
}

void message_put_many(const struct message_view *view, uint64_t address)
{
	uint64_t count = view->event->result > 0 ? (uint64_t)view->event->result : 0;
	if (count == 0) {
		put_pointer(view->out, address);
		return;
	}
	out_char(view->out, '[');
	for (uint64_t i = 0; i < count && i < VECTOR_MAX; i++) {
		uint64_t at = address + i * MMSGHDR_BYTES;
		uint32_t length = 0;
		size_t have = 0;
		const uint8_t *bytes = peek(view, at, DIRECTION_OUT, &have);
		if (bytes && have >= MMSGHDR_BYTES)
			memcpy(&length, bytes + sizeof(struct msghdr), sizeof(length));
		out_text(view->out, i > 0 ? ", {msg_hdr=" : "{msg_hdr=");
		put_header(view, at, length);
		out_format(view->out, ", msg_len=%u}", length);
	}
	out_char(view->out, ']');
}
