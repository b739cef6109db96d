/*
 * The recorder: turns stops into events. schedule.c decides whose stop comes next, recorder.c what each
 * stop means, record_*.c hold one special family each, capture.c moves guest memory into payloads.
 */
#ifndef SWORN_RECORD_RECORDER_H
#define SWORN_RECORD_RECORDER_H

#include <sys/stat.h>

#include "../sandbox/cpu_model.h"
#include "../sandbox/domain.h"
#include "../sandbox/guest.h"
#include "../sandbox/sink.h"
#include "../sandbox/stop.h"
#include "../traces/writer.h"

#define TEXT_DOUBTS_BYTES 512
#define PLACE_BYTES 64			/* enough of a kernel function's name */
#define SLICE_NS 10000000ULL		/* a turn's length while others wait */
#define BOOT_BEFORE_NS 1000000000000ULL /* the virtual machine booted this long before the epoch */
#define SLICE_BRANCHES 4000000ULL	/* the same, counted: what arms the counter */

/* Payloads of one call, collected until its event is written. */
struct captured {
	uint8_t arg, direction;
	uint64_t address;
	size_t length, offset; /* offset into bytes */
};
struct capture {
	struct captured *items;
	size_t count, capacity;
	uint8_t *bytes; /* EVENT_PART_BYTES */
	size_t length;
};

/* A word of a dying thread's robust futex list. */
struct robust_word {
	uint64_t address;
	uint64_t object, offset,
		length; /* where it is in a shared object of that length; object 0: private memory */
};

/* A signal that came where no event can stand; delivered at the next boundary. */
#define HELD_SIGNALS_MAX 65536 /* more than a user may have pending, as kernels are set */
struct held_signal {
	int signal;
	uint8_t siginfo[SIGINFO_BYTES];
};

/* What a guest thinks it is scheduled by. */
struct guest_schedule {
	int policy;	   /* one of the realtime ones, or 0: whatever the kernel says */
	uint32_t priority; /* 1 to 99 */
	bool reset;	   /* SCHED_RESET_ON_FORK */
	bool chosen;	   /* it asked for one that is not realtime, which the kernel gave it */
	uint64_t runtime, deadline, period; /* of SCHED_DEADLINE, nanoseconds */
	uint64_t affinity;		    /* 0: all that guests see */
	bool nice;			    /* a guest chose the niceness; else the user did */
};

/* A call that waits until the virtual clock gets somewhere (timeout.h). */
struct wait {
	bool timed, expired; /* it has a deadline; which has come: the call was interrupted */
	uint64_t deadline_ns;
};

