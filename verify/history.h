/*
 * What a run did, as its events tell: processes and the programs they ran, files and who touched them, descriptors, sockets and
 * their peers, signals. Follows the events of a trace one by one and keeps tables; each event costs a bounded amount of
 * work, and memory grows with what happened, not with how often. Used by `sworn audit` and `sworn gate`. Pure: knows nothing
 * of printing, and decides nothing.
 *
 * Things are numbered from 1 in the order in which they came up; 0 is "none". Number n of a table is its entry n - 1.
 * Event numbers are positions in the trace. All pointers belong to the history.
 */
#ifndef SWORN_VERIFY_HISTORY_H
#define SWORN_VERIFY_HISTORY_H

#include "../traces/event.h"
#include "../traces/writer.h" /* trace_info */

#define HISTORY_NO_EVENT UINT64_MAX
#define HISTORY_PATH_BYTES 8192

/* A list of strings as a program gets it: one after the other, each with its NUL. */
struct history_strings {
	const char *bytes; /* NULL: not known */
	size_t length;
	uint32_t count;
};

struct history_process {
	uint32_t pid;	  /* as guests see it; numbers may come again */
	uint32_t parent;  /* process that made it; 0: the first */
	uint32_t thread;  /* serial number of its first thread */
	uint32_t program; /* the one it runs now, or ran last */
	uint32_t threads, threads_alive;
	uint64_t start, end; /* events; end is HISTORY_NO_EVENT while it lives */
	uint64_t calls;	     /* made by all of its threads */
	bool gone;
	uint32_t status; /* as wait(2) reports it, once it is gone */
};

/* One exec. */
struct history_program {
	uint32_t process, unit;
	uint32_t file;	   /* of the program itself */
	uint32_t previous; /* program that made the exec; 0: the first of the trace */
	uint64_t event;
	const char *path;	      /* as the kernel resolved it */
	uint8_t digest[DIGEST_BYTES]; /* SHA-256 of the program's file; zeros: not known */
	struct history_strings arguments, environment;
	const char *directory; /* working directory at the exec */
};

enum history_kind {
	HISTORY_FILE = 0, /* something with a path: regular file, directory, device, named pipe */
	HISTORY_PIPE,
	HISTORY_SOCKET,
	HISTORY_OTHER, /* made by a call such as eventfd, epoll_create, memfd_create */
};

/* Two directions: [0] bytes to guests (read), [1] bytes from them (written). */
struct history_bytes {
	uint64_t bytes[2], calls[2];
	uint8_t digest[2][DIGEST_BYTES]; /* SHA-256 of the bytes in the order of the calls; zeros: none, or not all were seen */
	bool unseen[2]; /* the kernel moved some without showing them (sendfile, splice) */
};

/* A file identity: it keeps its number when it is renamed; a name that is used again after unlink is another file. */
struct history_file {
	const char *path; /* of its first use, from the root; a name in brackets for what has no path */
	const char *last;	/* the name it had last, once it has none any more; else NULL */
	uint32_t place;		/* where it is now; 0: deleted, or never had one */
	uint32_t names;		/* that the run knows of now: 0 or 1, more with hard links */
	uint32_t uses;		/* newest, a list by `next` */
	uint32_t changes;	/* newest, a list by `next` */
	uint32_t mode;		/* st_mode as a stat told it last, 0: none did */
	uint64_t device, inode; /* of the same; 0: unknown */
	enum history_kind kind : 8;
	bool created : 1, deleted : 1, opened : 1,
		changed : 1; /* by the run; changed: written, or any history_change */
	bool mapped_writable : 1; /* mapped shared and writable: what was written through memory is not counted */
	bool absent : 1; /* every look found nothing */
	struct history_bytes moved;
	uint8_t content[DIGEST_BYTES]; /* SHA-256 of what a mapping showed of it last; zeros: never mapped */
	uint32_t sink;		       /* number of its output in the END event; 0: none */
};

/* What one process did with one file. */
struct history_use {
	uint32_t file, process;
	uint32_t next; /* use of the same file by another process, made before */
	uint32_t opens, opens_for_writing, maps, looks,
		failures; /* failures: calls that were refused or found nothing */
	uint64_t bytes[2], calls[2];
	uint64_t first, last; /* events */
};

enum history_action {
	ACTION_CREATE = 1,
	ACTION_TRUNCATE,
	ACTION_DELETE,
	ACTION_RENAME,	/* path -> other */
	ACTION_REPLACE, /* it was at the target of a rename, and has no name any more */
	ACTION_LINK,	/* path -> other: one more name */
	ACTION_SYMLINK, /* other is what the link says */
	ACTION_MODE,
	ACTION_OWNER,
	ACTION_TIMES,
	ACTION_ATTRIBUTE, /* extended attribute */
	ACTION_MOUNT,
};

/* Something that happened to a file other than reading and writing. */
struct history_change {
	enum history_action action;
	uint32_t file, process;
	uint32_t next; /* of the same file, before */
	uint64_t event;
	const char *path, *other; /* other: NULL where the action has one path only */
};

