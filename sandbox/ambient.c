#include "domain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../traces/error.h"
#include "command.h"
#include "filter.h"
#include "host.h"
#include "launch.h"

#define SETUP_FAILED 125

/* What init or guest reports before the guest runs. */
enum note { NOTE_LAYOUT = 1, NOTE_HIDDEN = 2 };
struct message {
	int32_t error;
	uint32_t notes;
};

/* One attempt; everything that the children need is made before they exist. */
struct ambient {
	const struct ambient_options *options;
	const char *path;
	unsigned long namespaces; /* 0: the guest is a plain child */
	int ours, theirs;	  /* the two ends of a socket */
	bool guest_seen;	  /* from then on a failure is not the domain's */
	int init_image;
	bool fixed_layout;
	struct filter filter;
};

/*
 * Init's whole program, so that it shares no memory with the recorder: names itself, reaps
 * whatever ends (wait4 with __WALL), exits when nothing is left (ECHILD).
 */
static const uint8_t init_page[CALL_PAGE_BYTES] = {
	0xb8, 0x9d, 0x00, 0x00, 0x00,		  /* mov eax, prctl */
	0xbf, 0x0f, 0x00, 0x00, 0x00,		  /* mov edi, PR_SET_NAME */
	0x48, 0x8d, 0x35, 0x29, 0x00, 0x00, 0x00, /* lea rsi, name */
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

static void fail(const struct ambient *ambient, int error)
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

/*
 * From PR_SET_TSC on nothing here may read the cycle counter, and from the filter on every call
 * is a stop.
 */
static void become_guest(const struct ambient *ambient, uint32_t notes)
{
	struct message message = { .notes = notes };
	int layout = personality(0xffffffff);
	int r;

	if (!ambient->fixed_layout || layout < 0 ||
	    personality((unsigned long)layout | ADDR_NO_RANDOMIZE) < 0)
		message.notes |= NOTE_LAYOUT;
	if (send(ambient->theirs, &message, sizeof(message), MSG_NOSIGNAL) < 0)
		_exit(SETUP_FAILED);
	await(ambient);
	launch_close_from(3, &ambient->theirs, 1);
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fail(ambient, -errno);
	r = filter_install(&ambient->filter);
	if (r)
		fail(ambient, r);
	syscall(SYS_execve, ambient->path, ambient->options->argv, ambient->options->environment);
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

static int loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = 0;

	if (fd < 0) /* a kernel without IPv4 has nothing to bring up */
		return errno == EAFNOSUPPORT ? 0 : -errno;
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		r = -errno;
	close(fd);
	return r;
}

static int set_up(const struct ambient *ambient, uint32_t *notes)
{
	const char *const *hidden = ambient->options->hidden;
	int r = 0;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return -errno;
	for (; hidden && *hidden && !r; hidden++)
		r = hide(*hidden, notes);
	if (!r && ambient->namespaces & CLONE_NEWNET)
		r = loopback_up();
	return r;
}

/* Signals from the terminal cannot end the first process of a pid namespace. */
static void become_init(const struct ambient *ambient)
{
	static char *const none[] = { NULL };
	static char *const argv[] = { (char *)"sworn-init", NULL };
	uint32_t notes = 0;
	sigset_t all;
	pid_t guest;
	int r;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		fail(ambient, -errno);
	await(ambient);
	r = set_up(ambient, &notes);
	if (r)
		fail(ambient, r);
	guest = launch_clone(0);
	if (guest < 0)
		fail(ambient, guest);
	if (!guest)
		become_guest(ambient, notes);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	launch_close_from(0, &ambient->init_image, 1);
	if (chdir("/"))
		_exit(SETUP_FAILED);
	syscall(SYS_execveat, ambient->init_image, "", argv, none, AT_EMPTY_PATH);
	prctl(PR_SET_DUMPABLE, 0);
	while (waitpid(-1, NULL, __WALL) > 0 || errno != ECHILD)
		continue;
	_exit(0);
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

static void describe(const struct ambient *ambient, uint32_t notes, struct domain_report *ret)
{
	bool namespaces = ambient->namespaces, network = ambient->options->allow_network;

	snprintf(ret->isolation, sizeof(ret->isolation), "ambient: %s%s%s%s%s%s",
		 ambient->namespaces & CLONE_NEWUSER ? "user " : "",
		 namespaces ? "mount pid ipc uts" : "none",
		 network ? "; network of the host"
			 : (namespaces ? " net" : "; sockets refused by the recorder"),
		 notes & NOTE_LAYOUT ? "; random address layout" : "",
		 notes & NOTE_HIDDEN ? "; a hidden directory does not exist" : "",
		 !namespaces && ambient->options->hidden && ambient->options->hidden[0]
			 ? "; hidden directories visible"
			 : "");
	ret->complete = namespaces && !notes;
}

/* From the clone to the execve. `ret` is filled on success. */
static int run(struct ambient *ambient, pid_t child, struct ambient_guest *ret)
{
	struct message message = { 0 };
	pid_t tid = 0;
	int r = 0;

	if (ambient->namespaces & CLONE_NEWUSER)
		r = launch_map_ids(child, geteuid(), getegid());
	if (!r && ambient->namespaces && send(ambient->ours, "", 1, MSG_NOSIGNAL) < 0)
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
	ret->guest_pid = ambient->namespaces ? 2 : tid;
	ret->init = ambient->namespaces ? child : 0;
	ret->refuse_sockets = !ambient->namespaces && !ambient->options->allow_network;
	describe(ambient, message.notes, &ret->report);
	return 0;
}

static int attempt(struct ambient *ambient, unsigned long namespaces, struct ambient_guest *ret)
{
	int sockets[2], one = 1, r;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	ambient->namespaces = namespaces;
	ambient->ours = sockets[0];
	ambient->theirs = sockets[1];
	r = setsockopt(ambient->ours, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) ? -errno : 0;
	child = r ? r : launch_clone(namespaces);
	if (!child) {
		close(ambient->ours);
		if (namespaces)
			become_init(ambient);
		become_guest(ambient, 0);
	}
	close(ambient->theirs);
	r = child < 0 ? child : run(ambient, child, ret);
	close(ambient->ours);
	return r;
}

int ambient_start(const struct ambient_options *options, struct ambient_guest *ret)
{
	unsigned long wanted = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
			       (options->allow_network ? 0 : CLONE_NEWNET);
	struct ambient ambient = { .options = options };
	char path[PATH_BYTES_MAX];
	int r;

	r = command_find(options->argv[0], options->environment, path);
	if (r)
		return r;
	ambient.path = path;
	ambient.fixed_layout = host_allows(HOST_PERSONALITY);
	filter_recording(&ambient.filter);
	ambient.init_image = launch_image("sworn-init", init_page);
	if (ambient.init_image < 0)
		return ambient.init_image;
	r = -EPERM;
	if (host_allows(HOST_USERNS) && launch_capable(CAP_SYS_ADMIN))
		r = attempt(&ambient, wanted, ret);
	if (r && !ambient.guest_seen && host_allows(HOST_USERNS))
		r = attempt(&ambient, wanted | CLONE_NEWUSER, ret);
	if (r && !ambient.guest_seen)
		r = attempt(&ambient, 0, ret);
	close(ambient.init_image);
	/* These three speak of the command only. */
	return r == -ENOENT || r == -EACCES || r == -ENOEXEC ? SWORN_EHOST : r;
}
