/*
 * The model of the guests: threads, processes, address spaces and the calls in flight. Recorder and replayer keep
 * one each and change it by the same functions, so that both know the same without asking the kernel.
 */
#ifndef SWORN_SANDBOX_GUEST_H
#define SWORN_SANDBOX_GUEST_H

#include <sys/types.h>
#include "../traces/event.h"
#include "../traces/extent.h"
#include "arena.h"
#include "cut.h"
#include "dirty.h"
#include "mapping.h"
#include "seccomp.h"
#include "signal.h"
#include "state.h"

/* One address space: shared by the threads of a process and by a vfork child until it execs. */
struct space {
	unsigned int references; /* processes */
	struct mapping_table table;
	uint64_t brk_start, brk;
	int mem_fd;	     /* /proc/TID/mem, -1 until first used */
	struct dirty *dirty; /* NULL before dirty_start() */
	uint32_t floating; /* recorder: thread that lost the CPU at a point without a name, 0 = none */
};

/* A program image and its forks, until they exec or exit. */
struct unit {
	uint32_t number;
	unsigned int processes;
	bool final_known;
	uint8_t final[DIGEST_BYTES]; /* the last checkpoint's hash */
	bool elsewhere;		     /* replay: another process plays it, here is only the model */
	unsigned int starting; /* replay: events that its first thread still has on the recorded processor */
	struct unit *next;
};

struct fd_cache;

struct process {
	uint32_t pid;  /* guest-visible */
	pid_t leader;  /* as this process names its first thread */
	uint32_t ppid; /* guest-visible, 0 = ask the kernel */
	struct unit *unit;
	struct space *space;
	struct signal_table *signals;
	struct fd_cache *fds; /* recorder only */
	struct thread *threads;
	unsigned int threads_count; /* alive */
	bool timers;		    /* armed a timer that sends signals */
	bool waited;		    /* recorder only: it has waited for a child */
	bool ending;		    /* exit_group or a fatal signal is under way */
	bool checkpointed;	    /* its exit checkpoint was taken */
	bool vfork_child;	    /* borrows its parent's space */
	uint32_t dumpable;	    /* what PR_GET_DUMPABLE answers */
	uint32_t status;	    /* wait status once it ends */
	uint64_t stack_limit;
	bool reads_execute; /* personality(2): what can be read can be executed */
};

/* Where a thread stands between events; both sides agree on it. */
enum stand {
	STAND_BOUNDARY, /* right after its last event, nothing executed since */
	STAND_ENTRY,	/* at the entry of `call` */
	STAND_FAULT,	/* at a signal stop raised by the instruction at rip */
	STAND_GONE,
};

#define VSYSCALL_PAGE 0xffffffffff600000ULL

/* What a call that makes a thread asks for, in whichever form (clone(2)); zero where it does not say. */
struct clone_words {
	uint64_t flags;		       /* the exit signal in the low byte */
	uint64_t pidfd, parent, child; /* where CLONE_PIDFD, CLONE_PARENT_SETTID and CLONE_CHILD_* write */
	uint64_t stack;		       /* the new thread's rsp */
	uint64_t tls;
};

/* One call in flight. */
struct call {
	const struct row *row; /* resolved; NULL for a number without a row */
	uint32_t nr;
	uint64_t args[6]; /* raw registers */
	uint64_t ip;
	uint64_t registers_hash;
	struct range_list entry; /* extent_entry()'s ranges */
	uint8_t input[32]; /* FAMILY_SIGNAL: what argument 1 pointed at, read before it may be overwritten */
	bool has_input;
	uint64_t frame;		  /* rsp at the entry: rt_sigreturn's frame */
	struct ruling ruling;	  /* of the guest's own seccomp filters */
	struct clone_words clone; /* FAMILY_CLONE */
};

