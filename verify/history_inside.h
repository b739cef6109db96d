/*
 * What the files of the history share: where threads stand, and the functions by which one part of the tables tells another.
 * Nobody else includes this.
 */
#ifndef SWORN_VERIFY_HISTORY_INSIDE_H
#define SWORN_VERIFY_HISTORY_INSIDE_H

#include "flow.h"
#include "gather.h"
#include "history.h"
#include "map.h"
#include "place.h"
#include "../traces/buffer.h"
#include "../traces/digest.h"

#define HISTORY_DESCRIPTORS_MAX (1U << 20)
#define HISTORY_THREADS_MAX (1U << 24)

/* Threads that share their descriptors share one of these. */
struct descriptors {
	unsigned int users;
	size_t count;
	uint32_t *handles; /* owned; 0: closed, or nothing is known of it */
	uint8_t *closes;   /* owned; at exec */
};

/* Threads that share root and working directory share one of these. */
struct directories {
	unsigned int users;
	uint32_t root, current; /* places */
};

struct thread_state {
	uint32_t process; /* 0: not known */
	struct descriptors *descriptors;
	struct directories *directories;
};

/* Descriptors on their way through a socket. */
struct parcel {
	struct parcel *next;
	uint64_t event;
	uint32_t process;
	size_t count;
	struct parcel_item {
		uint32_t handle;
		int fd;
	} items[];
};

/* What is kept of a handle only while it is open. */
struct live {
	struct digest digests[2];
	struct parcel *first, *last; /* sent, not received yet; owned */
};

struct history_inside {
	struct pool pool;
	struct places places;
	struct gather *gather;
	struct flow flow;
	struct buffer scratch;
	struct thread_state *threads; /* by serial number */
	size_t threads_count;
	struct live **live; /* by handle, NULL for most */
	size_t live_capacity;
	uint32_t free_handle; /* a list by `file` */
	struct map pids;      /* -> process */
	struct map uses;      /* file, process -> use, unless it is the newest of the file */
	struct map peers;     /* socket, address -> peer */
	struct map callers; /* address -> the socket that connected to it last, a list by inside->queue */
	struct map bound;	/* socket -> 1 when `local` was given by bind */
	struct map sinks;	/* number of a sink -> file */
	uint32_t *callers_next; /* by socket */
	size_t processes_capacity, programs_capacity, files_capacity, uses_capacity,
		changes_capacity, handles_capacity, sockets_capacity, peers_capacity,
		passes_capacity, signals_capacity, sinks_capacity, callers_capacity;
	char path[HISTORY_PATH_BYTES];
	int error;
};

/* One call, and who made it. */
struct moment {
	struct history *history;
	struct history_inside *inside;
	const struct event *event;
	struct thread_state *thread;
};

/*
 * Adds a zeroed entry to a table of the history and gives it; NULL when memory is short, which history_event() then
 * reports.
 */
#define HISTORY_ADD(history, table)                                               \
	((__typeof__((history)->table))history_add(                               \
		(history), (void **)&(history)->table, &(history)->table##_count, \
		&(history)->inside->table##_capacity, sizeof(*(history)->table)))
void *history_add(struct history *history, void **table, size_t *count, size_t *capacity,
		  size_t entry_bytes);

/* history_file.c */
/* File of a place, made where none is known; 0 when memory is short. */
uint32_t file_at_place(struct history *history, uint32_t place);
/* A file without a path. */
uint32_t file_new(struct history *history, enum history_kind kind, const char *name);
struct history_file *file_get(const struct history *history, uint32_t file);
/* What the process of this moment does with a file; never NULL (a spare entry when memory is short). */
struct history_use *file_use(const struct moment *moment, uint32_t file);
/* Notes a change. `path` and `other` are texts that the pool takes over; NULL: the file's path now, and none. */
void file_change(const struct moment *moment, uint32_t file, enum history_action action,
		 const char *other);
void file_delete(const struct moment *moment, uint32_t place, enum history_action action);
void file_rename(const struct moment *moment, uint32_t from, uint32_t to, bool exchange);
void file_link(const struct moment *moment, uint32_t from, uint32_t to);
/* What a stat said. */
void file_status(const struct moment *moment, uint32_t file, const struct payload *payload);
/* What a mapping showed. */
void file_mapped(const struct moment *moment, uint32_t file, const struct mapping *mapping);

/* history_handle.c */
struct history_handle *handle_get(const struct history *history, uint32_t handle);
uint32_t handle_new(const struct moment *moment, uint32_t file, uint32_t flags);
struct live *handle_live(struct history *history, uint32_t handle);
/* Handle behind a descriptor; one is made up where the run got it from outside. 0 for a bad number. */
uint32_t handle_of(const struct moment *moment, int fd);
/* The same without making one. */
uint32_t handle_find(const struct thread_state *thread, int fd);
/* The descriptor refers to this handle from now on, or with 0 to none. */
void handle_set(const struct moment *moment, int64_t fd, uint32_t handle, bool closes);
void handle_closes(const struct moment *moment, int64_t fd, bool closes);
void handle_exec(struct history *history, struct thread_state *thread, uint64_t event);
void handle_thread_new(struct history *history, struct thread_state *child,
		       const struct thread_state *parent, uint64_t clone_flags);
void handle_thread_gone(struct history *history, struct thread_state *thread, uint64_t event);
void handle_unshare(const struct moment *moment, uint64_t flags);
/* Bytes that went through; `flow` NULL: unseen ones. */
void handle_moved(const struct moment *moment, uint32_t handle, enum flow_way way, uint64_t bytes,
		  const struct flow *flow);
/* One reference less; the last one closes it. */
void handle_drop(struct history *history, uint32_t handle, uint64_t event);
void handle_finish(struct history *history);

/* history_socket.c */
void socket_new(const struct moment *moment, uint32_t handle, const int parameters[3]);
struct history_socket *socket_get(const struct history *history, uint32_t socket);
void socket_pair(const struct moment *moment, uint32_t a, uint32_t b);
void socket_connect(const struct moment *moment);
void socket_bind(const struct moment *moment);
void socket_listen(const struct moment *moment);
void socket_accept(const struct moment *moment, uint32_t handle);
void socket_named(const struct moment *moment);
/* Bytes and descriptors of a call on a socket. */
void socket_moved(const struct moment *moment, uint32_t handle, const struct flow *flow);
void socket_taken(const struct moment *moment, uint32_t handle, int received_fd, int sent_fd,
		  uint32_t from_process);

/* history_call.c */
void call_note(const struct moment *moment);
/* The text of a path argument, NULL when it is not in the event. */
const char *call_path(const struct event *event, unsigned int argument);
uint32_t call_place(const struct moment *moment, int dirfd, const char *path);

#endif
