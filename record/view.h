/*
 * What guests see of the host in a seeded recording: the same on any day, in any directory, as any user.
 * record_call.c asks at the entry and at the return of every call; NULL instead of a view means that
 * guests see the host as it is. Outputs are changed in the guest's memory before they are captured, so
 * nothing of this is known to the trace or to replay.
 */
#ifndef SWORN_RECORD_VIEW_H
#define SWORN_RECORD_VIEW_H

#include <sys/stat.h>
#include <time.h>

#include "../traces/buffer.h"
#include "recorder.h"

#define VIEW_HOST_NAME "sworn"
#define VIEW_USER_NAME "sworn"
#define VIEW_KERNEL_RELEASE "6.1.0"
#define VIEW_KERNEL_VERSION "#1 SMP PREEMPT_DYNAMIC"
#define VIEW_UPTIME_S 1000ULL /* before the epoch, as CLOCK_MONOTONIC has it */
#define VIEW_MEMORY_BYTES (4ULL << 30)
#define VIEW_FREE_BYTES (2ULL << 30)
#define VIEW_OUTSIDE_MAX 24
#define VIEW_OUTSIDE_TEXT "an input of the host: "
#define VIEW_CONTENTS 64
#define VIEW_DEVICES_MAX 256
#define VIEW_FILES_MAX (1U << 22)
#define VIEW_NAMES_BYTES_MAX (256U << 20) /* of all listings kept */

/* A file that a guest saw or made; the key is what the host calls it. */
struct view_file {
	uint64_t device, inode;
	uint64_t number; /* st_ino that guests see */
	struct timespec access, change, birth, modified;
	bool timed;   /* these are known; else nobody asked yet */
	bool placed;  /* so is whether */
	bool foreign; /* it is the host's, outside of the working directory, and no guest made it */
	uint32_t owner, group;
	struct view_file *next; /* same bucket */
};

enum view_system {
	SYSTEM_UNKNOWN = 0, /* not asked yet */
	SYSTEM_FILES,
	SYSTEM_KERNEL, /* what the kernel has to say: /proc, /sys, ... */
	SYSTEM_SERVED, /* by a process, perhaps a guest */
};

/* A file system, by its st_dev. */
struct view_device {
	uint64_t device;
	enum view_system system;
};

struct view_listing;

/* What a file of /proc or /sys said when it was last read from its start. */
struct view_content {
	uint64_t device, inode;
	struct buffer text;
};

struct view {
	struct view_file **buckets; /* owned, with the files in them */
	size_t buckets_count, files_count;
	struct view_device devices[VIEW_DEVICES_MAX];
	size_t devices_count;
	uint64_t proc_device;	       /* st_dev of the guests' /proc, 0 = not asked yet */
	struct view_listing *listings; /* owned, newest first */
	uint64_t positions;	       /* of directories, given out so far */
	uint64_t names_bytes;
	struct view_content contents[VIEW_CONTENTS];
	size_t contents_next;
	char *outside[VIEW_OUTSIDE_MAX]; /* sentences for the trace; owned */
	size_t outside_count;
	struct stat inherited[3]; /* the files behind the command's first descriptors */
	const char *workdir;	  /* where the command starts, as it sees that; borrowed */
	bool moved;		  /* and sees under another name than it has */
	uint8_t boot_id[16];
	bool booted;	       /* boot_id is known */
	bool groups_set;       /* a guest chose its supplementary groups */
	bool capabilities_set; /* a guest chose its capabilities */
	bool mounts_changed;   /* a guest changed what is mounted */
};

/* NULL on lack of memory. */
struct view *view_new(void);
void view_release(struct view *view); /* NULL allowed */

/* At the entry of a call that is to run: some are answered here. 0 or negative. */
int view_entry(struct recorder *rec, struct thread *thread, bool *ret_answered);
/* After a call: changes what it wrote for the guest, and *result with the register. 0 or negative. */
int view_return(struct recorder *rec, struct thread *thread, int64_t *result);

/* At the stop of a SIGCHLD: how long the child has run is the host's matter. */
void view_child_signal(struct thread *thread);

/* view_environment.c */
/* What of the file system a command finds elsewhere. */
struct view_places {
	const char *workdir; /* its working directory, absolute, or NULL: where it is */
	bool private_tmp;    /* /tmp is its own */
};

/*
 * The variables that a command gets: those of `environment`, in the same order, or only those that `named` has, in its order:
 * NAME, as in `environment`, or NAME=VALUE. Of a name that is there twice the first counts. `named` ends with NULL; empty, it
 * says nothing. With a `workdir` what speaks of user, session, language and time zone is left out unless it is named; behind
 * the others are HOME, LANG, LOGNAME, PWD, TZ and USER, with fixed values where they are not named. With `private_tmp`
 * TMPDIR, TMP and TEMP are left out unless named. NULL on lack of memory. Lives until the process ends; strings are borrowed.
 */
