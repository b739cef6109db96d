#include "shape_inside.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "constant.h"

struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

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
		shape_int(out, "RT_", number - 32);
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

void shape_put_sigaction(struct out *out, const uint8_t *bytes, size_t length)
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
		shape_pointer(out, ", sa_restorer=", action.restorer);
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
	shape_uint(out, ", si_pid=", (uint32_t)info->si_pid);
	shape_uint(out, ", si_uid=", info->si_uid);
	out_text(out, ", si_status=");
	if (info->si_code == CLD_EXITED)
		out_int(out, info->si_status);
	else
		constant_put_signal(out, info->si_status);
	shape_int(out, ", si_utime=", info->si_utime);
	shape_int(out, ", si_stime=", info->si_stime);
}

void shape_put_siginfo(struct out *out, const uint8_t *bytes, size_t length)
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
		shape_hex(out, "", (uint32_t)info.si_code);
	if (info.si_errno)
		shape_int(out, ", si_errno=", info.si_errno);
	if (info.si_signo == SIGCHLD && info.si_code > 0 && info.si_code != SI_KERNEL) {
		child_info(out, &info);
	} else if (info.si_code == SI_TIMER) {
		shape_int(out, ", si_timerid=", info.si_timerid);
		shape_int(out, ", si_overrun=", info.si_overrun);
	} else if (info.si_code <= 0) {
		shape_uint(out, ", si_pid=", (uint32_t)info.si_pid);
		shape_uint(out, ", si_uid=", info.si_uid);
	} else if (info.si_signo != SIGSYS && info.si_signo != SIGPOLL && info.si_code != SI_KERNEL) {
		shape_pointer(out, ", si_addr=", (uint64_t)(uintptr_t)info.si_addr);
	}
	if (info.si_code == SI_QUEUE || info.si_code == SI_MESGQ || info.si_code == SI_TIMER) {
		shape_int(out, ", si_int=", info.si_value.sival_int);
		shape_pointer(out, ", si_ptr=", (uint64_t)(uintptr_t)info.si_value.sival_ptr);
	}
	out_char(out, '}');
}

void shape_put_stack(struct out *out, const uint8_t *bytes, size_t length)
{
	stack_t stack;
	(void)length;
	memcpy(&stack, bytes, sizeof(stack));
	shape_pointer(out, "{ss_sp=", (uint64_t)(uintptr_t)stack.ss_sp);
	out_text(out, ", ss_flags=");
	constant_put_bits(out, SET_stack_flags, (uint32_t)stack.ss_flags);
	shape_uint(out, ", ss_size=", stack.ss_size);
	out_char(out, '}');
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

void shape_put_status(struct out *out, const uint8_t *bytes, size_t length)
{
	int status;
	(void)length;
	memcpy(&status, bytes, sizeof(status));
	shape_put_wait_status(out, status);
}
