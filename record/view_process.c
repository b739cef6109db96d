/* What files of /proc/PID say about a guest: from the model, or as the kernel has it but for what is the host's. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../sandbox/domain.h"
#include "view.h"

#define REAL_BYTES_MAX 16384
#define AUXV_PAIRS_MAX 64
#define STAT_FIELDS 53
#define START_TICKS "100000" /* VIEW_UPTIME_S */

/* The file as the kernel has it, with a zero at its end. NULL where it cannot be read. Owned by the caller. */
static char *read_real(const struct view_reading *reading)
{
	char *text = malloc(REAL_BYTES_MAX + 1);
	ssize_t n = text ? pread(reading->file, text, REAL_BYTES_MAX, 0) : -1;

	if (n < 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

static uint64_t mapped_bytes(const struct view_reading *reading)
{
	const struct mapping_table *table = &reading->subject->process->space->table;
	uint64_t bytes = 0;

	for (size_t i = 0; i < table->count; i++)
		bytes += table->entries[i].end - table->entries[i].start;
	return bytes;
}

/* "8:1 17 " and the name, as far as both can be told. */
static int put_backing(const struct view_reading *reading, const struct mapping *mapping,
		       struct buffer *out)
{
	const struct space *space = reading->subject->process->space;
	const struct view_file *file = NULL;
	struct view_path path = { .follow = true };
	const char *name = mapping->path ? mapping->path : "";
	struct stat status;
	uint64_t device = 0;

	if (name[0] == '/' && strlen(name) < sizeof(path.text)) {
		strcpy(path.text, name);
		if (view_path_status(reading->rec->view, reading->reader, &path, &status) == 0)
			file = view_file_find(reading->rec, status.st_dev, status.st_ino);
		if (file)
			device = view_device_number(reading->rec->view, status.st_dev);
	} else if (mapping->backing == BACKING_ANON && space->brk > space->brk_start &&
		   mapping->start < space->brk && mapping->end > space->brk_start) {
		name = "[heap]";
	}
	return view_put(out, " %02x:%02x %-10" PRIu64 "%s%s\n", major(device), minor(device),
			file ? file->number : 0, name[0] ? " " : "", name);
}

static int put_mapping(const struct view_reading *reading, const struct mapping *m, struct buffer *out)
{
	int r = view_put(out, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64, m->start, m->end,
			 m->prot & PROT_READ ? 'r' : '-', m->prot & PROT_WRITE ? 'w' : '-',
			 m->prot & PROT_EXEC ? 'x' : '-', m->flags & MAP_SHARED ? 's' : 'p',
			 m->backing == BACKING_ANON ? 0 : m->offset);

	return r < 0 ? r : put_backing(reading, m, out);
}

/* smaps(5) of a mapping that is all there, and nobody else's. */
static int put_sizes(const struct mapping *m, struct buffer *out)
{
	uint64_t size = (m->end - m->start) / 1024, own = m->backing == BACKING_ANON ? size : 0;

	return view_put(out,
			"Size:           %8" PRIu64 " kB\nKernelPageSize:        4 kB\n"
			"MMUPageSize:           4 kB\nRss:            %8" PRIu64
			" kB\nPss:            %8" PRIu64 " kB\nPss_Dirty:      %8" PRIu64
			" kB\nShared_Clean:          0 kB\nShared_Dirty:          0 kB\n"
			"Private_Clean:  %8" PRIu64 " kB\nPrivate_Dirty:  %8" PRIu64
			" kB\nReferenced:     %8" PRIu64 " kB\nAnonymous:      %8" PRIu64
			" kB\nLazyFree:              0 kB\nAnonHugePages:         0 kB\n"
			"ShmemPmdMapped:        0 kB\nFilePmdMapped:         0 kB\n"
			"Shared_Hugetlb:        0 kB\nPrivate_Hugetlb:       0 kB\n"
			"Swap:                  0 kB\nSwapPss:               0 kB\n"
			"Locked:                0 kB\nTHPeligible:           0\nVmFlags:%s%s%s%s%s\n",
			size, size, size, own, size - own, own, size, own,
			m->prot & PROT_READ ? " rd" : "", m->prot & PROT_WRITE ? " wr" : "",
			m->prot & PROT_EXEC ? " ex" : "", m->flags & MAP_SHARED ? " sh" : "",
			" mr mw me");
}

/* The heap is a mapping of its own to guests, also where it follows on the data of the program. */
static bool split_heap(const struct view_reading *reading, const struct mapping *m,
		       struct mapping parts[2])
{
	const struct space *space = reading->subject->process->space;
	uint64_t start = (space->brk_start + 4095) & ~4095ULL;

	parts[0] = parts[1] = *m;
	if (m->backing != BACKING_ANON || m->start >= start || m->end <= start || space->brk <= start)
		return false;
	parts[0].end = parts[1].start = start;
	return true;
}

static int make_areas(const struct view_reading *reading, struct buffer *out, bool sizes)
{
	const struct mapping_table *table = &reading->subject->process->space->table;
	int r = 0;

	for (size_t i = 0; r == 0 && i < table->count; i++) {
		struct mapping parts[2];
		bool split;

		if (table->entries[i].start == CALL_PAGE)
			continue;
		split = split_heap(reading, &table->entries[i], parts);
		for (size_t part = !split; r == 0 && part < 2; part++) {
			r = put_mapping(reading, &parts[part], out);
			if (r == 0 && sizes)
				r = put_sizes(&parts[part], out);
		}
	}
	return r;
}

static int make_maps(const struct view_reading *reading, struct buffer *out)
{
	return make_areas(reading, out, false);
}

static int make_smaps(const struct view_reading *reading, struct buffer *out)
{
	return make_areas(reading, out, true);
}

static int make_rollup(const struct view_reading *reading, struct buffer *out)
{
	const struct mapping_table *table = &reading->subject->process->space->table;
	uint64_t kib = mapped_bytes(reading) / 1024;
	int r;

	r = view_put(out, "%08" PRIx64 "-%08" PRIx64 " ---p 00000000 00:00 0 %18s[rollup]\n",
		     table->count ? table->entries[0].start : 0,
		     table->count ? table->entries[table->count - 1].end : 0, "");
	if (r < 0)
		return r;
	return view_put(out,
			"Rss:            %8" PRIu64 " kB\nPss:            %8" PRIu64
			" kB\nPss_Dirty:             0 kB\nPss_Anon:       %8" PRIu64
			" kB\nPss_File:              0 kB\nPss_Shmem:             0 kB\n"
			"Shared_Clean:          0 kB\nShared_Dirty:          0 kB\n"
			"Private_Clean:         0 kB\nPrivate_Dirty:  %8" PRIu64
			" kB\nReferenced:     %8" PRIu64 " kB\nAnonymous:      %8" PRIu64
			" kB\nLazyFree:              0 kB\nAnonHugePages:         0 kB\n"
			"Swap:                  0 kB\nSwapPss:               0 kB\nLocked:                0 kB\n",
			kib, kib, kib, kib, kib, kib);
}

static bool is_own(const struct view_reading *reading)
{
	return reading->subject->process == reading->reader->process;
}

/* Lines of status that speak of the host, of the recorder or of time that passed. */
static const struct line {
	const char *name, *text;
} lines[] = {
	{ "TracerPid:", "0" },
	{ "Groups:", " " },
	{ "Seccomp:", "0" },
	{ "Seccomp_filters:", "0" },
	{ "NoNewPrivs:", "0" },
	{ "SigQ:", "0/16384" },
	{ "Cpus_allowed:", "1" },
	{ "Cpus_allowed_list:", "0" },
	{ "Mems_allowed:", "1" },
	{ "Mems_allowed_list:", "0" },
	{ "CoreDumping:", "0" },
	{ "THP_enabled:", "0" },
	{ "Speculation_Store_Bypass:", "vulnerable" },
	{ "SpeculationIndirectBranch:", "always enabled" },
	{ "voluntary_ctxt_switches:", "0" },
	{ "nonvoluntary_ctxt_switches:", "0" },
	{ "FDSize:", "64" },
};

static int put_status_line(const struct view_reading *reading, const char *line, struct buffer *out)
{
	static const char *const mapped[] = { "VmPeak:", "VmSize:",  "VmHWM:",
					      "VmRSS:",	 "RssAnon:", "VmData:" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (strncmp(line, lines[i].name, strlen(lines[i].name)) == 0)
			return view_put(out, "%s\t%s\n", lines[i].name, lines[i].text);
	}
	for (size_t i = 0; i < sizeof(mapped) / sizeof(mapped[0]); i++) {
		if (strncmp(line, mapped[i], strlen(mapped[i])) == 0)
			return view_put(out, "%s\t%8" PRIu64 " kB\n", mapped[i],
					mapped_bytes(reading) / 1024);
	}
	if (strncmp(line, "Vm", 2) == 0 || strncmp(line, "Rss", 3) == 0)
		return view_put(out, "%.*s\t%8u kB\n", (int)strcspn(line, "\t"), line, 0U);
	if (strncmp(line, "Cap", 3) == 0 && !reading->rec->view->capabilities_set)
		return view_put(out, "%.7s\t%s\n", line,
				strncmp(line, "CapI", 4) && strncmp(line, "CapA", 4)
					? "000001ffffffffff"
					: "0000000000000000");
	if (strncmp(line, "State:", 6) == 0 && (strstr(line, "tracing") || strstr(line, "R (")))
		return view_put(out, "State:\t%s\n", is_own(reading) ? "R (running)" : "S (sleeping)");
	return view_put(out, "%s\n", line);
}

static int make_status(const struct view_reading *reading, struct buffer *out)
{
	char *text = read_real(reading), *rest = NULL;
	int r = text ? 0 : -EIO;

	for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; r == 0 && line;
	     line = strtok_r(NULL, "\n", &rest))
		r = put_status_line(reading, line, out);
	free(text);
	return r;
}

/* proc(5), by the numbers of its fields. What is neither here nor below is as the kernel has it. */
static const char *stat_field(unsigned int field)
{
	switch (field) {
	case 9: return "4194304";
	case 22: return START_TICKS;
	case 25: return "18446744073709551615";
	case 8: return "-1";
	case 7:
	case 10:
	case 11:
	case 12:
	case 13:
	case 14:
	case 15:
	case 16:
	case 17:
	case 29:
	case 30:
	case 35:
	case 39:
	case 42: return "0";
	default: return NULL;
	}
}

static int make_stat(const struct view_reading *reading, struct buffer *out)
{
	char *text = read_real(reading), *after = text ? strrchr(text, ')') : NULL, *rest = NULL;
	uint64_t bytes = reading->subject ? mapped_bytes(reading) : 0;
	unsigned int field = 3;
	int r = after ? buffer_append(out, text, (size_t)(after + 1 - text)) : -EIO;

	for (char *word = after ? strtok_r(after + 1, " \n", &rest) : NULL; r == 0 && word;
	     word = strtok_r(NULL, " \n", &rest), field++) {
		const char *fixed = stat_field(field);

		if (field == 3 && reading->subject && (*word == 't' || *word == 'R'))
			fixed = is_own(reading) ? "R" : "S";
		if ((field == 18 || field == 19) &&
		    !(reading->subject && reading->subject->record->schedule.nice))
			fixed = field == 18 ? "20" : "0";
		r = field == 23	  ? view_put(out, " %" PRIu64, bytes)
		    : field == 24 ? view_put(out, " %" PRIu64, bytes / 4096)
				  : view_put(out, " %s", fixed ? fixed : word);
	}
	free(text);
	return r ? r : view_put(out, "\n");
}

int view_make_dead(const struct view_reading *reading, struct buffer *out)
{
	char *text = read_real(reading), *after = text ? strrchr(text, ')') : NULL;
	bool dead = after && strlen(after) > 2 && (after[2] == 'Z' || after[2] == 'X');

	free(text);
	return dead ? make_stat(reading, out) : -ENOENT;
}

static int make_statm(const struct view_reading *reading, struct buffer *out)
{
	uint64_t pages = mapped_bytes(reading) / 4096;

	return view_put(out, "%" PRIu64 " %" PRIu64 " 0 0 0 %" PRIu64 " 0\n", pages, pages, pages);
}

/* The map that a user namespace of the domain has; guests' own namespaces have others. */
static int make_id_map(const struct view_reading *reading, struct buffer *out)
{
	char *text = read_real(reading);
	unsigned long inside = 1, outside = 0, count = 0;
	int r;

	if (!text)
		return -EIO;
	if (sscanf(text, "%lu %lu %lu", &inside, &outside, &count) == 3 && inside == 0 &&
	    (count == UINT32_MAX || (count == 1 && geteuid())))
		r = view_put(out, "%10u %10u %10u\n", 0U, 0U, UINT32_MAX);
	else
		r = view_put(out, "%s", text);
	free(text);
	return r;
}

/* Position and flags are the guest's; mount and inode are numbers of the host's. */
int view_make_descriptor(const struct view_reading *reading, unsigned int fd, struct buffer *out)
{
	char *text = read_real(reading), *rest = NULL;
	const struct view_file *file = NULL;
	struct stat status;
	int r = text ? 0 : -EIO;

	if (view_fd_status(reading->subject, (int)fd, &status) == 0)
		file = view_file_find(reading->rec, status.st_dev, status.st_ino);
	for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; r == 0 && line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, "mnt_id:", 7) == 0)
			r = view_put(out, "mnt_id:\t21\n");
		else if (strncmp(line, "ino:", 4) == 0)
			r = view_put(out, "ino:\t%" PRIu64 "\n", file ? file->number : 0);
		else
			r = view_put(out, "%s\n", line);
	}
	free(text);
	return r;
}

