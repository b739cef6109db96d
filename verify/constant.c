#include "constant.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct constant {
	uint64_t value;
	const char *name; /* NULL: behind the last */
};

#define SET(set) static const struct constant list_##set[] = {
#define NAME(symbol) { (uint64_t)(symbol), #symbol },
#define NAMED(value, text) { (uint64_t)(value), text },
#define END             \
	{               \
		0, NULL \
	}               \
	}               \
	;
#include "constant_table.def"
#undef SET
#undef NAME
#undef NAMED
#undef END

static const struct constant *const sets[] = {
#define SET(set) [SET_##set] = list_##set,
#define NAME(symbol)
#define NAMED(value, text)
#define END
#include "constant_table.def"
};

const char *constant_name(enum constant_set set, uint64_t value)
{
	for (const struct constant *constant = sets[set]; constant->name; constant++)
		if (constant->value == value)
			return constant->name;
	return NULL;
}

void constant_put(struct out *out, enum constant_set set, uint64_t value)
{
	const char *name = constant_name(set, value);
	if (name)
		out_text(out, name);
	else
		out_hex(out, value);
}

void constant_put_bits(struct out *out, enum constant_set set, uint64_t value)
{
	bool more = false;
	if (value == 0) {
		const char *name = constant_name(set, 0);
		out_text(out, name ? name : "0");
		return;
	}
	for (const struct constant *constant = sets[set]; constant->name && value; constant++) {
		if (constant->value == 0 || (value & constant->value) != constant->value)
			continue;
		if (more)
			out_char(out, '|');
		out_text(out, constant->name);
		value &= ~constant->value;
		more = true;
	}
	if (value == 0)
		return;
	if (more)
		out_char(out, '|');
	out_hex(out, value);
}

void constant_put_signal(struct out *out, int number)
{
	const char *name = number > 0 && number < 32 ? sigabbrev_np(number) : NULL;
	/* The other name of SIGPOLL, which everybody uses. */
	if (number == SIGIO)
		name = "IO";
	if (name) {
		out_text(out, "SIG");
		out_text(out, name);
	} else if (number == 32) {
		out_text(out, "SIGRTMIN");
	} else if (number > 32 && number <= 64) {
		out_text(out, "SIGRT_");
		out_int(out, number - 32);
	} else {
		out_int(out, number);
	}
}
