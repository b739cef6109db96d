/* Security modules: which there are, by two calls that say how much room they need; and what they say of this process. */
#include "guest.h"
#include <sys/syscall.h>

#define SYS_LSM_GET_SELF_ATTR 459
#define SYS_LSM_SET_SELF_ATTR 460
#define SYS_LSM_LIST_MODULES 461
#define ATTR_CURRENT 100

static void modules(void)
{
	uint64_t ids[64] = { 0 };
	uint32_t size = 4, needed;
	long count;

	expect(syscall(SYS_LSM_LIST_MODULES, ids, &size, 0) == -1);
	if (errno == ENOSYS) {
		say("no modules\n");
		return;
	}
	expect(errno == E2BIG && size >= 8 && size <= sizeof(ids) && ids[0] == 0);
	needed = size;
	count = syscall(SYS_LSM_LIST_MODULES, ids, &size, 0);
	expect(count > 0 && size == needed && size == (uint32_t)count * 8);
	for (long i = 0; i < count; i++)
		expect(ids[i] >= 100 && ids[i] < 1000);
	expect(syscall(SYS_LSM_LIST_MODULES, ids, &size, 1) == -1 && errno == EINVAL);
	expect(syscall(SYS_LSM_LIST_MODULES, nowhere(), &size, 0) == -1 && errno == EFAULT);
	say("modules\n");
}

static void attributes(void)
{
	uint8_t context[4096] = { 0 };
	uint32_t size = sizeof(context);
	long count = syscall(SYS_LSM_GET_SELF_ATTR, ATTR_CURRENT, context, &size, 0);

	if (count > 0)
		expect(size >= 32 && size <= sizeof(context));
	else
		expect(count == 0 || errno == EOPNOTSUPP || errno == ENOSYS);
	memset(context, 0, sizeof(context));
	expect(syscall(SYS_LSM_SET_SELF_ATTR, ATTR_CURRENT, context, sizeof(context), 0) == -1);
	say("attributes\n");
}

int main(void)
{
	modules();
	attributes();
	return 0;
}