/* The kernel keeps the one that it made, before it was rewritten (record_exec.c). */
static int make_auxv(const struct view_reading *reading, struct buffer *out)
{
	uint64_t pairs[AUXV_PAIRS_MAX][2];
	ssize_t n = pread(reading->file, pairs, sizeof(pairs), 0);
	const struct cpu_model *model = reading->rec->cpu;

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(pairs[0]); i++) {
		if (pairs[i][0] == AT_SYSINFO_EHDR) {
			pairs[i][0] = AT_IGNORE;
			pairs[i][1] = 0;
		} else if (model) {
			pairs[i][1] = cpu_model_auxv(model, pairs[i][0], pairs[i][1]);
		}
	}
	return n < 0 ? -errno : buffer_append(out, pairs, (size_t)n);
}

const struct view_text view_process_texts[] = {
	{ "maps", NULL, make_maps },
	{ "smaps", NULL, make_smaps },
	{ "smaps_rollup", NULL, make_rollup },
	{ "status", NULL, make_status },
	{ "stat", NULL, make_stat },
	{ "statm", NULL, make_statm },
	{ "mounts", NULL, view_make_mounts },
	{ "mountinfo", NULL, view_make_mountinfo },
	{ "uid_map", NULL, make_id_map },
	{ "gid_map", NULL, make_id_map },
	{ "cgroup", "0::/\n", NULL },
	{ "cpuset", "/\n", NULL },
	{ "oom_score", "0\n", NULL },
	{ "oom_score_adj", "0\n", NULL },
	{ "oom_adj", "0\n", NULL },
	{ "loginuid", "4294967295", NULL },
	{ "sessionid", "4294967295", NULL },
	{ "schedstat", "0 0 1\n", NULL },
	{ "timerslack_ns", "50000\n", NULL },
	{ "wchan", "0", NULL },
	{ "setgroups", "allow\n", NULL },
	{ "auxv", NULL, make_auxv },
	{ NULL, NULL, NULL },
};

