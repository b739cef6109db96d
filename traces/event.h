/*
 * The event: the decoded struct that recording, replay, verification and audit exchange. The
 * recorder fills one and hands it to the writer; the reader fills one and hands it to the replayer
 * or the verifier. Pure data: knows nothing of ptrace, files or CBOR. docs/FORMAT.md says how each
 * kind is laid out as a record.
 *
 * Ownership: every pointer in a struct event is borrowed. Those of an event from trace_next() stay
 * valid until the next call on the same reader.
 */
#ifndef SWORN_TRACES_EVENT_H
#define SWORN_TRACES_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define EVENT_PAYLOADS_MAX 4096	 /* payloads of one event */
#define EVENT_MAPPINGS_MAX 65536 /* mappings of one EXEC event */
#define EVENT_PART_BYTES 131072	 /* payload bytes of one event before they are split into PARTs */
#define EVENT_SINKS_MAX 4096	 /* output digests of the END event */
#define SIGINFO_BYTES 128
#define PATH_BYTES_MAX 4096

enum event_kind {
	EVENT_CALL = 0,	     /* a call came back (or was rewound for a restart) */
	EVENT_PART = 1,	     /* some payload bytes of the CALL, EXEC or CLONE that follows */
	EVENT_TURN = 2,	     /* one thread stopped running, another goes on */
	EVENT_EXEC = 3,	     /* a new program image: starts a unit */
	EVENT_CLONE = 4,     /* a new thread or process */
	EVENT_EXIT = 5,	     /* a thread is gone */
	EVENT_SIGNAL = 6,    /* a signal took effect on a thread */
	EVENT_SIGRETURN = 7, /* a handler returned */
	EVENT_TRAP = 8, /* an instruction was answered (rdtsc, rdtscp, rdrand, rdseed, cpuid, rdpid) */
	EVENT_CHECKPOINT = 9, /* state was hashed */
	EVENT_REFUSED = 10,   /* a call was answered with its row's errno and never executed */
	EVENT_MEMORY = 11,    /* foreign write: bytes of a shared object that a call changed */
	EVENT_END = 12,	      /* the last event: exit status, output digests, final state hash */
};

/* General registers in the kernel's user_regs_struct order (x86-64); stored as 27 little-endian words. */
struct registers {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax,
		rip, cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};
#define REGISTERS_WORDS 27

/*
 * The `arg` of a payload: 0..5 is an argument of the call, as its row numbers them. Larger values say
 * what wrote the bytes when no argument did.
 */
enum payload_source {
	PAYLOAD_IMAGE = 6,	   /* EXEC: pages of the new image that differ from their backing */
	PAYLOAD_SETTID = 7,	   /* CLONE: PARENT_SETTID word, in the parent's memory */
	PAYLOAD_CLEARTID = 8,	   /* EXIT: the CLEARTID word */
	PAYLOAD_ROBUST = 9,	   /* EXIT: a word of the robust futex list */
	PAYLOAD_FRAME = 10,	   /* SIGNAL: the frame that the kernel built */
	PAYLOAD_OBJECT = 11,	   /* MEMORY: address is an offset inside the shared object */
	PAYLOAD_CHILD_SETTID = 12, /* CLONE: CHILD_SETTID word, in the child's memory */
	PAYLOAD_TAGS = 13, /* CHECKPOINT: 8 bytes for each group of pages from `address` on (sandbox/tag.h) */
	PAYLOAD_TEXT = 14, /* CALL of mmap, mprotect, TRAP_CODE: a byte of program text that was replaced (sandbox/replaced.h) */
	PAYLOAD_SOURCE_LAST = 14,
};
enum direction { DIRECTION_IN = 1, DIRECTION_OUT = 2, DIRECTION_INOUT = 3 };

/* Bytes captured from guest memory (IN: the guest must show the same) or for it (OUT: written). */
struct payload {
	uint8_t arg;
	uint8_t direction; /* DIRECTION_IN or DIRECTION_OUT, never both */
	uint64_t address;
	size_t length; /* of bytes */
	const uint8_t *bytes;
};

enum backing {
	BACKING_ANON = 0,   /* zero-filled */
	BACKING_BLOB = 1,   /* private mapping of file content: a blob */
	BACKING_SHARED = 2, /* shared object: file or anonymous */
};

