/*
 * The syscall table: the one list of what Sworn knows about each x86-64 system call. Capture,
 * injection, comparison, filters, the audit printer and docs/SYSCALLS.md all derive from it. Rows are
 * in syscall_table.def, sub-tables (ioctl, fcntl, prctl, arch_prctl, sockopt, futex ...) in the same
 * language, keyed by request. Pure data and look-up.
 */
#ifndef SWORN_TRACES_SYSCALL_H
#define SWORN_TRACES_SYSCALL_H

#include <stddef.h>
#include <stdint.h>

#define SYSCALL_TABLE_VERSION 2

enum treatment {
	TREAT_UNKNOWN = 0, /* no row */
	TREAT_EMULATE,	   /* executed when recording, answered from the trace in replay */
	TREAT_EXECUTE,	   /* executed by the kernel on both sides (address space) */
	TREAT_SPECIAL,	   /* one function on each side, chosen by `family` */
	TREAT_REFUSE,	   /* answered with `error` on both sides, never executed */
};

/* The special families: each one function in record/ and one in replay/. */
enum family {
	FAMILY_NONE = 0,
	FAMILY_MAP,   /* mmap, mremap, brk, shmat, shmdt, remap_file_pages: the mapping model */
	FAMILY_EXEC,  /* execve, execveat */
	FAMILY_CLONE, /* clone, fork, vfork */
	FAMILY_EXIT,  /* exit, exit_group */
	FAMILY_SIGNAL, /* rt_sigaction, rt_sigprocmask, sigaltstack: executed, and the model follows */
	FAMILY_SIGRETURN, /* rt_sigreturn */
	FAMILY_TLS, /* arch_prctl SET_FS/SET_GS, set_tid_address, set_robust_list: thread state replay must follow */
	FAMILY_RANDOM,	 /* getrandom: from the seed */
	FAMILY_CLOCK,	 /* clock reads: virtual when the clock is */
	FAMILY_PID,	 /* getpid, gettid, getppid: from the process model */
	FAMILY_SCHED,	 /* affinity, nice and policy: virtual */
	FAMILY_DUMPABLE, /* prctl PR_SET_DUMPABLE and others answered virtually */
	FAMILY_SECCOMP,	 /* guest filters, no_new_privs: from the model */
	FAMILY_FOREIGN, /* process_vm_writev: executed, and what it wrote is told as memory events */
	FAMILY_ADVICE,	/* madvise MADV_FREE: from the mapping model */
};

enum result_kind { RESULT_WORD = 0, RESULT_FD, RESULT_ADDR, RESULT_NONE };

/* Which right a domain needs for the call (judged once domains have grants). */
enum grant_need {
	GRANT_NONE = 0,
	GRANT_FS_READ,
	GRANT_FS_WRITE,
	GRANT_FS_BY_FLAGS,
	GRANT_NET_CONNECT,
	GRANT_NET_LISTEN,
	GRANT_PROC_SPAWN,
	GRANT_CLOCK
};

enum row_flag {
	ROW_BLOCKS = 1, /* may sleep until another thread or the outside acts */
	ROW_OUTPUT = 2, /* IN bytes leave through the fd in argument 0: counted into its sink */
	ROW_CLOSES = 4, /* may create, close or replace fds other than its result: the fd cache forgets all */
	ROW_TIMER = 8,	      /* may arm a timer that sends a signal */
	ROW_WRITES_FILE = 16, /* changes the content of the file behind an fd argument without ROW_OUTPUT bytes (ftruncate, splice, ...) */
	ROW_OPENS = 32,	      /* opens a file by its path, and may make it shorter */
	ROW_QUIET = 64,	 /* refused without a warning: programs ask for it as a matter of course */
	ROW_EARLY = 128, /* writes memory before it sleeps: others see that while it does */
};

enum arg_kind {
	ARG_NONE = 0, /* the call has no such argument: register ignored */
	ARG_WORD,     /* signed or unsigned number, compared as 64 bits */
	ARG_INT,      /* compared as its low 32 bits only */
	ARG_FD,	      /* int fd */
	ARG_SIZE,
	ARG_FLAGS,
	ARG_MODE,
	ARG_SIGNAL,
	ARG_PID,    /* as ARG_WORD/INT for comparison; the printer knows more */
	ARG_ADDR,   /* an address that names memory but moves no bytes (mmap, futex word) */
	ARG_MEMORY, /* an address with bytes: direction and extent below */
};