#define ZEROS "0000000000000000\n"
#define ALL_CAPABILITIES "000001ffffffffff\n"

const struct view_text view_init_texts[] = {
	{ "stat",
	  "1 (sworn-init) S 0 0 0 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 " START_TICKS
	  " 4096 1 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
	  NULL },
	{ "statm", "1 1 0 0 0 1 0\n", NULL },
	{ "status",
	  "Name:\tsworn-init\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t1\nNgid:\t0\nPid:\t1\nPPid:\t0\n"
	  "TracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t64\nGroups:\t \nNStgid:\t1\nNSpid:\t1\n"
	  "NSpgid:\t0\nNSsid:\t0\nKthread:\t0\nVmPeak:\t       4 kB\nVmSize:\t       4 kB\n"
	  "VmRSS:\t       4 kB\nVmSwap:\t       0 kB\nThreads:\t1\nSigQ:\t0/16384\n"
	  "SigPnd:\t" ZEROS "ShdPnd:\t" ZEROS "SigBlk:\t" ZEROS "SigIgn:\t" ZEROS "SigCgt:\t" ZEROS
	  "CapInh:\t" ZEROS "CapPrm:\t" ALL_CAPABILITIES "CapEff:\t" ALL_CAPABILITIES "CapBnd:\t" ALL_CAPABILITIES
	  "CapAmb:\t" ZEROS "NoNewPrivs:\t0\nSeccomp:\t0\nCpus_allowed:\t1\nCpus_allowed_list:\t0\n"
	  "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n",
	  NULL },
	{ "comm", "sworn-init\n", NULL },
	{ "cgroup", "0::/\n", NULL },
	{ "oom_score", "0\n", NULL },
	{ "oom_score_adj", "0\n", NULL },
	{ NULL, NULL, NULL },
};