/* One mapping of an address space. Page-aligned; also the entry type of sandbox's mapping table. */
struct mapping {
	uint64_t start, end; /* end is exclusive */
	uint32_t prot;	     /* PROT_* */
	uint32_t flags; /* MAP_PRIVATE, MAP_SHARED, MAP_GROWSDOWN, MAP_NORESERVE; nothing else */
	enum backing backing;
	uint8_t digest[DIGEST_BYTES]; /* BLOB: whose content; SHARED: content when the object was first mapped; zeros if none */
	uint64_t offset; /* of start inside the blob or object, bytes */
	uint64_t length; /* of the blob or object, bytes: pages past it fault with SIGBUS; 0 for ANON */
	uint64_t object; /* SHARED: number of the object, from 1; else 0 */
	const char *path; /* name for people (symbols, audit), or NULL; no part of any hash; borrowed */
	/* BLOB, while recording: the file, and where in it the blob starts. No part of a record or hash; inode 0 = not known. */
	uint64_t device, inode, base;
};

enum turn_end {
	TURN_BOUNDARY = 0, /* the thread stands right after its last event (or never ran) */
	TURN_ENTRY = 1,	   /* it stands at the entry of call `nr` */
	TURN_COUNT = 2, /* cut inside computation: `count` branches after its last event, at `registers` */
	TURN_ADDRESS = 3, /* the same, where registers.rip is an address rarely executed nearby */
	/* 4 is not used. */
	TURN_STATE = 5, /* cut inside computation where `registers` and the whole state of the process are these */
};

enum call_flag {
	CALL_RESTARTED = 1, /* a handler with SA_RESTART came first: rip goes back to the call, rax to its number */
	CALL_UNFINISHED = 2, /* the call is still in flight, or its thread died inside it: only what it has written so far */
	CALL_HIDES_CODE = 8, /* what the call made executable is so only once it runs (sandbox/code.h) */
	CHECKPOINT_UNPLACED = 4, /* CHECKPOINT: where the thread stood is not known: its registers and memory are left out */
};

enum signal_action {
	SIGNAL_HANDLED = 0, /* a frame was built and the handler starts */
	SIGNAL_FATAL = 1,   /* default action: the process ends */
};

enum exit_cause {
	EXIT_CALL = 0,	 /* its own exit or exit_group */
	EXIT_SIGNAL = 1, /* a fatal signal of its own (a SIGNAL event came before) */
	EXIT_GROUP = 2,	 /* another thread ended the process, or exec'd */
	EXIT_KILLED = 3, /* SIGKILL: no SIGNAL event came before */
	EXIT_UNKNOWN = 4, /* killed at an unknown point: its registers and memory are not in the last checkpoint */
};

#define CHECKPOINT_SHIFT_MAX 52
enum checkpoint_reason {
	CHECKPOINT_EXIT = 0,	 /* before a process ends */
	CHECKPOINT_EXEC = 1,	 /* before a process replaces its image (at the entry of execve) */
	CHECKPOINT_IMAGE = 2,	 /* after exec: the new image */
	CHECKPOINT_INTERVAL = 3, /* a turn boundary past the checkpoint interval */
};

enum trap_kind {
	TRAP_RDTSC = 0,
	TRAP_RDTSCP = 1,
	TRAP_RANDOM = 2, /* RDRAND or RDSEED */
	TRAP_CPUID = 3,	 /* args: eax and ecx before */
	TRAP_RDPID = 4,
	TRAP_CODE = 5, /* no instruction: memory args[0] to args[1] becomes executable (sandbox/code.h) */
};

enum sink_kind { SINK_STDOUT = 1, SINK_STDERR = 2, SINK_FILE = 3, SINK_SOCKET = 4 };

/* All bytes that guests sent to one destination, in order. */
struct sink {
	uint32_t number; /* from 1: 1 is stdout, 2 is stderr, others in order of first use */
	uint8_t kind;	 /* enum sink_kind */
	uint64_t bytes;
	uint8_t digest[DIGEST_BYTES]; /* SHA-256 */
};

struct event {
	uint64_t number; /* position in the stream, from 0; not stored */
	enum event_kind kind;
	uint32_t thread; /* serial number of the thread, from 1 in order of creation; 0 where none */