/* The recorder's own part of a thread. */
struct record_thread {
	int request;	 /* PTRACE_CONT or PTRACE_SYSCALL: how to resume it */
	int deliver;	 /* signal to resume it with */
	bool in_call;	 /* between the entry and the return of `call` */
	bool restarting; /* the call was interrupted and comes back by itself */
	bool blocks;	 /* the call may sleep */
	bool turned;	 /* the trace says that it stands at the entry of its call */
	uint64_t told;	 /* hash of what the call had written when that was last told, 0 = never */
	bool exiting;	 /* EVENT_EXIT was seen */
	bool own_exit;	 /* it called exit or exit_group, or got a fatal signal */
	bool stream_waits,
		stream_cut; /* seeded: its read only waits; reads less than asked for (stream.h) */
	bool has_waited;    /* seeded: and is made again */
	bool absent;	    /* seeded: the file that the call may make was not there at its entry */
	uint8_t behind[64]; /* seeded: what was where readlink(2) writes */
	size_t behind_length;
	bool uncertain; /* ran unobserved when it was killed */
	bool computing; /* resumed into its own code, and no event since: at a point without a name */
	bool counting; /* its counter counts from its last event */
	bool no_event; /* its last stop was no event: the count goes on */
	bool cut;      /* its turn was cut at `position` */
	struct position position;
	struct capture capture;
	struct held_signal *held; /* in order of arrival; owned */
	size_t held_count, held_capacity;
	int unframed; /* the kernel could not write or read this signal's frame: a SIGSEGV of its own follows */
	bool unframed_sync;	   /* that signal came from an instruction */
	bool held_raised;	   /* the first of them was raised again and comes back as a stop */
	struct registers boundary; /* registers when it was last resumed from a boundary */
	uint64_t resumed_ns;	   /* when that was, monotonic */
	uint64_t next_look_ns;	   /* when to look again whether it spins */
	uint64_t computed_ns; /* its processor time when it was first found computing since, 0 = it was not */
	uint64_t slice_branches; /* of its slice, counted from its last event; 0 = it is over */
	uint64_t slice_ns;	 /* and what the virtual clock moves by at its end */
	uint64_t slice_seen;	 /* branches of it when its time was looked at last */
	unsigned int cpu_looks; /* seeded: at CPU time, with no other call of its own between, whatever others do */
	uint64_t lowest_ip, highest_ip; /* where it was found computing since */
	int stat_fd;			/* /proc/TID/stat, -1 until first used */
	int wchan_fd;			/* the same for /proc/TID/wchan */
	unsigned int looks;		/* at it, in vain */
	bool tells_place;		/* it said once where the thread sleeps */
	char place[PLACE_BYTES]; /* seeded: and where its call has slept since it began, "" = it has not (rest.h) */
	struct robust_word *robust_words; /* what its death may write */
	size_t robust_count;
	uint64_t clear_word;
	struct guest_schedule schedule;
	uint64_t revealed; /* start of the code that ran last for the first time: a fault right there is its own */
	struct wait wait;
	bool slept;	      /* seeded: its call did, and came back later */
	bool died;	      /* seeded: its death was reported and waits for its turn */
	int death;	      /* that wait status */
	uint32_t vfork_child; /* its clone waits until this one has left its memory, 0 = none */
	uint32_t priority;    /* chaos: 0 = not drawn yet */
};

/* A held signal still has to be raised. One that was may stay pending: a handler's mask can block it. */
static inline bool record_holds(const struct record_thread *own)
{
	return own->held_count > 0 && !own->held_raised;
}

#define MAPPED_FILES_WORDS 1024

/* Content that more than one may change at once: a file mapped shared and writable, or written by calls while it is
 * mapped, or a System V segment. */
struct fd_info;
struct timer;

#define OUTSIDE_MAX 16
struct file_id {
	dev_t device;
	ino_t inode;
};
struct view;

/* Numbers that sockets were given (ports.h). */
#define SETTLED_SOCKETS 256
struct given {
	uint32_t ports, names, netlinks;
	uint64_t settled[SETTLED_SOCKETS]; /* inodes of sockets that need no number any more */
};

#define MOVES_KEPT 64
#define SOCKET_TIMES 256
struct socket_time;

/* A descriptor of a pseudo-terminal, where a guest has it (background.h). */
struct terminal_end {
	pid_t tid;
	int fd;
	bool master;
};

struct shared_object {
	uint64_t number, device, inode;
	uint64_t length;
	uint8_t digest[DIGEST_BYTES];
	bool stays; /* its content outlives its mappings, and nobody can read it then: a System V segment */
	struct shared_object *next;
};