/* How many bytes an ARG_MEMORY argument covers. `arg` and `unit` are the extent's parameters. */
enum extent {
	EXTENT_FIXED = 1, /* unit bytes */
	EXTENT_COUNT,	  /* value of argument `arg` times unit */
	EXTENT_RESULT, /* OUT: min(result, value of argument `arg`) times unit; at entry the maximum */
	EXTENT_DEREF,  /* *(uint32_t *)argument `arg` times unit, OUT: min(before, after) */
	EXTENT_STRING, /* NUL-terminated, NUL included, at most unit bytes (0: EXTENT_STRING_MAX) */
	EXTENT_STRINGS, /* NULL-terminated vector of strings: the vector and each string */
	EXTENT_IOVEC, /* struct iovec[argument `arg`]: the array (IN) and each buffer in `direction`; OUT limited by result */
	EXTENT_MSGHDR, /* struct msghdr and everything behind it; OUT limited by result */
	EXTENT_MMSGHDR, /* struct mmsghdr[argument `arg`]: the array IN and OUT, buffers in `direction`;
			     OUT: of the first `result` messages */
	EXTENT_FDSET,  /* bit set of argument `arg` bits, rounded up to 8 bytes */
	EXTENT_PAGES,  /* one byte for each page of argument `arg` bytes */
	EXTENT_MSGBUF, /* a long, then argument `arg` bytes; OUT: then min(result, argument `arg`) */
	EXTENT_SPAN, /* struct { void *start; unit bytes of length; } (IN, 16 bytes) and the bytes it
			     names; OUT: min(result, length) of them */
	EXTENT_PROGRAM, /* struct sock_fprog (IN) and the instructions it names */
	EXTENT_IFCONF,	/* struct ifconf (IN and OUT) and its buffer (OUT): min(before, after) */
	EXTENT_LIST, /* `head` bytes, then as many elements of `unit` bytes as the uint32_t at byte
			     `arg` of the head says */
	EXTENT_SPECIAL, /* the family's function knows */
};

struct arg {
	const char *name;
	uint8_t kind;	   /* enum arg_kind */
	uint8_t direction; /* enum direction (event.h), ARG_MEMORY only */
	uint8_t extent;	   /* enum extent */
	uint8_t arg;	   /* index of the other argument, or of a byte */
	uint8_t head;	   /* bytes */
	uint32_t unit;	   /* bytes */
};

struct row {
	uint32_t nr;
	const char *name;   /* "read"; a sub-row's is "ioctl:TCGETS" */
	uint8_t treatment;  /* enum treatment */
	uint8_t family;	    /* enum family, TREAT_SPECIAL only (FAMILY_NONE elsewhere) */
	uint8_t result;	    /* enum result_kind */
	uint8_t grant;	    /* enum grant_need */
	uint32_t flags;	    /* enum row_flag */
	int error;	    /* TREAT_REFUSE: positive errno the guest sees */
	const char *reason; /* TREAT_REFUSE: one clause for people */
	uint8_t key;  /* sub-tables: index of the argument that selects a sub-row, else 0xff */
	uint8_t key2; /* sub-tables: index of a second one (sockopt's level), else 0xff */
	const struct row *sub; /* sub-table, `sub_count` rows keyed by sub_value, or NULL */
	size_t sub_count;
	uint64_t sub_value; /* a sub-row's request: low 32 bits of argument `key`, then those of `key2` */
	uint64_t sub_mask; /* a sub-row's: bits that take part in the comparison (0 = all) */
	const struct row *fallback; /* what an unlisted request gets (a REFUSE row), or NULL: this row */
	struct arg args[6];
};

/* The row of call `nr` (no sub-table consulted), or NULL for a number without one. */
const struct row *syscall_row(uint32_t nr);

/*
 * The row that applies to this very call: the sub-row where the call has a sub-table and lists the
 * request, its fallback where it does not, else the row itself. NULL for a number without a row.
 */
const struct row *syscall_resolve(uint32_t nr, const uint64_t args[6]);

/* Lower-case names for people and generated documents. Never NULL; "?" for a value out of range. */
const char *treatment_name(unsigned int treatment);
const char *family_name(unsigned int family);

/* Number of arguments the row compares (index of the last that is not ARG_NONE, plus one). */
unsigned int row_args(const struct row *row);

/* Argument `i` as comparison sees it: masked to 32 bits where its kind says so, 0 for ARG_NONE. */
uint64_t row_argument(const struct row *row, unsigned int i, const uint64_t args[6]);

/* Rows in table order for generators and checks: 0..syscall_rows()-1. */
size_t syscall_rows(void);
const struct row *syscall_row_at(size_t index);

#endif
