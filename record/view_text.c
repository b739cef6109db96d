/* What files of /proc and /sys say about the machine: the same one everywhere. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../sandbox/random.h"
#include "view.h"

#define LINE_BYTES_MAX 4096
#define TICKS 100 /* per second, USER_HZ */
#define CACHED_KB (1UL << 20)

int view_put(struct buffer *out, const char *format, ...)
{
	char line[LINE_BYTES_MAX];
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	if (n < 0)
		return -EINVAL;
	return buffer_append(out, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static uint64_t uptime_ns(const struct recorder *rec)
{
	return VIEW_UPTIME_S * 1000000000ULL + rec->clock_ns;
}

static int make_cpuinfo(const struct view_reading *reading, struct buffer *out)
{
	const char *text = reading->rec->cpu ? cpu_model_cpuinfo(reading->rec->cpu) : NULL;

	return text ? buffer_append(out, text, strlen(text)) : -ENOENT;
}

static int make_meminfo(const struct view_reading *reading, struct buffer *out)
{
	static const char *const zeros[] = {
		"SwapCached",	"SwapTotal",	 "SwapFree",   "Dirty",	       "Writeback",
		"AnonPages",	"Mapped",	 "Shmem",      "KReclaimable", "Slab",
		"SReclaimable", "SUnreclaim",	 "PageTables", "Bounce",       "CommitLimit",
		"Committed_AS", "AnonHugePages", "Percpu",
	};
	unsigned long total = VIEW_MEMORY_BYTES / 1024, free = VIEW_FREE_BYTES / 1024;
	int r;

	(void)reading;
	r = view_put(out, "%-16s%8lu kB\n%-16s%8lu kB\n%-16s%8lu kB\n%-16s%8lu kB\n%-16s%8lu kB\n",
		     "MemTotal:", total, "MemFree:", free, "MemAvailable:", free + CACHED_KB,
		     "Buffers:", 0UL, "Cached:", CACHED_KB);
	for (size_t i = 0; r == 0 && i < sizeof(zeros) / sizeof(zeros[0]); i++)
		r = view_put(out, "%s:%*s0 kB\n", zeros[i], (int)(22 - strlen(zeros[i])), "");
	return r ? r
		 : view_put(out,
			    "HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n");
}

static int make_node_meminfo(const struct view_reading *reading, struct buffer *out)
{
	unsigned long total = VIEW_MEMORY_BYTES / 1024, free = VIEW_FREE_BYTES / 1024;

	(void)reading;
	return view_put(out,
			"Node 0 MemTotal:       %lu kB\nNode 0 MemFree:        %lu kB\n"
			"Node 0 MemUsed:        %lu kB\n",
			total, free, total - free);
}

static int make_stat(const struct view_reading *reading, struct buffer *out)
{
	const struct recorder *rec = reading->rec;
	uint64_t ticks = uptime_ns(rec) / (1000000000ULL / TICKS);
	uint64_t booted = rec->epoch_ns / 1000000000ULL;

	booted = booted > VIEW_UPTIME_S ? booted - VIEW_UPTIME_S : 0;
	return view_put(out,
			"cpu  %lu 0 0 0 0 0 0 0 0 0\ncpu0 %lu 0 0 0 0 0 0 0 0 0\nintr 0\nctxt 0\nbtime %lu\n"
			"processes %u\nprocs_running 1\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
			ticks, ticks, booted, rec->guests.threads);
}

static int make_uptime(const struct view_reading *reading, struct buffer *out)
{
	uint64_t hundredths = uptime_ns(reading->rec) / 10000000ULL;

	return view_put(out, "%lu.%02lu 0.00\n", hundredths / 100, hundredths % 100);
}

static int make_loadavg(const struct view_reading *reading, struct buffer *out)
{
	const struct guests *guests = &reading->rec->guests;

	return view_put(out, "0.00 0.00 0.00 1/%u %u\n", guests->alive, guests->threads + 1);
}

static int put_uuid(const uint8_t bytes[16], struct buffer *out)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < 16; i++) {
		uint8_t byte = i == 6	? (bytes[i] & 0x0f) | 0x40
			       : i == 8 ? (bytes[i] & 0x3f) | 0x80
					: bytes[i];

		r = view_put(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", byte);
	}
	return r ? r : view_put(out, "\n");
}

static int make_uuid(const struct view_reading *reading, struct buffer *out)
{
	uint8_t bytes[16];

	random_bytes(reading->rec->random, bytes, sizeof(bytes));
	return put_uuid(bytes, out);
}

static int make_boot_id(const struct view_reading *reading, struct buffer *out)
{
	struct view *view = reading->rec->view;

	if (!view->booted)
		random_bytes(reading->rec->random, view->boot_id, sizeof(view->boot_id));
	view->booted = true;
	return put_uuid(view->boot_id, out);
}

/* A guest that names its own host sees that name; the file has it then. */
static int make_hostname(const struct view_reading *reading, struct buffer *out)
{
	char name[128], host[128] = "";
	ssize_t n = pread(reading->file, name, sizeof(name) - 1, 0);

	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	gethostname(host, sizeof(host) - 1);
	return view_put(out, "%s\n", strcmp(name, host) ? name : VIEW_HOST_NAME);
}

static unsigned int device_of(const struct view_reading *reading, const char *text)
{
	struct view_path path = { .follow = true };
	struct stat status = { 0 };

	strcpy(path.text, text);
	if (view_path_status(reading->rec->view, reading->reader, &path, &status) < 0)
		return 0;
	return (unsigned int)view_device_number(reading->rec->view, status.st_dev);
}

static const struct mount {
	const char *source, *place, *type, *options;
} mounts[] = {
	{ "/dev/root", "/", "ext4", "rw,relatime" },
	{ "devtmpfs", "/dev", "devtmpfs", "rw,nosuid,relatime" },
	{ "proc", "/proc", "proc", "rw,nosuid,nodev,noexec,relatime" },
	{ "sysfs", "/sys", "sysfs", "rw,nosuid,nodev,noexec,relatime" },
};

int view_make_mounts(const struct view_reading *reading, struct buffer *out)
{
	int r = 0;

	(void)reading;
	for (size_t i = 0; r == 0 && i < sizeof(mounts) / sizeof(mounts[0]); i++)
		r = view_put(out, "%s %s %s %s 0 0\n", mounts[i].source, mounts[i].place,
			     mounts[i].type, mounts[i].options);
	return r;
}

int view_make_mountinfo(const struct view_reading *reading, struct buffer *out)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		unsigned int device = device_of(reading, mounts[i].place);

		r = view_put(out, "%u %u %u:%u / %s %s - %s %s rw\n", i + 21, i ? 21 : 1,
			     major(device), minor(device), mounts[i].place, mounts[i].options,
			     mounts[i].type, mounts[i].source);
	}
	return r;
}

