#include "origin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "../traces/syscall.h"
#include "image.h"

static const struct {
	const char *name, *text;
} origins[] = {
	[ORIGIN_NONE] = { "none", "nothing" },
	[ORIGIN_COMMAND] = { "command", "the traces are of different recordings" },
	[ORIGIN_ORDER] = { "order", "which thread ran when" },
	[ORIGIN_CLOCK] = { "clock", "a clock was read or waited for" },
	[ORIGIN_RANDOM] = { "random", "random bytes that do not come from the seed" },
	[ORIGIN_LAYOUT] = { "layout", "where memory lies; limits and address randomisation decide it" },
	[ORIGIN_ARGUMENTS] = { "arguments", "a program was given other arguments" },
	[ORIGIN_ENVIRONMENT] = { "environment",
				 "a program was given another environment or working directory" },
	[ORIGIN_AUXV] = { "auxv", "the kernel told a program something else at its start" },
	[ORIGIN_FILE] = { "file", "a file has other content, or is not there" },
	[ORIGIN_METADATA] = { "metadata", "times, numbers or sizes of a file" },
	[ORIGIN_DIRECTORY] = { "directory", "names in a directory, or their order" },
	[ORIGIN_PROC] = { "proc", "what the kernel says in /proc or /sys" },
	[ORIGIN_SOCKET] = { "socket", "what came through a socket" },
	[ORIGIN_PIPE] = { "pipe", "what came through a pipe, or how much at a time" },
	[ORIGIN_DEVICE] = { "device", "what a device answered" },
	[ORIGIN_PROCESS] = { "process", "numbers of processes and threads" },
	[ORIGIN_USER] = { "user", "the user's ids and rights" },
	[ORIGIN_HOST] = { "host", "the host's name, processors, memory, space or limits" },
	[ORIGIN_SIGNAL] = { "signal", "a signal came, or came somewhere else" },
	[ORIGIN_CALL] = { "call", "the kernel answered a call in another way" },
	[ORIGIN_CPU] = { "cpu", "the traces name different processors, which CPUID tells" },
	[ORIGIN_UNRECORDED] = { "unrecorded", "nothing that the traces hold differs before: an instruction such as CPUID, "
					      "memory shared with others, or an error of sworn" },
};
#define ORIGINS (sizeof(origins) / sizeof(origins[0]))

const char *origin_name(enum origin origin)
{
	return (size_t)origin < ORIGINS ? origins[origin].name : "?";
}

const char *origin_text(enum origin origin)
{
	return (size_t)origin < ORIGINS ? origins[origin].text : "?";
}

/* Calls whose results come from one place whatever they are given, where the syscall table's families do not say it. */
struct known {
	uint32_t nr;
	enum origin origin;
};
static const struct known by_number[] = {
	{ SYS_nanosleep, ORIGIN_CLOCK },
	{ SYS_clock_nanosleep, ORIGIN_CLOCK },
	{ SYS_getitimer, ORIGIN_CLOCK },
	{ SYS_setitimer, ORIGIN_CLOCK },
	{ SYS_alarm, ORIGIN_CLOCK },
	{ SYS_timer_gettime, ORIGIN_CLOCK },
	{ SYS_timer_settime, ORIGIN_CLOCK },
	{ SYS_timer_getoverrun, ORIGIN_CLOCK },
	{ SYS_timerfd_gettime, ORIGIN_CLOCK },
	{ SYS_timerfd_settime, ORIGIN_CLOCK },
	{ SYS_times, ORIGIN_CLOCK },
	{ SYS_getrusage, ORIGIN_CLOCK },
	{ SYS_adjtimex, ORIGIN_CLOCK },
	{ SYS_clock_adjtime, ORIGIN_CLOCK },
	{ SYS_getuid, ORIGIN_USER },
	{ SYS_geteuid, ORIGIN_USER },
	{ SYS_getgid, ORIGIN_USER },
	{ SYS_getegid, ORIGIN_USER },
	{ SYS_getresuid, ORIGIN_USER },
	{ SYS_getresgid, ORIGIN_USER },
	{ SYS_getgroups, ORIGIN_USER },
	{ SYS_capget, ORIGIN_USER },
	{ SYS_umask, ORIGIN_USER },
	{ SYS_getpgrp, ORIGIN_PROCESS },
	{ SYS_getpgid, ORIGIN_PROCESS },
	{ SYS_getsid, ORIGIN_PROCESS },
	{ SYS_set_tid_address, ORIGIN_PROCESS },
	{ SYS_uname, ORIGIN_HOST },
	{ SYS_sysinfo, ORIGIN_HOST },
	{ SYS_getrlimit, ORIGIN_HOST },
	{ SYS_prlimit64, ORIGIN_HOST },
	{ SYS_statfs, ORIGIN_HOST },
	{ SYS_fstatfs, ORIGIN_HOST },
	{ SYS_getpriority, ORIGIN_HOST },
	{ SYS_futex, ORIGIN_ORDER },
	{ SYS_wait4, ORIGIN_ORDER },
	{ SYS_waitid, ORIGIN_ORDER },
	{ SYS_poll, ORIGIN_ORDER },
	{ SYS_ppoll, ORIGIN_ORDER },
	{ SYS_select, ORIGIN_ORDER },
	{ SYS_pselect6, ORIGIN_ORDER },
	{ SYS_epoll_wait, ORIGIN_ORDER },
	{ SYS_epoll_pwait, ORIGIN_ORDER },
	{ SYS_getcwd, ORIGIN_ENVIRONMENT },
};