	/* The stop: all kinds at which a thread stood somewhere (CALL, EXEC, CLONE, EXIT, SIGNAL, TRAP, ...). */
	uint64_t ip; /* instruction pointer at the stop; a call's is the one after `syscall` */
	uint64_t registers_hash; /* registers_hash() of the general registers at the stop; 0 = not taken */

	/* The call: CALL, PART (nr only), EXEC, CLONE, REFUSED, SIGRETURN, TURN_ENTRY (nr only). */
	uint32_t nr;
	uint64_t args[6]; /* those the row does not have are 0 */
	int64_t result;	  /* CALL, REFUSED: rax as the guest saw it */
	uint32_t flags;	  /* enum call_flag */
	uint32_t sink;	  /* CALL: IN bytes went to this sink; 0 = none */

	const struct payload *payloads;
	size_t payloads_count;
	const struct mapping *mappings; /* EXEC: whole table; CALL of the map family: the mapping made; MEMORY: what the object is behind now */
	size_t mappings_count;

	/* State after: SIGNAL_HANDLED, SIGRETURN, EXEC; TURN_COUNT/ADDRESS/SPIN/STATE: at the cut. */
	const struct registers *registers; /* NULL where absent */
	const uint8_t *vector; /* vector state in canonical form (sandbox/register.h), NULL where absent */
	size_t vector_length;

	union {
		struct {
			enum turn_end end;
			uint32_t next; /* thread that goes on */
			uint64_t count; /* retired conditional branches since the thread's last event */
			uint8_t state[DIGEST_BYTES]; /* TURN_STATE: as of an intermediate checkpoint */
		} turn;
		struct {
			uint32_t unit;	      /* serial number of the unit that starts, from 1 */
			uint32_t process;     /* guest-visible pid */
			uint64_t brk;	      /* initial program break (start of the heap) */
			uint64_t stack_limit; /* RLIMIT_STACK soft, bytes; UINT64_MAX = unlimited */
			const char *path;     /* resolved path of the program, for people */
		} exec;
		struct {
			uint32_t child;	   /* serial number of the new thread */
			uint32_t tid, pid; /* guest-visible */
			uint64_t clone_flags; /* CLONE_* as the kernel used them, exit signal in the low byte */
			uint64_t stack; /* the child's rsp, 0 = the parent's */
			uint64_t tls;	/* the child's fs_base where CLONE_SETTLS */
		} clone;
		struct {
			enum exit_cause cause;
			bool process_gone; /* the last thread of its process */
			uint32_t status;   /* as wait(2) reports it */
		} exit;
		struct {
			enum signal_action action;
			bool synchronous; /* raised by the instruction at ip: replay runs there to get it */
			uint8_t siginfo[SIGINFO_BYTES];
			uint64_t mask; /* blocked signals while the handler runs, bit 0 = signal 1 */
		} signal;
		struct {
			enum trap_kind kind;
			uint64_t value; /* cpuid: eax, and ebx in the upper half */
			uint32_t aux;	/* rdtscp: ecx */
			uint64_t more;	/* cpuid: ecx, and edx in the upper half */
		} trap;
		struct {
			enum checkpoint_reason reason;
			uint32_t unit;
			bool last;		    /* the unit's last: SHA-256 pages */
			uint8_t hash[DIGEST_BYTES]; /* SHA-256, or XXH3-128 in the first 16 bytes and zeros */
			uint32_t shift;		    /* one tag covers 2^shift pages */
		} checkpoint;
		struct {
			uint64_t object; /* 0: payloads are bytes of the target's own memory */
			uint64_t length; /* of the object after the write, bytes */
			uint32_t target; /* a thread of the space that `mappings` are made in, 0 = none */
		} memory;
		struct {
			uint32_t status; /* of the first process, as wait(2) reports it */
			uint32_t units;
			uint64_t threads;
			uint8_t state[DIGEST_BYTES]; /* final state hash of the domain */
			const struct sink *sinks;
			size_t sinks_count;
		} end;
	};
};

/* Lower-case name of a kind for people ("call", "turn", ...). Never NULL. */
const char *event_kind_name(enum event_kind kind);

/* XXH3-64 over the general registers that a stop at a call or fault must repeat: all but rax,
 * orig_rax, rcx, r11, and the flags that a stop may set (TF, RF). Never 0. */
uint64_t registers_hash(const struct registers *registers);

#endif
