/*
 * In place of sandbox/counter_event.c: the counter of branches is a watchpoint on the guest's own `ticks`, on any host
 * with debug registers; everything else is the kernel's. Included behind cut_scenario.h by one file of a program.
 */
#ifndef SWORN_TESTS_WATCHED_COUNTER_H
#define SWORN_TESTS_WATCHED_COUNTER_H

#include <linux/hw_breakpoint.h>

int counter_event(struct perf_event_attr *ret)
{
	ret->type = PERF_TYPE_BREAKPOINT;
	ret->bp_type = HW_BREAKPOINT_W;
	ret->bp_addr = (uint64_t)(uintptr_t)&ticks;
	ret->bp_len = HW_BREAKPOINT_LEN_8;
	ret->exclude_kernel = 1;
	ret->exclude_hv = 1;
	ret->pinned = 1;
	return 0;
}

/* One watchpoint hit costs more than a thousand branches: everything is that much smaller. */
static const struct cut_tuning small = {
	.margin_address = 200, .margin_count = 100, .rare = 60, .look_ns = 300000, .looks = 3
};

void counter_tune(struct cut_tuning *ret)
{
	*ret = small;
}

#endif
