#include "domain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "../traces/error.h"
#include "command.h"
#include "filter.h"
#include "host.h"
#include "launch.h"
#include "loopback.h"
#include "namespace.h"
#include "private_tmp.h"
#include "words.h"
#include "workdir.h"

#define SETUP_FAILED 125

/* What init or guest reports before the guest runs. */
enum note { NOTE_LAYOUT = 1, NOTE_HIDDEN = 2, NOTE_LOOPBACK = 4 };
struct message {
	int32_t error;
	uint32_t notes;
	uint64_t namespaces; /* CLONE_NEW* that could be had */
};

/* One attempt; everything that the children need is made before they exist. */
struct ambient {
	const struct ambient_options *options;
	const char *path;
	unsigned long wanted;	 /* of CLONE_NEW*, but for the user namespace */
	unsigned long attempted; /* in this attempt; 0: the guest is a plain child */
	int ours, theirs;	 /* the two ends of a socket */
	bool guest_seen;	 /* from then on a failure is not the domain's */
	int init_image;
	bool fixed_layout;
	struct filter filter;
};

/*
 * Init's whole program, so that it shares no memory with the recorder: names itself, closes descriptor 0 to
 * let the guest go on, reaps whatever ends (wait4 with __WALL), exits when nothing is left (ECHILD).
 */
static const uint8_t init_page[CALL_PAGE_BYTES] = {
	0xb8, 0x9d, 0x00, 0x00, 0x00,		  /* mov eax, prctl */
	0xbf, 0x0f, 0x00, 0x00, 0x00,		  /* mov edi, PR_SET_NAME */
	0x48, 0x8d, 0x35, 0x32, 0x00, 0x00, 0x00, /* lea rsi, name */
	0x0f, 0x05,				  /* syscall */
	0xb8, 0x03, 0x00, 0x00, 0x00,		  /* mov eax, close */
	0x31, 0xff,				  /* xor edi, edi */
	0x0f, 0x05,				  /* syscall */
	0xb8, 0x3d, 0x00, 0x00, 0x00,		  /* again: mov eax, wait4 */
	0x48, 0xc7, 0xc7, 0xff, 0xff, 0xff, 0xff, /* mov rdi, -1 */
	0x31, 0xf6,				  /* xor esi, esi */
	0xba, 0x00, 0x00, 0x00, 0x40,		  /* mov edx, __WALL */
	0x45, 0x31, 0xd2,			  /* xor r10d, r10d */
	0x0f, 0x05,				  /* syscall */
	0x48, 0x83, 0xf8, 0xf6,			  /* cmp rax, -ECHILD */
	0x75, 0xe2,				  /* jne again */
	0xb8, 0xe7, 0x00, 0x00, 0x00,		  /* mov eax, exit_group */
	0x31, 0xff,				  /* xor edi, edi */
	0x0f, 0x05,				  /* syscall */
	's',  'w',  'o',  'r',	'n',  '-',  'i',  'n', 'i', 't', 0,
};

static _Noreturn void fail(const struct ambient *ambient, int error)
{
	struct message message = { .error = error };

	send(ambient->theirs, &message, sizeof(message), MSG_NOSIGNAL);
	_exit(SETUP_FAILED);
}