/* The same for calls about a file, whose place counts first. */
static const struct known by_file[] = {
	{ SYS_stat, ORIGIN_METADATA },	    { SYS_fstat, ORIGIN_METADATA },
	{ SYS_lstat, ORIGIN_METADATA },	    { SYS_newfstatat, ORIGIN_METADATA },
	{ SYS_statx, ORIGIN_METADATA },	    { SYS_name_to_handle_at, ORIGIN_METADATA },
	{ SYS_getdents, ORIGIN_DIRECTORY }, { SYS_getdents64, ORIGIN_DIRECTORY },
};
#define COUNT(table) (sizeof(table) / sizeof(table[0]))

struct member {
	const char *name;
	size_t offset, size;
};
#define MEMBER(type, name)                                                           \
	{                                                                            \
#name, offsetof(struct type, name), sizeof(((struct type *)0)->name) \
	}
static const struct member stat_members[] = {
	MEMBER(stat, st_dev),	 MEMBER(stat, st_ino),	MEMBER(stat, st_nlink),
	MEMBER(stat, st_mode),	 MEMBER(stat, st_uid),	MEMBER(stat, st_gid),
	MEMBER(stat, st_rdev),	 MEMBER(stat, st_size), MEMBER(stat, st_blksize),
	MEMBER(stat, st_blocks), MEMBER(stat, st_atim), MEMBER(stat, st_mtim),
	MEMBER(stat, st_ctim),
};
static const struct member statx_members[] = {
	MEMBER(statx, stx_nlink),  MEMBER(statx, stx_uid),	 MEMBER(statx, stx_gid),
	MEMBER(statx, stx_mode),   MEMBER(statx, stx_ino),	 MEMBER(statx, stx_size),
	MEMBER(statx, stx_atime),  MEMBER(statx, stx_btime),	 MEMBER(statx, stx_ctime),
	MEMBER(statx, stx_mtime),  MEMBER(statx, stx_dev_major), MEMBER(statx, stx_dev_minor),
	MEMBER(statx, stx_mnt_id),
};

/* The member of a struct stat or statx that the byte is in, or NULL. */
static const struct member *member_at(uint32_t nr, size_t offset)
{
	bool extended = nr == SYS_statx;
	const struct member *members = extended ? statx_members : stat_members;
	size_t count = extended ? COUNT(statx_members) : COUNT(stat_members);
	if (nr == SYS_name_to_handle_at)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (offset - members[i].offset < members[i].size)
			return &members[i];
	return NULL;
}