/* In the vsyscall page, which the kernel keeps at one address for programs older than the vDSO. */
static inline bool is_vsyscall_address(uint64_t address)
{
	return address >= VSYSCALL_PAGE && address < VSYSCALL_PAGE + 4096;
}

/* It was made from that page, where no `syscall` put anything into rcx and r11. */
static inline bool call_is_vsyscall(const struct call *call)
{
	return is_vsyscall_address(call->ip);
}

enum run_state {
	RUN_STOPPED, /* in a ptrace stop */
	RUN_USER,    /* resumed, executing its own code */
	RUN_KERNEL,  /* resumed into a call that may sleep */
	RUN_LISTEN,  /* in a group stop */
	RUN_DEAD,
};

struct record_thread; /* the recorder's own fields, record/recorder.h */

/* Replay, of a unit played elsewhere: what a handler's frame puts back. */
struct followed_frame {
	uint64_t rsp, mask;
};
#define FOLLOWED_FRAMES 8

struct thread {
	uint32_t number;
	pid_t tid;	    /* as this process names it */
	uint32_t guest_tid; /* as the guest names it */
	struct process *process;
	struct thread *sibling; /* next in its process */
	struct thread *next;	/* all threads, ascending by number */
	enum run_state run;
	enum stand stand;
	bool unplaced;		    /* killed where nobody knows: left out of the last checkpoint */
	struct registers registers; /* at the last stop, as changed since */
	struct call call;
	uint64_t mask; /* blocked signals */
	struct signal_stack stack;
	struct seccomp seccomp;
	uint64_t clear_tid, robust_list;
	uint8_t *vector; /* recorder: vector state when its group stop began; owned */
	size_t vector_length;
	struct counter *counter;
	int stop_status; /* wait status of a stop not yet looked at, 0 = none */
	struct record_thread *record;
	uint64_t in_cursor_range, in_cursor_offset; /* replay: how far IN payloads were checked */
	struct followed_frame frames[FOLLOWED_FRAMES]; /* the newest, in a ring */
	unsigned int frames_count;
};

struct guests {
	struct thread *first, *last; /* alive, ascending by number */
	unsigned int alive;
	uint32_t threads, units_count; /* numbers given so far */
	struct unit *units, *units_last;
	struct arena *arena;
};

void guests_release(struct guests *guests);

/* Recorder: the process was killed in exec, before its new image was an event. It ends in the unit it was of. */
void guest_exec_lost(struct guests *guests, struct process *process, struct unit *former);

/* A new process with a first thread, in a new unit. NULL on lack of memory. */
struct thread *guest_first(struct guests *guests, pid_t tid, uint32_t guest_pid);

/* What clone did, for guest_clone(). */
struct clone_request {
	uint64_t flags; /* CLONE_*, exit signal in the low byte */
	pid_t tid;
	uint32_t guest_tid;
};
/* A new thread or process of `parent` after clone: shares or copies space, signals, mask, stack as the
 * flags say (clone(2)). NULL on lack of memory. */
struct thread *guest_clone(struct guests *guests, struct thread *parent,
			   const struct clone_request *request);

/* What the call of FAMILY_CLONE asks for at whose entry `thread` stands; zeros where its structure cannot be read. */
void clone_words_read(struct thread *thread, struct clone_words *ret);

/* What the call of `parent` that `event` (a CLONE) tells of makes of the new thread: registers at its first
 * instruction, the word to clear at its end. */
void guest_born(const struct thread *parent, struct thread *child, const struct event *event);

/* The thread is gone. Unlinks and frees it; frees its process with the last one. Returns true when
 * the process went with it. */
bool guest_exit(struct guests *guests, struct thread *thread);

/* exec succeeded on `thread`: its process gets a new unit and a new empty space, signals reset. */
int guest_exec(struct guests *guests, struct thread *thread);

struct thread *guest_by_tid(const struct guests *guests, pid_t tid);
struct thread *guest_by_number(const struct guests *guests, uint32_t number);