/* Waits for the recorder; its death ends this process. */
static void await(const struct ambient *ambient)
{
	char go;
	ssize_t n;

	do
		n = recv(ambient->theirs, &go, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(SETUP_FAILED);
}

static int place_words(const char **path, char *const **argv, char *const **environment)
{
	struct words words;
	int r = words_reserve(*path, *argv, *environment, &words);

	if (r)
		return r;
	*path = words_text(&words, *path);
	*argv = words_vector(&words, *argv);
	*environment = words_vector(&words, *environment);
	return 0;
}

/*
 * From PR_SET_TSC on nothing here may read the cycle counter, and from the filter on every call
 * is a stop.
 */
static _Noreturn void become_guest(const struct ambient *ambient, struct message message)
{
	char *const *argv = ambient->options->argv, *const *environment = ambient->options->environment;
	const char *path = ambient->path;
	int layout = personality(0xffffffff);
	int r;

	if (!ambient->fixed_layout || layout < 0 ||
	    personality((unsigned long)layout | ADDR_NO_RANDOMIZE) < 0)
		message.notes |= NOTE_LAYOUT;
	if (send(ambient->theirs, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		_exit(SETUP_FAILED);
	await(ambient);
	launch_close_from(3, &ambient->theirs, 1);
	r = ambient->options->placed ? place_words(&path, &argv, &environment) : 0;
	if (r)
		fail(ambient, r);
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fail(ambient, -errno);
	r = filter_install(&ambient->filter);
	if (r)
		fail(ambient, r);
	syscall(SYS_execve, path, argv, environment);
	_exit(SETUP_FAILED);
}

/* An empty place over a directory, nothing over a file. */
static int hide(const char *path, uint32_t *notes)
{
	unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	struct stat status;
	int r;

	if (stat(path, &status)) {
		if (errno == EACCES) /* out of the guest's reach as well */
			return 0;
		if (errno != ENOENT && errno != ENOTDIR)
			return -errno;
		*notes |= NOTE_HIDDEN;
		return 0;
	}
	if (S_ISDIR(status.st_mode))
		r = mount("sworn-hidden", path, "tmpfs", flags, "size=4k,mode=0555");
	else
		r = mount("/dev/null", path, NULL, MS_BIND, NULL);
	return r ? -errno : 0;
}

/* The working directory and what was substituted, where they are to be seen. */
static int show_places(const struct ambient_options *options, unsigned long had)
{
	int trees[SUBSTITUTES_MAX], r;

	if (!options->workdir && !options->substitutes)
		return 0;
	if (!(had & CLONE_NEWNS))
		return -EPERM;
	r = substitute_open(options->substitutes, trees);
	if (!r && options->workdir)
		r = workdir_show(options->workdir);
	if (options->workdir)
		umask(022);
	return r ? r : substitute_show(options->substitutes, trees);
}

/*
 * A kind that is refused is left out, but processes are renumbered only with a /proc to match, and
 * a user namespace alone would only hide the owners of files.
 */
static int set_up(const struct ambient *ambient, struct message *message)
{
	const char *const *hidden = ambient->options->hidden, *host = ambient->options->host_name;
	unsigned long cloned = ambient->attempted & (CLONE_NEWUSER | CLONE_NEWPID);
	unsigned long had = namespace_unshare(ambient->attempted & ~cloned);
	int r;

	if (had & CLONE_NEWNS && namespace_private())
		had &= ~(unsigned long)CLONE_NEWNS;
	if (!had || (cloned & CLONE_NEWPID && !(had & CLONE_NEWNS)))
		return -EPERM;
	if (cloned & CLONE_NEWPID &&
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return -errno;
	for (; had & CLONE_NEWNS && hidden && *hidden; hidden++) {
		r = hide(*hidden, &message->notes);
		if (r)
			return r;
	}
	r = show_places(ambient->options, had);
	if (r)
		return r;
	if (ambient->options->private_tmp) {
		r = had & CLONE_NEWNS ? private_tmp_show() : -EPERM;
		if (r)
			return r;
		if (access(ambient->path, F_OK))
			return -EXDEV;
	}
	if (had & CLONE_NEWUTS && host && sethostname(host, strlen(host)))
		return -errno;
	if (had & CLONE_NEWNET && loopback_up())
		message->notes |= NOTE_LOOPBACK;
	/* Where the kernel does not let us, only how much a read gets of long streams may differ. */
	if (had & CLONE_NEWNET && ambient->options->acknowledges)
		loopback_acknowledge();
	message->namespaces = had | cloned;
	return 0;
}

/* The guest sees init as what it is, never half-way: it waits until nobody holds the other end of the pipe. */
static void await_init(const int ready[2])
{
	char nothing;

	close(ready[1]);
	while (read(ready[0], &nothing, 1) < 0 && errno == EINTR)
		continue;
	close(ready[0]);
}

/* Signals from the terminal cannot end the first process of a pid namespace. */
static _Noreturn void become_init(const struct ambient *ambient, struct message message)
{
	static char *const none[] = { NULL };
	static char *const argv[] = { (char *)"sworn-init", NULL };
	const int kept[] = { 0, ambient->init_image };
	int ready[2];
	sigset_t all;
	pid_t guest;

	if (pipe(ready))
		fail(ambient, -errno);
	guest = launch_clone(0);
	if (guest < 0)
		fail(ambient, guest);
	if (!guest) {
		await_init(ready);
		become_guest(ambient, message);
	}
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (dup2(ready[1], 0) < 0)
		_exit(SETUP_FAILED);
	launch_close_from(0, kept, 2);
	if (chdir("/"))
		_exit(SETUP_FAILED);
	syscall(SYS_execveat, ambient->init_image, "", argv, none, AT_EMPTY_PATH);
	prctl(PR_SET_DUMPABLE, 0);
	close(0);
	while (waitpid(-1, NULL, __WALL) > 0 || errno != ECHILD)
		continue;
	_exit(0);
}

/* In the new process. A guest that is seized later forgets the signal of its parent's death. */
static _Noreturn void become(const struct ambient *ambient)
{
	struct message message = { 0 };
	int r;

	close(ambient->ours);
	if (ambient->attempted) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL))
			fail(ambient, -errno);
		await(ambient);
		r = set_up(ambient, &message);
		if (r)
			fail(ambient, r);
	}
	if (ambient->attempted & CLONE_NEWPID)
		become_init(ambient, message);
	prctl(PR_SET_PDEATHSIG, 0);
	become_guest(ambient, message);
}

/* The guest's first message: its credentials carry the pid that it has here. */
static int receive_guest(int fd, struct message *ret, pid_t *ret_tid)
{
	struct iovec part = { .iov_base = ret, .iov_len = sizeof(*ret) };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	struct ucred who;
	ssize_t n;

	do
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(*ret))
		return SWORN_EGONE;
	if (ret->error)
		return ret->error;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_CREDENTIALS)
		return -EPROTO;
	memcpy(&who, CMSG_DATA(header), sizeof(who));
	*ret_tid = who.pid;
	return who.pid > 0 ? 0 : -EPROTO;
}