char **view_environment(char *const *environment, const struct view_places *shown,
			const char *const *named);

/* view_file.c */
/* The file, new when it was never seen. NULL at the limit or on lack of memory. Borrowed, for good. */
struct view_file *view_file_find(struct recorder *rec, uint64_t device, uint64_t inode);
/* The same for one that was made just now, even where the host gives it the inode of one that is gone. */
struct view_file *view_file_create(struct recorder *rec, const struct stat *status);
/* st_dev that guests see. */
uint64_t view_device_number(struct view *view, uint64_t device);
enum view_system view_system_of(struct view *view, const struct thread *thread, uint64_t device);
/* A call of the stat family was successful. 0 or negative. */
int view_file_status(struct recorder *rec, struct thread *thread);
/* A call of shmctl, msgctl or semctl was successful. 0 or negative. */
int view_ipc_status(struct recorder *rec, struct thread *thread);
/* When something happens to a file now; the clock moves on with it. */
struct timespec view_stamp(struct recorder *rec);

/* view_path.c */
struct view_path {
	int directory; /* AT_FDCWD or a descriptor of the guest's, for a relative path */
	bool follow;   /* a symbolic link at its end */
	char text[PATH_BYTES_MAX];
};
/* Reads a path from the guest's memory; `follow` is false. 0 or -ENAMETOOLONG. */
int view_path_read(struct thread *thread, int directory, uint64_t address, struct view_path *ret);
/* The directory that the last name is in. */
void view_path_parent(struct view_path *path);
/* Opens what the path names for its name and status alone: a descriptor of the caller's, or -errno. Whoever serves the file
 * system is asked. */
int view_path_open(const struct thread *thread, const struct view_path *path);
/*
 * stat(2) of what the guest means by the path, an empty one being the directory itself. What leads through the
 * guest's own /proc/self is not found. 0 or -errno.
 */
int view_path_status(struct view *view, const struct thread *thread, const struct view_path *path,
		     struct stat *ret);
/* Whether it is the directory, or in it, by the names that the guest has for both; true when that cannot be told. */
bool view_path_is_below(struct view *view, const struct thread *thread,
			const struct view_path *path, const char *directory);
/* fstat(2) of a guest's descriptor: type, mode, links, owners, device and inode. 0 or -errno. */
int view_fd_status(const struct thread *thread, int fd, struct stat *ret);

/* The name of an open file, as the guest's root directory has it. 0 or negative. */
int view_path_of(const struct thread *thread, int file, char ret[PATH_BYTES_MAX]);

/* view_link.c */
/* At the entry of readlink(2) and readlinkat(2), and after. 0 or negative. */
void view_link_entry(struct thread *thread);
int view_link_return(struct recorder *rec, struct thread *thread, int64_t *result);

/* view_proc.c */
/* A read of a file in /proc or /sys, answered where it is on the list. 0 or negative. */
int view_proc_read(struct recorder *rec, struct thread *thread, bool *ret_answered);

/* view_text.c, view_process.c: the list */
struct view_reading {
	struct recorder *rec;
	struct thread *reader, *subject; /* who reads; whom the file is about, or NULL */
	int file;			 /* the recorder's descriptor of it */
};
struct view_text {
	const char *name;
	const char *fixed;						     /* or NULL */
	int (*make)(const struct view_reading *reading, struct buffer *out); /* 0 or negative */
};
extern const struct view_text view_texts[];	    /* by path, ends with a NULL */
extern const struct view_text view_process_texts[]; /* by name in /proc/PID */
extern const struct view_text view_init_texts[];    /* the same for the domain's first process */
int view_put(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int view_make_mounts(const struct view_reading *reading, struct buffer *out);
int view_make_mountinfo(const struct view_reading *reading, struct buffer *out);
/* /proc/PID/fdinfo/FD */
int view_make_descriptor(const struct view_reading *reading, unsigned int fd, struct buffer *out);
/* /proc/PID/stat of a guest that is dead and not waited for: no subject. -ENOENT when it is none. */
int view_make_dead(const struct view_reading *reading, struct buffer *out);

/* view_time.c */
/* At the entry of any call: whether a file is there that it may make. */
void view_time_entry(struct recorder *rec, struct thread *thread);
/* After any successful call: what it did to files. 0 or negative. */
int view_time_return(struct recorder *rec, struct thread *thread, int64_t result);

/* view_directory.c */
/* getdents and getdents64: answered in the order of names. 0 or negative. */
int view_directory_read(struct recorder *rec, struct thread *thread, bool *ret_answered);
void view_listings_release(struct view *view);

#endif