/* Opens /proc/TID/mem for the thread's space when it is not open yet; the fd or -errno. */
int guest_memory(struct thread *thread);
/* Reads without growing a stack or populating more than it touches: as guest_reader. */
size_t guest_read(void *thread, uint64_t address, void *buffer, size_t length);
/* Writes whatever the page protection, growing the stack where the address lies below it. 0,
 * -EFAULT, or SWORN_EGONE. */
int guest_write(struct thread *thread, uint64_t address, const void *bytes, size_t length);

/*
 * The thread stands at a seccomp stop with `registers` read: fills its call (row, arguments, hash, entry
 * ranges) and sets stand to STAND_ENTRY. 0 or negative.
 */
int guest_enter_call(struct thread *thread);

/* Registers as before the call, which is to be made again: rip at the instruction, rax its number. */
void guest_rewind_call(struct thread *thread);

/* Effects of a finished call that both models follow from the same facts: mprotect, munmap, rt_sigaction,
 * rt_sigprocmask, sigaltstack, set_tid_address, set_robust_list, prctl. For a successful call only. */
int guest_finish_call(struct thread *thread, int64_t result);

/* What the thread's seccomp filters say about the call that guest_enter_call() found. */
struct ruling guest_judge(const struct thread *thread);
/*
 * Their effect on the model of a call that does not run: a signal that nobody can take becomes default (signal(7)).
 * What the guest finds in rax: an error, or the call's number where a signal follows.
 */
int64_t guest_filtered(struct thread *thread);
/* The siginfo of the SIGSYS that follows guest_filtered() (seccomp(2)). */
void guest_filtered_siginfo(const struct thread *thread, uint8_t ret_siginfo[SIGINFO_BYTES]);
/* Answers a call of FAMILY_SECCOMP and changes the model; a negative result is a negative errno. `privileged`: it has
 * CAP_SYS_ADMIN. */
int64_t guest_seccomp(struct thread *thread, bool privileged);

/* The same for rt_sigaction, rt_sigprocmask and sigaltstack alone. */
void guest_signal_call(struct thread *thread);
/* How far mprotect got, once its result is known: a failure leaves what lies below the obstacle changed. */
uint64_t guest_protected(const struct thread *thread, int64_t result);

/* A handler starts: the mask while it runs, one-shot dispositions, the alternate stack. */
void guest_handled(struct thread *thread, int signal, uint64_t mask);
/* rt_sigreturn with the frame at `frame` (rsp at the call): mask and alternate stack come back from it. */
void guest_sigreturn(struct thread *thread, uint64_t frame);

/* The protection that the process gets when it asks for `prot`. */
uint32_t guest_protection(const struct process *process, uint64_t prot);
/* The model's part of mprotect, brk, mremap and shmdt, once their result is known. 0 or negative. */
int guest_mprotect(struct thread *thread, int64_t result);
int guest_brk(struct thread *thread, uint64_t result);
int guest_mremap(struct thread *thread, uint64_t result);
int guest_shmdt(struct thread *thread);
/* The lowest mapping from `from` on of the segment that the thread's shmdt takes away, or NULL. What a guest unmapped or
 * protected of it since has left pieces, not all of them at its start (shmat(2)). Borrowed until the table changes. */
const struct mapping *guest_segment_piece(const struct thread *thread, uint64_t from);

/* A shared object has a new length: every mapping of it, in every space, says so. */
void guests_object_length(struct guests *guests, uint64_t object, uint64_t length);

struct state_request {
	enum page_hash pages;
	bool with_memory;	/* false leaves memory out (vfork child) */
	struct page_tags *tags; /* appended to unless NULL */
};
/* Hash of the process's state. */
int guest_state(const struct guests *guests, struct thread *thread,
		const struct state_request *request, uint8_t ret_hash[DIGEST_BYTES]);
/* True when `process` is the only one in its unit, i.e. its end ends the unit. */
bool unit_ends_with(const struct process *process);

#endif