/* The stop at the guest's first call after its filter: the execve. */
static int await_exec(const struct ambient *ambient, pid_t tid)
{
	struct message message;
	int status;

	for (;;) {
		pid_t r = waitpid(tid, &status, __WALL);
		unsigned event = (unsigned)status >> 16;

		if (r < 0 && errno == EINTR)
			continue;
		if (r != tid || !WIFSTOPPED(status))
			break;
		if (event == PTRACE_EVENT_SECCOMP)
			return 0;
		ptrace(PTRACE_CONT, tid, NULL, (void *)(event ? 0L : (long)WSTOPSIG(status)));
	}
	if (recv(ambient->ours, &message, sizeof(message), MSG_DONTWAIT) == (ssize_t)sizeof(message) &&
	    message.error)
		return message.error;
	return SWORN_EGONE;
}

/* What no_new_privs takes from the command alone. */
static bool loses_privileges(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return false;
	return (status.st_mode & S_ISUID && status.st_uid != geteuid()) ||
	       ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		status.st_gid != getegid()) ||
	       (geteuid() && getxattr(path, "security.capability", NULL, 0) > 0);
}

static void describe(const struct ambient *ambient, const struct message *message,
		     struct ambient_guest *ret_guest)
{
	struct domain_report *ret = &ret_guest->report;
	unsigned long had = message->namespaces, wanted = ambient->wanted;
	const char *const *hidden = ambient->options->hidden;
	char namespaces[48];

	namespace_print(had, wanted, namespaces, sizeof(namespaces));
	snprintf(ret->isolation, sizeof(ret->isolation), "ambient: %s%s%s%s%s%s%s%s", namespaces,
		 wanted & CLONE_NEWNET ? had & CLONE_NEWNET ? "" : "; sockets refused by the recorder"
				       : "; network of the host",
		 ambient->options->private_tmp ? "; " DOMAIN_PRIVATE_TMP : "",
		 message->notes & NOTE_LOOPBACK ? "; no loopback device" : "",
		 message->notes & NOTE_LAYOUT ? "; random address layout" : "",
		 message->notes & NOTE_HIDDEN ? "; a hidden directory does not exist" : "",
		 hidden && *hidden && !(had & CLONE_NEWNS) ? "; hidden directories visible" : "",
		 ret_guest->stays_unprivileged ? "; privileges of its file ignored" : "");
	ret->complete = !(wanted & ~had) && !message->notes;
}

