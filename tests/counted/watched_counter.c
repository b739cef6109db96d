/*
 * The counter of tests/e2e/test_slices.sh, in place of sandbox/counter_event.c and counter_probe.c: a watchpoint on the word where
 * guests count their own rounds. All else is what sworn is made of. WATCHED_MARGIN says how long before the end of a
 * slice the interrupt comes, which must make no difference, and WATCHED_SLICE how long slices are, in rounds.
 */
#include <linux/hw_breakpoint.h>
#include <stdlib.h>

#include "../../sandbox/counter.h"
#include "../../sandbox/host.h"
#include "../guest/ticks.h"

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

bool counter_usable(void)
{
	return host_allows(HOST_PMU);
}

int counter_event(struct perf_event_attr *ret)
{
	ret->type = PERF_TYPE_BREAKPOINT;
	ret->bp_type = HW_BREAKPOINT_W;
	ret->bp_addr = TICKS_ADDRESS;
	ret->bp_len = HW_BREAKPOINT_LEN_8;
	ret->exclude_kernel = 1;
	ret->exclude_hv = 1;
	ret->pinned = 1;
	return 0;
}

void counter_tune(struct cut_tuning *ret)
{
	*ret = (struct cut_tuning){
		.margin_address = 200,
		.margin_count = number("WATCHED_MARGIN", 40),
		.rare = 60,
		.look_ns = 300000,
		.looks = 3,
		.slice = number("WATCHED_SLICE", 1000),
	};
}