/* An open file description: what descriptors refer to, shared by dup, fork and passing. */
struct history_handle {
	uint32_t file;
	uint32_t process;    /* that opened it; 0: before the trace began */
	uint32_t socket;     /* 0: is none */
	uint32_t peer;	     /* handle at the other end of a pipe or socket pair; 0: unknown */
	uint32_t references; /* descriptors that refer to it now */
	uint32_t flags;	     /* O_* as it was opened with */
	uint64_t opened, closed; /* events; closed is HISTORY_NO_EVENT while a descriptor refers to it */
	uint64_t bytes[2], calls[2]; /* as in history_bytes; the digests are its file's */
	bool unseen[2];
};

enum history_role {
	ROLE_NONE = 0,
	ROLE_CONNECT,
	ROLE_ACCEPT,
	ROLE_LISTEN,
	ROLE_PAIR,
	ROLE_DATAGRAM
};

struct history_socket {
	uint32_t handle, process;
	int domain, type, protocol; /* of socket(2); type without flags */
	enum history_role role;
	uint32_t peer;	   /* newest, a list by `next` */
	uint32_t other;	   /* socket of this trace at the other end; 0: outside, or not known */
	int64_t result;	   /* of connect: 0 or -errno */
	uint64_t event;	   /* connect, accept or listen, else the one that made it */
	const char *local; /* address.h's text; NULL: not known */
};

/* An address that a socket exchanged bytes with, or tried to. */
struct history_peer {
	uint32_t socket;
	uint32_t next;	     /* of the same socket, before */
	const char *address; /* "" where the socket has none, as those of a pair */
	uint64_t bytes[2], calls[2];
	uint64_t first, last; /* events */
};

/* A descriptor that went from one process to another (SCM_RIGHTS, pidfd_getfd). */
struct history_pass {
	uint32_t from, to; /* processes; from 0: not known */
	uint32_t handle;
	int sent_fd, received_fd;   /* sent_fd -1: not known */
	uint64_t sent_event, event; /* HISTORY_NO_EVENT: not known */
};

enum history_signal_kind { SIGNAL_SENT = 1, SIGNAL_TAKEN, SIGNAL_KILLED };

struct history_signal {
	enum history_signal_kind kind;
	uint32_t process, thread; /* that sent it, or got it */
	int32_t target;		  /* sent: the pid, tid or group as given */
	uint32_t number, nr;	  /* of the signal; sent: of the call */
	int32_t code;		  /* si_code */
	uint32_t sender;	  /* si_pid where the code says that it is one, else 0 */
	uint64_t event;
	int64_t result;	  /* sent: of the call */
	uint64_t address; /* si_addr of faults */
};

/* A destination of output, as the END event sums it up. */
struct history_sink {
	struct sink sink;
	uint32_t file; /* 0: not known */
};

struct history {
	struct history_process *processes;
	struct history_program *programs;
	struct history_file *files;
	struct history_use *uses;
	struct history_change *changes;
	struct history_handle *handles;
	struct history_socket *sockets;
	struct history_peer *peers;
	struct history_pass *passes;
	struct history_signal *signals;
	struct history_sink *sinks;
	size_t processes_count, programs_count, files_count, uses_count, changes_count,
		handles_count, sockets_count, peers_count, passes_count, signals_count, sinks_count;
	uint64_t events, calls, refused; /* so far */
	bool ended;			 /* END was seen: */
	uint32_t status;		 /* as wait(2) reports it */
	struct history_inside *inside;	 /* owned: descriptors, directories, names */
};

/* `info` says in which directory the run began; borrowed for the call. NULL when memory is short. */
struct history *history_new(const struct trace_info *info);
void history_release(struct history *history); /* NULL allowed */

/* Follows one event, in the order of the trace. 0, -ENOMEM, or SWORN_ELIMIT when a number is out of every bound. */
int history_event(struct history *history, const struct event *event);
/* After the last event: the digests of what is still open. */
void history_finish(struct history *history);

/* Where things stand right behind the event given last. 0 where it is not known. */
uint32_t history_thread_process(const struct history *history, uint32_t thread);
/* Handle behind a descriptor of the thread. */
uint32_t history_descriptor(const struct history *history, uint32_t thread, int fd);
/* Writes the file's path as it is now (the last one, when it has none any more), at most HISTORY_PATH_BYTES. */
void history_path(const struct history *history, uint32_t file, char ret_path[HISTORY_PATH_BYTES]);
/* The same for the thread's working directory. */
void history_directory(const struct history *history, uint32_t thread,
		       char ret_path[HISTORY_PATH_BYTES]);
/* File that an absolute path leads to now, or, when it is gone, led to last; 0: no call named it. */
uint32_t history_find_path(const struct history *history, const char *path);

/* One lower-case word. Never NULL. */
const char *history_action_name(enum history_action action);
const char *history_role_name(enum history_role role);

#endif