/* From the clone to the execve. `ret` is filled on success. */
static int run(struct ambient *ambient, pid_t child, struct ambient_guest *ret)
{
	struct message message = { 0 };
	pid_t tid = 0;
	int r = 0;

	if (ambient->attempted & CLONE_NEWUSER)
		r = launch_map_ids(child, geteuid(), getegid(), ambient->options->as_root);
	if (!r && ambient->attempted && send(ambient->ours, "", 1, MSG_NOSIGNAL) < 0)
		r = -errno;
	if (!r)
		r = receive_guest(ambient->ours, &message, &tid);
	ambient->guest_seen = !r;
	if (!r)
		r = launch_seize(tid);
	if (!r && send(ambient->ours, "", 1, MSG_NOSIGNAL) < 0)
		r = -errno;
	if (!r)
		r = await_exec(ambient, tid);
	if (r) {
		/* Init's end waits for the guest's, and that for its tracer. */
		kill(child, SIGKILL);
		if (tid && tid != child)
			launch_discard(tid);
		launch_discard(child);
		return r;
	}
	ret->tid = tid;
	ret->guest_pid = message.namespaces & CLONE_NEWPID ? 2 : tid;
	ret->init = message.namespaces & CLONE_NEWPID ? child : 0;
	ret->refuse_sockets = ambient->wanted & ~message.namespaces & CLONE_NEWNET;
	ret->stays_unprivileged = loses_privileges(ambient->path);
	describe(ambient, &message, ret);
	return 0;
}

/* User and pid namespaces begin with a process, the others are entered one by one. */
static int attempt(struct ambient *ambient, unsigned long namespaces, struct ambient_guest *ret)
{
	int sockets[2], one = 1, r;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	ambient->attempted = namespaces;
	ambient->ours = sockets[0];
	ambient->theirs = sockets[1];
	r = setsockopt(ambient->ours, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) ? -errno : 0;
	child = r ? r : launch_clone(namespaces & (CLONE_NEWUSER | CLONE_NEWPID));
	if (!child)
		become(ambient);
	close(ambient->theirs);
	r = child < 0 ? child : run(ambient, child, ret);
	close(ambient->ours);
	return r;
}

/* The best that the host gives. */
static int attempt_all(struct ambient *ambient, struct ambient_guest *ret)
{
	unsigned long all = ambient->wanted, rest = all & ~(unsigned long)CLONE_NEWPID;
	const unsigned long attempts[] = { all, all | CLONE_NEWUSER, rest, rest | CLONE_NEWUSER, 0 };
	bool allowed = host_allows(HOST_USERNS), capable = launch_capable(CAP_SYS_ADMIN);
	int r = -EPERM;

	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		if (!attempts[i] && (ambient->options->workdir || ambient->options->private_tmp ||
				     ambient->options->substitutes))
			break;
		if (attempts[i] && (!allowed || (!capable && !(attempts[i] & CLONE_NEWUSER))))
			continue;
		r = attempt(ambient, attempts[i], ret);
		if (!r || ambient->guest_seen)
			break;
	}
	return r;
}

int ambient_start(const struct ambient_options *options, struct ambient_guest *ret)
{
	struct ambient ambient = { .options = options };
	char path[PATH_BYTES_MAX];
	int r;

	r = command_find(options->argv[0], options->environment, path);
	if (r)
		return r;
	ambient.path = path;
	ambient.wanted = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
			 (options->allow_network ? 0 : CLONE_NEWNET);
	ambient.fixed_layout = host_allows(HOST_PERSONALITY);
	filter_recording(&ambient.filter);
	ambient.init_image = launch_image("sworn-init", init_page);
	if (ambient.init_image < 0)
		return ambient.init_image;
	r = attempt_all(&ambient, ret);
	close(ambient.init_image);
	/* These three speak of the command only. */
	return r == -ENOENT || r == -EACCES || r == -ENOEXEC ? SWORN_EHOST : r;
}