struct recorder {
	struct guests guests;
	struct thread *current; /* whose turn it is, NULL between turns */
	struct thread *last;	/* whose turn ended, NULL when it is gone */
	uint32_t last_number;
	struct event turn; /* how it ended, not yet written */
	struct registers turn_registers;
	uint64_t slice_start_ns;
	struct thread *first;	 /* the command's first thread, while it lives */
	struct process *command; /* its process, while it lives */
	uint32_t command_status;
	bool command_gone;
	pid_t init;
	unsigned int detached; /* threads that were let go to die */
	struct writer *writer;
	struct sinks *sinks;
	struct random *random;
	struct shared_object *objects;
	uint64_t objects_count;
	uint64_t mapped_files[MAPPED_FILES_WORDS]; /* one bit for each file that was ever mapped, by hash */
	uint64_t checkpoint_interval, next_checkpoint;
	bool use_counter, virtual_clock;
	bool seeded; /* --schedule seeded: nothing in the trace may depend on anything but command, files and seed */
	struct view *view; /* seeded: what guests see of the host (view.h); NULL: the host as it is. Owned */
	const struct cpu_model *cpu; /* --cpu: what guests see, NULL: the host's */
	bool hides_code; /* the call that returns made memory executable that is hidden (code.h) */
	bool own_code; /* some memory that is executable has no file: not all its instructions were looked at */
	char text_doubts[TEXT_DOUBTS_BYTES]; /* files with places that could be CPUID, and how many */
	bool refuse_sockets; /* no network namespace: other families than AF_UNIX are refused here */
	bool pmu_used;	     /* a preempted turn is in the trace */
	uint64_t clock_ns, epoch_ns;
	unsigned int clock_polls; /* seeded: reads of the clock, and other looks, in a row */
	unsigned int clock_reads; /* of them: with no other look between */
	struct random *pace;  /* seeded: the stream that the virtual clock's steps are drawn from */
	struct random *order; /* seeded: the stream that turns are drawn from */
	uint64_t slice_rest;  /* seeded: branches counted that are no full slice yet */
	struct random *slices;	  /* seeded: the stream that slices are drawn from */
	bool chaos;		  /* seeded: turns that a fair order would rarely give */
	unsigned int turn_events; /* seeded: a turn has at most as many, 0 = not drawn yet */
	unsigned int turn_left;	  /* seeded: events that the turn has */
	uint64_t turn_over;	  /* seeded: ends at this event */
	bool one_cpu;		  /* recorder and guests share one */
	bool stirred;	      /* seeded: a call may have woken somebody since all were at rest */
	bool timed_cuts;      /* seeded: a turn ended where it happened to be after a time */
	bool killing;	      /* seeded: and may have killed somebody */
	uint64_t idle_events; /* seeded: events when the clock jumped last */
	unsigned int jumps;   /* seeded: of the clock since then */
	struct timer *timers; /* on the virtual clock */
	size_t timers_kept;   /* timerfds that guests had when all were looked at last */
	struct given given;   /* seeded */
	struct socket_time *socket_times[SOCKET_TIMES]; /* socket_time.h, by inode; owned */
	uint32_t moves[MOVES_KEPT],
		moves_count; /* seeded: numbers that inotify gave, newest at moves_count */
	struct terminal_end master, slave; /* seeded: where they were found last */
	bool reuse_chosen; /* seeded: a guest said itself who gets what at a shared port */
	bool routes;	   /* seeded: some guest has a netlink socket */
	bool terminals;	   /* seeded: some guest opened the master of one */
	struct file_id outside[OUTSIDE_MAX]; /* what the command inherits and others may wait at */
	size_t outside_count;
	bool network;	       /* guests may reach the host's: any socket may lead outside */
	bool random_devices;   /* some guest opened /dev/random or /dev/urandom */
	uint64_t claimed;      /* signals that a guest sent itself with the si_code of a fault */
	uint64_t affinity;     /* CPUs that guests see, bit 0 = CPU 0 */
	const char *status;    /* NULL, or why Sworn itself ended the run ("needs_pmu", ...) */
	struct range_list out; /* scratch */
	int *orphans;	       /* pairs (tid, status) of stops of threads not yet named */
	size_t orphans_count, orphans_capacity;
	void (*interrupted)(struct recorder *rec); /* a wait was interrupted by a signal of ours; owned by cmd_record */
	void (*warn)(const char *what, const char *detail); /* prints once per text; owned by cmd_record */
};

