#include <cpuid.h>
#include <string.h>

#include "../traces/error.h"
#include "counter.h"

/*
 * The skid of the interrupt in branches, over 28,000 trials on Zen 5: half under 164, 99% under 478 (2,600 on a busy
 * machine), the largest 51,700. An address is met rarely, so running far to it costs little; a count is
 * approached hit by hit, or step by step.
 */
#define MARGIN_ADDRESS 65536
#define MARGIN_COUNT 16384
#define RARE_BRANCHES 2000
#define LOOK_NS 500000
#define LOOKS 6
#define SLICE_BRANCHES 8000000 /* about 10 ms */

/*
 * Retired conditional branches, as event select, umask 0x..00, and the bits USR, INT and EN that the kernel
 * sets anyway. The counts were found exact on AMD Zen 5, whose event Zen 1 to 4 share; the Intel rows follow the event
 * lists of the vendor (BR_INST_RETIRED.CONDITIONAL, from Ice Lake on .COND) and rest on the self test alone.
 * Hybrid CPUs (Alder Lake and later clients) are left out: a count would depend on the kind of core.
 */
#define AMD_CONDITIONAL 0x5100d1
#define INTEL_CONDITIONAL 0x5101c4
#define INTEL_COND 0x5111c4

struct cpu_row {
	char vendor[13];
	unsigned int family, model_first, model_last;
	uint64_t config;
};

static const struct cpu_row cpus[] = {
	{ "AuthenticAMD", 0x17, 0x00, 0xff, AMD_CONDITIONAL },
	{ "AuthenticAMD", 0x19, 0x00, 0xff, AMD_CONDITIONAL },
	{ "AuthenticAMD", 0x1a, 0x00, 0xff, AMD_CONDITIONAL },
	{ "HygonGenuine", 0x18, 0x00, 0xff, AMD_CONDITIONAL }, /* untested */
	{ "GenuineIntel", 0x06, 0x3d, 0x3d, INTEL_CONDITIONAL }, /* Broadwell; untested from here on */
	{ "GenuineIntel", 0x06, 0x47, 0x47, INTEL_CONDITIONAL },
	{ "GenuineIntel", 0x06, 0x4f, 0x4f, INTEL_CONDITIONAL },
	{ "GenuineIntel", 0x06, 0x56, 0x56, INTEL_CONDITIONAL },
	{ "GenuineIntel", 0x06, 0x4e, 0x4e, INTEL_CONDITIONAL }, /* Skylake */
	{ "GenuineIntel", 0x06, 0x5e, 0x5e, INTEL_CONDITIONAL },
	{ "GenuineIntel", 0x06, 0x55, 0x55, INTEL_CONDITIONAL }, /* its servers, Cascade Lake */
	{ "GenuineIntel", 0x06, 0x8e, 0x8e, INTEL_CONDITIONAL }, /* Kaby and Coffee Lake */
	{ "GenuineIntel", 0x06, 0x9e, 0x9e, INTEL_CONDITIONAL },
	{ "GenuineIntel", 0x06, 0xa5, 0xa6, INTEL_CONDITIONAL }, /* Comet Lake */
	{ "GenuineIntel", 0x06, 0x7d, 0x7e, INTEL_COND },	 /* Ice Lake */
	{ "GenuineIntel", 0x06, 0x6a, 0x6a, INTEL_COND },
	{ "GenuineIntel", 0x06, 0x6c, 0x6c, INTEL_COND },
	{ "GenuineIntel", 0x06, 0x8c, 0x8d, INTEL_COND }, /* Tiger Lake */
	{ "GenuineIntel", 0x06, 0xa7, 0xa7, INTEL_COND }, /* Rocket Lake */
	{ "GenuineIntel", 0x06, 0x8f, 0x8f, INTEL_COND }, /* Sapphire Rapids */
	{ "GenuineIntel", 0x06, 0xcf, 0xcf, INTEL_COND }, /* Emerald Rapids */
};

int counter_event(struct perf_event_attr *ret)
{
	unsigned int a, b, c, d, family, model;
	char vendor[13] = { 0 };

	if (!__get_cpuid(0, &a, &b, &c, &d))
		return SWORN_EHOST;
	memcpy(vendor, &b, 4);
	memcpy(vendor + 4, &d, 4);
	memcpy(vendor + 8, &c, 4);
	if (!__get_cpuid(1, &a, &b, &c, &d))
		return SWORN_EHOST;
	family = a >> 8 & 0xf;
	model = a >> 4 & 0xf;
	if (family == 0x6 || family == 0xf)
		model |= a >> 12 & 0xf0;
	if (family == 0xf)
		family += a >> 20 & 0xff;
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
		const struct cpu_row *cpu = &cpus[i];

		if (memcmp(cpu->vendor, vendor, sizeof(vendor)) == 0 && cpu->family == family &&
		    model >= cpu->model_first && model <= cpu->model_last) {
			ret->type = PERF_TYPE_RAW;
			ret->config = cpu->config;
			ret->exclude_kernel = 1;
			ret->exclude_hv = 1;
			ret->exclude_guest = 1;
			ret->pinned = 1;
			return 0;
		}
	}
	return SWORN_EHOST;
}

void counter_tune(struct cut_tuning *ret)
{
	*ret = (struct cut_tuning){
		.margin_address = MARGIN_ADDRESS,
		.margin_count = MARGIN_COUNT,
		.rare = RARE_BRANCHES,
		.look_ns = LOOK_NS,
		.looks = LOOKS,
		.slice = SLICE_BRANCHES,
	};
}