/* Shows a member of up to 8 bytes as a number, both seconds and nanoseconds of a time as bytes. */
static void show_member(const struct suspects *suspects, const struct member *member,
			struct difference *difference)
{
	for (int side = 0; side < 2; side++) {
		const struct event *event = suspects->events[side];
		const struct payload *p = &event->payloads[difference->index];
		uint64_t value = 0;
		int64_t seconds;
		if (difference->index >= event->payloads_count ||
		    p->length < member->offset + member->size)
			return;
		if (member->size <= sizeof(value)) {
			memcpy(&value, p->bytes + member->offset, member->size);
			snprintf(difference->values[side], FIELD_VALUE_BYTES, "%" PRIu64, value);
			continue;
		}
		uint32_t nanoseconds;
		memcpy(&seconds, p->bytes + member->offset, sizeof(seconds));
		memcpy(&nanoseconds, p->bytes + member->offset + sizeof(seconds), sizeof(nanoseconds));
		snprintf(difference->values[side], FIELD_VALUE_BYTES, "%" PRId64 ".%09" PRIu32,
			 seconds, nanoseconds);
	}
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static enum origin by_path(const char *path)
{
	if (starts(path, "/dev/random") || starts(path, "/dev/urandom"))
		return ORIGIN_RANDOM;
	if (starts(path, "/proc/") || starts(path, "/sys/"))
		return ORIGIN_PROC;
	if (starts(path, "/dev/") && !starts(path, "/dev/shm/"))
		return ORIGIN_DEVICE;
	if (starts(path, "[socket"))
		return ORIGIN_SOCKET;
	if (starts(path, "[pipe"))
		return ORIGIN_PIPE;
	if (starts(path, "[timerfd"))
		return ORIGIN_CLOCK;
	if (starts(path, "[signalfd"))
		return ORIGIN_SIGNAL;
	if (starts(path, "[eventfd") || starts(path, "[epoll"))
		return ORIGIN_ORDER;
	return path[0] == '[' ? ORIGIN_CALL : ORIGIN_FILE;
}

/* What the call was about: the path it was given, or what its first descriptor was opened as. */
static const char *subject_of(const struct suspects *suspects, const struct row *row)
{
	const struct event *event = suspects->events[0];
	const char *path = event_path(event);
	if (path && *path)
		return path;
	for (unsigned int i = 0; i < 6; i++)
		if (row->args[i].kind == ARG_FD)
			return track_descriptor(suspects->track, event->thread, (int)event->args[i]);
	return NULL;
}

static void copy_printable(char *to, const char *from)
{
	size_t used = strlen(to);
	for (; *from && used + 1 < ORIGIN_SUBJECT_BYTES; from++)
		to[used++] = *from >= 0x20 && *from < 0x7f ? *from : '?';
	to[used] = '\0';
}

/* Bytes in which a call leaves the time that it did not wait. */
static bool is_remainder(const struct row *row, const struct suspects *suspects,
			 const struct difference *difference)
{
	const struct event *event = suspects->events[0];
	const char *name;
	if (difference->field != FIELD_BYTES || difference->index >= event->payloads_count ||
	    event->payloads[difference->index].arg >= 6)
		return false;
	name = row->args[event->payloads[difference->index].arg].name;
	return name && (!strcmp(name, "timeout") || !strcmp(name, "rem"));
}

/* One of both was not allowed to. */
static bool rights_differ(const struct suspects *suspects, const struct difference *difference)
{
	int64_t a = suspects->events[0]->result, b = suspects->events[1]->result;
	bool refused[2] = { a == -EACCES || a == -EPERM, b == -EACCES || b == -EPERM };
	return difference->field == FIELD_RESULT && suspects->events[0]->kind == EVENT_CALL &&
	       refused[0] != refused[1];
}

static enum origin by_call(const struct suspects *suspects, struct difference *difference, char *subject)
{
	const struct event *event = suspects->events[0];
	const struct row *row = syscall_resolve(event->nr, event->args);
	const char *about = row ? subject_of(suspects, row) : NULL;
	enum origin place = about ? by_path(about) : ORIGIN_CALL;
	const struct member *member;
	if (!row)
		return ORIGIN_CALL;
	if (is_remainder(row, suspects, difference))
		return ORIGIN_CLOCK;
	for (size_t i = 0; i < COUNT(by_number); i++)
		if (by_number[i].nr == event->nr)
			return by_number[i].origin;
	for (size_t i = 0; i < COUNT(by_file); i++) {
		if (by_file[i].nr != event->nr)
			continue;
		place = place == ORIGIN_PROC && difference->field == FIELD_RESULT ? place
										  : by_file[i].origin;
		member = place == ORIGIN_METADATA && difference->field == FIELD_BYTES
				 ? member_at(event->nr, difference->offset)
				 : NULL;
		if (!member)
			break;
		show_member(suspects, member, difference);
		snprintf(subject, ORIGIN_SUBJECT_BYTES, "%s of ", member->name);
	}
	/* Flags, versions and layout: of the inode, not of what is in it. */
	if (event->nr == SYS_ioctl && place == ORIGIN_FILE)
		place = ORIGIN_METADATA;
	if (about)
		copy_printable(subject, about);
	return rights_differ(suspects, difference) ? ORIGIN_USER : place;
}

static enum origin by_family(const struct suspects *suspects, struct difference *difference, char *subject)
{
	const struct event *event = suspects->events[0];
	const struct row *row = syscall_resolve(event->nr, event->args);
	switch (row ? (enum family)row->family : FAMILY_NONE) {
	case FAMILY_CLOCK: return ORIGIN_CLOCK;
	case FAMILY_RANDOM: return ORIGIN_RANDOM;
	case FAMILY_MAP: return ORIGIN_LAYOUT;
	case FAMILY_PID: return ORIGIN_PROCESS;
	case FAMILY_SCHED: return ORIGIN_HOST;
	case FAMILY_SIGNAL:
	case FAMILY_SIGRETURN: return ORIGIN_SIGNAL;
	case FAMILY_CLONE:
	case FAMILY_EXIT: return ORIGIN_PROCESS;
	case FAMILY_NONE:
	case FAMILY_EXEC:
	case FAMILY_TLS:
	case FAMILY_DUMPABLE:
	case FAMILY_SECCOMP:
	case FAMILY_FOREIGN:
	case FAMILY_ADVICE: break;
	}
	return by_call(suspects, difference, subject);
}

static enum origin unrecorded(const struct suspects *suspects, const struct difference *difference,
			      char *subject)
{
	const char *region = difference->address >= 4096
				     ? track_region(suspects->track, suspects->events[0]->thread,
						    difference->address)
				     : NULL;
	if (region)
		copy_printable(subject, region);
	return suspects->other_cpu ? ORIGIN_CPU : ORIGIN_UNRECORDED;
}

static enum origin by_mapping(const struct suspects *suspects, const struct difference *difference,
			      char *subject)
{
	const struct event *event = suspects->events[0];
	const char *path = difference->index < event->mappings_count
				   ? event->mappings[difference->index].path
				   : NULL;
	if (path)
		copy_printable(subject, path);
	return difference->field == FIELD_CONTENT ? ORIGIN_FILE : ORIGIN_LAYOUT;
}

static enum origin by_exec(const struct suspects *suspects, struct difference *difference, char *subject)
{
	enum origin origin = image_difference(suspects->events, difference, subject);
	if (origin != ORIGIN_NONE)
		return origin;
	switch (difference->field) {
	case FIELD_CONTENT:
	case FIELD_MAPPING: return by_mapping(suspects, difference, subject);
	case FIELD_BYTES: return ORIGIN_LAYOUT;
	case FIELD_DETAIL:
		return suspects->events[0]->exec.process != suspects->events[1]->exec.process
			       ? ORIGIN_PROCESS
			       : ORIGIN_HOST;
	case FIELD_THREAD:
	case FIELD_KIND:
	case FIELD_STOP:
	case FIELD_GIVEN:
	case FIELD_RESULT:
	case FIELD_STATE: break;
	}
	return unrecorded(suspects, difference, subject);
}

static bool either(const struct suspects *suspects, enum event_kind kind)
{
	return suspects->events[0]->kind == kind || suspects->events[1]->kind == kind;
}

/* Two events of one thread and one kind that are not the start of a program. */
static enum origin by_field(const struct suspects *suspects, struct difference *difference, char *subject)
{
	switch (difference->field) {
	case FIELD_RESULT:
	case FIELD_BYTES: return by_family(suspects, difference, subject);
	case FIELD_MAPPING:
	case FIELD_CONTENT: return by_mapping(suspects, difference, subject);
	case FIELD_THREAD:
	case FIELD_KIND:
	case FIELD_STOP:
	case FIELD_GIVEN:
	case FIELD_DETAIL:
	case FIELD_STATE: break;
	}
	return unrecorded(suspects, difference, subject);
}

enum origin origin_of(const struct suspects *suspects, struct difference *difference,
		      char ret_subject[ORIGIN_SUBJECT_BYTES])
{
	const struct event *event = suspects->events[0];
	ret_subject[0] = '\0';
	if (either(suspects, EVENT_TURN) || difference->field == FIELD_THREAD)
		return ORIGIN_ORDER;
	if (either(suspects, EVENT_SIGNAL))
		return ORIGIN_SIGNAL;
	if (difference->field == FIELD_KIND)
		return unrecorded(suspects, difference, ret_subject);
	switch (event->kind) {
	case EVENT_EXEC: return by_exec(suspects, difference, ret_subject);
	case EVENT_TRAP:
		if (difference->field == FIELD_STOP)
			break;
		return event->trap.kind == TRAP_RANDOM	 ? ORIGIN_RANDOM
		       : event->trap.kind <= TRAP_RDTSCP ? ORIGIN_CLOCK
							 : ORIGIN_CPU;
	case EVENT_CLONE:
		return difference->field == FIELD_DETAIL
			       ? ORIGIN_PROCESS
			       : unrecorded(suspects, difference, ret_subject);
	case EVENT_MEMORY: return ORIGIN_FILE;
	case EVENT_CALL:
	case EVENT_PART:
	case EVENT_REFUSED: return by_field(suspects, difference, ret_subject);
	case EVENT_TURN:
	case EVENT_EXIT:
	case EVENT_SIGNAL:
	case EVENT_SIGRETURN:
	case EVENT_CHECKPOINT:
	case EVENT_END: break;
	}
	return unrecorded(suspects, difference, ret_subject);
}