/* schedule.c */
/* The next stop: fills *ret_thread and *ret_status. 1, 0 when no guest is left, negative on failure. */
int schedule_next(struct recorder *rec, struct thread **ret_thread, int *ret_status);
/* Says how the thread goes on once it has the turn. */
void schedule_resume(struct thread *thread, int request, int signal);
/* Takes in a stop that waitpid gave for `tid`: deaths are handled at once, other stops wait for their thread's turn. 1 or negative. */
int schedule_stopped(struct recorder *rec, pid_t tid, int status);
/* A stop of a tid that no event has named yet: waits for it. */
int schedule_birth(struct recorder *rec, pid_t tid);
/* Writes where the thread that ran last stands, before an event of another thread that comes outside of its turn. */
int schedule_mark(struct recorder *rec);
/* True when a thread other than `thread` waits for a turn. */
bool schedule_others_ready(const struct recorder *rec, const struct thread *thread);

bool schedule_ready(const struct thread *thread);
/* Takes in every stop that is due, without waiting. 0 or negative. */
int schedule_sweep(struct recorder *rec);
/* Ends the current turn; its event is written once it is known who goes on. */
void schedule_end_turn(struct recorder *rec, struct thread *thread);
uint64_t schedule_now_ns(void); /* monotonic */
/* The letter that proc_pid_stat(5) gives for the thread, '?' when it is gone. */
char schedule_state(struct thread *thread);
/* Its call is a vfork whose child has not left the memory they share. */
bool schedule_vforks(const struct recorder *rec, const struct thread *thread);

/* preempt.c */
/* Before the thread runs: its counter counts when something may have to end its turn. */
int preempt_start(struct recorder *rec, struct thread *thread);
/* Waits for a thread whose counter counts. */
int preempt_wait(struct recorder *rec, struct thread *thread);
/* At a tick, without a counter: whether the turn can end while the thread computes on. */
int preempt_look(struct recorder *rec, struct thread *thread);
/* The same for a thread that stands stopped inside computation, at a stop that is no event. */
int preempt_here(struct recorder *rec, struct thread *thread);

/* slice.c: seeded turns that end at exact counts */
/* Whether the thread, about to run its own code, may have to end its turn there. */
bool slice_is_needed(const struct recorder *rec, const struct thread *thread);
/* An event ended what its counter counted: brings the virtual clock forward by the slices that this makes full. 0 or negative. */
int slice_count(struct recorder *rec, struct thread *thread);
/* Its counter, which is open, begins a slice, or goes on with the one that a stop without an event interrupted. */
int slice_start(struct recorder *rec, struct thread *thread);
/* Waits for it: for a stop, or to where the slice ends, and the turn with it. */
int slice_wait(struct recorder *rec, struct thread *thread);

/* recorder.c */
int recorder_take(struct recorder *rec, struct thread *thread, int status);
int record_event(struct recorder *rec, const struct event *event);
void record_thread_init(struct thread *thread);
void record_thread_release(struct thread *thread);
/* Its tid is another one now: closes what is open under the old one. */
void record_thread_forget(struct thread *thread);
/* Starts an event of `thread` from its call: nr, args, ip, hash. */
struct event record_call_event(const struct thread *thread, enum event_kind kind);
/* Answers the call at whose entry the thread stands, without executing it, and emits its CALL event. */
int record_answer(struct recorder *rec, struct thread *thread, int64_t result);
/* record_checkpoint.c */
/* Hash of the process's state, after writing what calls in flight in its space have written so far. */
int record_state(struct recorder *rec, struct thread *thread, const struct state_request *request,
		 uint8_t ret_hash[DIGEST_BYTES]);
/* Says what a call that is still in the kernel has written so far into the memory of `witness`. */
int record_in_flight(struct recorder *rec, struct thread *thread, struct thread *witness);
/* Before the event of a clone: the new process has a copy of what calls in flight had written by then. */
int record_copied(struct recorder *rec, const struct thread *parent, struct thread *child);
/* Writes a checkpoint of the thread's process. */
int record_checkpoint(struct recorder *rec, struct thread *thread, enum checkpoint_reason reason);