const struct view_text view_texts[] = {
	{ "/proc/cpuinfo", NULL, make_cpuinfo },
	{ "/proc/meminfo", NULL, make_meminfo },
	{ "/proc/stat", NULL, make_stat },
	{ "/proc/uptime", NULL, make_uptime },
	{ "/proc/loadavg", NULL, make_loadavg },
	{ "/proc/version",
	  "Linux version " VIEW_KERNEL_RELEASE " (sworn) " VIEW_KERNEL_VERSION "\n", NULL },
	{ "/proc/cmdline", "\n", NULL },
	{ "/proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n", NULL },
	{ "/proc/filesystems", "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\n\text4\n",
	  NULL },
	{ "/proc/sys/kernel/osrelease", VIEW_KERNEL_RELEASE "\n", NULL },
	{ "/proc/sys/kernel/version", VIEW_KERNEL_VERSION "\n", NULL },
	{ "/proc/sys/kernel/ostype", "Linux\n", NULL },
	{ "/proc/sys/kernel/hostname", NULL, make_hostname },
	{ "/proc/sys/kernel/random/boot_id", NULL, make_boot_id },
	{ "/proc/sys/kernel/random/uuid", NULL, make_uuid },
	{ "/proc/sys/kernel/random/entropy_avail", "256\n", NULL },
	{ "/proc/sys/kernel/random/poolsize", "256\n", NULL },
	{ "/proc/sys/kernel/pid_max", "32768\n", NULL },
	{ "/proc/sys/kernel/threads-max", "32768\n", NULL },
	{ "/proc/sys/kernel/ngroups_max", "65536\n", NULL },
	{ "/proc/sys/kernel/cap_last_cap", "40\n", NULL },
	{ "/proc/sys/kernel/randomize_va_space", "0\n", NULL },
	{ "/proc/sys/kernel/core_pattern", "core\n", NULL },
	{ "/proc/sys/vm/overcommit_memory", "0\n", NULL },
	{ "/proc/sys/vm/max_map_count", "65530\n", NULL },
	{ "/proc/sys/vm/mmap_min_addr", "65536\n", NULL },
	{ "/proc/sys/fs/file-max", "1048576\n", NULL },
	{ "/proc/sys/fs/nr_open", "1048576\n", NULL },
	{ "/proc/sys/fs/pipe-max-size", "1048576\n", NULL },
	{ "/proc/sys/net/core/somaxconn", "4096\n", NULL },
	{ "/sys/devices/system/cpu/online", "0\n", NULL },
	{ "/sys/devices/system/cpu/possible", "0\n", NULL },
	{ "/sys/devices/system/cpu/present", "0\n", NULL },
	{ "/sys/devices/system/cpu/kernel_max", "0\n", NULL },
	{ "/sys/devices/system/node/online", "0\n", NULL },
	{ "/sys/devices/system/node/node0/meminfo", NULL, make_node_meminfo },
	{ "/sys/devices/system/node/node0/cpumap", "1\n", NULL },
	{ "/sys/devices/system/node/node0/cpulist", "0\n", NULL },
	{ "/sys/devices/system/node/node0/distance", "10\n", NULL },
	{ "/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n", NULL },
	{ "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152\n", NULL },
	{ "/sys/fs/cgroup/memory.max", "max\n", NULL },
	{ "/sys/fs/cgroup/memory.high", "max\n", NULL },
	{ "/sys/fs/cgroup/memory.swap.max", "max\n", NULL },
	{ "/sys/fs/cgroup/cpu.max", "max 100000\n", NULL },
	{ "/sys/fs/cgroup/pids.max", "max\n", NULL },
	{ "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n", NULL },
	{ "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n", NULL },
	{ "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n", NULL },
	{ NULL, NULL, NULL },
};
