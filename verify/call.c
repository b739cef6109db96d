#include "call_inside.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>

#include "constant.h"
#include "shape.h"

const char *call_name(const struct event *event)
{
	const struct row *row = syscall_row(event->nr);
	return row ? row->name : "?";
}

static void put_clone(struct out *out, const struct event *event)
{
	uint64_t flags = event->args[0] & ~0xffULL, signal = event->args[0] & 0xff;
	out_text(out, "child_stack=");
	call_put_pointer(out, event->args[1]);
	out_text(out, ", flags=");
	if (flags || !signal)
		constant_put_bits(out, SET_clone_flags, flags);
	if (signal) {
		if (flags)
			out_char(out, '|');
		constant_put_signal(out, (int)signal);
	}
	if (flags & (CLONE_PARENT_SETTID | 0x1000)) {
		out_text(out, ", parent_tid=");
		call_put_pointer(out, event->args[2]);
	}
	if (flags & CLONE_SETTLS) {
		out_text(out, ", tls=");
		call_put_pointer(out, event->args[4]);
	}
	if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) {
		out_text(out, ", child_tidptr=");
		call_put_pointer(out, event->args[3]);
	}
}

void call_put(struct out *out, const struct event *event, const struct call_options *options)
{
	const struct row *row = syscall_resolve(event->nr, event->args);
	unsigned int count = row ? row_args(row) : 0;
	if (!row) {
		out_format(out, "syscall_%u(0x%llx, 0x%llx, 0x%llx, 0x%llx, 0x%llx, 0x%llx)", event->nr,
			   (unsigned long long)event->args[0], (unsigned long long)event->args[1],
			   (unsigned long long)event->args[2], (unsigned long long)event->args[3],
			   (unsigned long long)event->args[4], (unsigned long long)event->args[5]);
		return;
	}
	out_text(out, call_name(event));
	out_char(out, '(');
	if (event->nr == SYS_clone)
		put_clone(out, event);
	for (unsigned int i = 0; i < count && event->nr != SYS_clone; i++) {
		if (!call_is_shown(event, i))
			break;
		if (call_is_skipped(event, i))
			continue;
		if (i > 0)
			out_text(out, ", ");
		call_put_one(out, event, row, i, options);
	}
	out_char(out, ')');
}

/* What some calls return besides, in parentheses. */
static void put_more(struct out *out, const struct event *event)
{
	bool waits = event->nr == SYS_poll || event->nr == SYS_ppoll || event->nr == SYS_select ||
		     event->nr == SYS_pselect6;
	bool more = false;
	if (event->nr == SYS_fcntl && (int)event->args[1] == F_GETFL) {
		out_text(out, " (flags ");
		shape_put_open_flags(out, (uint64_t)event->result);
		out_char(out, ')');
	} else if (event->nr == SYS_fcntl && (int)event->args[1] == F_GETFD && event->result) {
		out_text(out, " (flags FD_CLOEXEC)");
	} else if (waits && event->result == 0) {
		out_text(out, " (Timeout)");
	}
	if ((event->nr != SYS_poll && event->nr != SYS_ppoll) || event->result == 0)
		return;
	for (size_t i = 0; i < event->payloads_count; i++) {
		const struct payload *p = &event->payloads[i];
		if (p->arg != 0 || p->direction != DIRECTION_OUT)
			continue;
		out_text(out, " ([");
		for (size_t at = 0; at + 8 <= p->length; at += 8) {
			int32_t fd;
			uint16_t events;
			memcpy(&fd, p->bytes + at, sizeof(fd));
			memcpy(&events, p->bytes + at + 6, sizeof(events));
			if (!events)
				continue;
			out_format(out, "%s{fd=%d, revents=", more ? ", " : "", fd);
			constant_put_bits(out, SET_poll_events, events);
			out_char(out, '}');
			more = true;
		}
		out_text(out, "])");
	}
}

void call_put_result(struct out *out, const struct event *event)
{
	const struct row *row = syscall_resolve(event->nr, event->args);
	const char *error = event->result < 0 && event->result >= -4095
				    ? strerrorname_np((int)-event->result)
				    : NULL;
	bool flags = event->nr == SYS_fcntl &&
		     ((int)event->args[1] == F_GETFL || (int)event->args[1] == F_GETFD);
	if (event->flags & (CALL_RESTARTED | CALL_UNFINISHED)) {
		out_text(out, event->flags & CALL_RESTARTED ? "? (restarted)" : "? (unfinished)");
	} else if (event->result < 0 && event->result >= -4095) {
		out_text(out, "-1 ");
		if (error)
			out_text(out, error);
		else
			out_int(out, -event->result);
	} else {
		if (row && (row->result == RESULT_ADDR || (flags && event->result)))
			out_hex(out, (uint64_t)event->result);
		else if (event->nr == SYS_umask)
			shape_put_mode(out, (uint32_t)event->result);
		else
			out_int(out, event->result);
		put_more(out, event);
	}
}