/* capture.c */
int capture_range(struct recorder *rec, struct thread *thread, const struct range *range);
/* The same, as the memory of `witness` has it. */
int capture_range_in(struct recorder *rec, struct thread *thread, struct thread *witness,
		     const struct range *range);
int capture_bytes(struct recorder *rec, struct thread *thread, const struct payload *payload);
/* Writes what was captured so far as a PART event (before another thread runs, or when it grew large). */
int capture_flush(struct recorder *rec, struct thread *thread);
/* Writes `event` with the captured payloads and clears them. */
int capture_emit(struct recorder *rec, struct thread *thread, struct event *event);
void capture_release(struct capture *capture);

/* record_call.c */
int record_entry(struct recorder *rec, struct thread *thread);
int record_return(struct recorder *rec, struct thread *thread);

/* shared.c */
/* The object behind a file or segment while some guest maps it, or NULL. Borrowed. */
struct shared_object *shared_find(struct recorder *rec, uint64_t device, uint64_t inode);
/* A new one, without content. NULL on lack of memory. Owned by the recorder. */
struct shared_object *shared_new(struct recorder *rec, uint64_t device, uint64_t inode);
/* Gives a new object the content of the file behind `fd`, and adopts. */
int shared_begin(struct recorder *rec, struct thread *thread, struct shared_object *object, int fd);
/* Mappings of the file that were blobs become mappings of the object, but for pages that their process has
 * written: emits MEMORY events in the name of `thread`'s call. */
int shared_adopt(struct recorder *rec, struct thread *thread, const struct shared_object *object);
/* Remembers which file is behind a blob mapping, `base` bytes into it. */
void shared_note_file(struct recorder *rec, struct mapping *mapping, const struct stat *status,
		      uint64_t base);
/* Whether a guest maps this file as a blob. */
bool shared_is_wanted(struct recorder *rec, uint64_t device, uint64_t inode);

/* Special families. */
/* After a call that changed a file: tells those who map it (MEMORY events). */
int record_file_write(struct recorder *rec, struct thread *thread, int64_t result);
/* record_foreign.c: guests that write into each other's memory. */
/* May be /proc/PID/mem: in memory, of no length, for its owner alone. */
bool foreign_is_memory(const struct fd_info *info);
/* The call would write into memory of a process that stands at a point without a name, where replay cannot put it. */
bool foreign_is_nowhere(const struct recorder *rec, const struct thread *thread);
/* After madvise dropped pages and then failed, at memory that is locked: tells what is there now. Replay locks nothing. */
int foreign_dropped(struct recorder *rec, struct thread *thread);
/* After process_vm_writev. */
int foreign_call(struct recorder *rec, struct thread *thread, uint64_t written);
/* After a write of `length` bytes that went to `address` through the open file `fd`: when it is /proc/PID/mem. */
int foreign_file(struct recorder *rec, struct thread *thread, int fd, const uint64_t range[2]);
/* Emits MEMORY events like `event` with the file's bytes from range[0] to range[1] or its end. */
int record_file_range(struct recorder *rec, struct event *event, int file, const uint64_t range[2]);
int record_map(struct recorder *rec, struct thread *thread, int64_t result, struct mapping *ret_mapping);
/* record_text.c */
/* Replaces instructions in a new mapping of program text (replaced.h). `announce`: as payloads of the thread's event. */
int record_text(struct recorder *rec, struct thread *thread, const struct mapping *mapping,
		bool announce);
/* The same after mprotect, in what it made executable. */
int record_text_protected(struct recorder *rec, struct thread *thread);
/* Answers the instruction at which the thread stands, if `code` (REPLACED_BYTES_MAX) is one that was replaced: fills
 * event->trap and args, and the thread's registers. */
bool record_replaced(struct recorder *rec, struct thread *thread, const uint8_t *code,
		     struct event *event);
/* A fault at `address` is memory of the guest's own that runs for the first time: 1 when it is an event now, 0 or negative. */
int record_code(struct recorder *rec, struct thread *thread, uint64_t address);
/* What a replay has to assume of this trace's code and the processor; NULL: nothing. Valid until the next call. */
const char *record_text_assumption(const struct recorder *rec);
int record_exec(struct recorder *rec, struct thread *thread, unsigned long former_tid);
int record_clone(struct recorder *rec, struct thread *thread, unsigned long tid);
/* What the kernel does not get to see of clone's flags, taken out at the entry and put back at the return. */
int record_clone_entry(struct thread *thread);
int record_clone_return(struct thread *thread);
int record_exit_entry(struct recorder *rec, struct thread *thread);
int record_exit_stop(struct recorder *rec, struct thread *thread);
int record_gone(struct recorder *rec, struct thread *thread, int status);
/* Notes where the kernel will write when the thread dies or execs: the words of its robust futex list
 * (get_robust_list(2)). Nothing is noted when memory is short. */
void record_note_robust(struct thread *thread);
/* What an exec leaves behind: a thread that still uses the old memory, borrowed, or NULL, and the CLEARTID word. */
struct memory_left {
	struct thread *witness;
	uint64_t clear_tid;
};
struct memory_left record_memory_left(const struct recorder *rec, const struct thread *thread);
/* After the exec: tells those who see that memory what the kernel wrote (MEMORY events). 0 or negative. */
int record_left_words(struct recorder *rec, struct thread *thread, const struct memory_left *left);
/* Takes in the end of guests that were let go to die, which no stop tells. 0 or negative. */
int record_detached(struct recorder *rec);
int record_signal(struct recorder *rec, struct thread *thread, int signal);
int record_sigreturn(struct recorder *rec, struct thread *thread);
/* Puts `signal` before all that are held; its siginfo is the caller's to fill. NULL at the limit. */
uint8_t *record_hold_first(struct thread *thread, int signal);
/* The thread stands at its turn's end, cut inside computation: its held signal comes there. */
int record_held_here(struct recorder *rec, struct thread *thread);
int record_held(struct recorder *rec, struct thread *thread);
/* The thread, whose registers were just read, has executed nothing since its last event. */
bool record_at_boundary(const struct thread *thread);
/* After a call that sends a signal with siginfo of the sender's making. */
void record_signal_claim(struct recorder *rec, struct thread *thread);
/* Gives the kernel the model's disposition of `signal` and the thread's mask; the thread stands stopped. */
int record_signal_default(struct thread *thread, int signal);
/* A call of FAMILY_SECCOMP; a call that the guest's own filters answer. */
int record_seccomp(struct recorder *rec, struct thread *thread);
int record_filtered(struct recorder *rec, struct thread *thread);
int record_virtual(struct recorder *rec, struct thread *thread, bool *ret_answered);
bool record_writable(const struct thread *thread, uint64_t address, uint64_t length);
/* Writes an output of a call that is answered at its entry. 0, or negative when that failed for our reasons; *ret_result
 * becomes -EFAULT where the guest's address is bad, and is left alone otherwise. */
int record_give(struct recorder *rec, struct thread *thread, const struct payload *payload,
		int64_t *ret_result);
int record_sched(struct recorder *rec, struct thread *thread, bool *ret_answered);
void record_sched_inherit(const struct thread *parent, struct thread *child);

/* pace.c */
/* Virtual clock: now, after one step. */
uint64_t record_clock_ns(struct recorder *rec);
/* The same for a look at the clock. Looks in a row take longer steps, so that loops on the clock end. */
uint64_t record_clock_look(struct recorder *rec, const struct thread *thread, bool of_cpu);
/* Virtual clock: a thread sleeps in its call, so that looks that follow are not in a row with those before. */
void record_clock_slept(struct recorder *rec);
/* Virtual clock: a call is made. */
void record_clock_step(struct recorder *rec, const struct thread *thread);

int record_random_read(struct recorder *rec, struct thread *thread, int64_t result);
/* File content behind a mapping, stored as a blob. Fills digest, offset, length of *mapping. */
int record_content(struct recorder *rec, int fd, struct mapping *mapping, uint64_t file_offset);

#endif
