#include "domain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../traces/blob.h"
#include "../traces/error.h"
#include "filter.h"
#include "host.h"
#include "launch.h"

#define ADDRESS_END 0x7ffffffff000UL /* of user space with four-level page tables */
#define STUB_IMAGE_FD 5
#define STUB_FD_HIGH 10 /* above every fixed number */

/*
 * int3 everywhere: a freshly started stub stops at its first byte, and an injected call right
 * after it.
 */
static const uint8_t call_page[CALL_PAGE_BYTES] = {
	[0 ... CALL_PAGE_SYSCALL - CALL_PAGE - 1] = 0xcc,
	[CALL_PAGE_SYSCALL - CALL_PAGE] = 0x0f,
	[CALL_PAGE_SYSCALL - CALL_PAGE + 1] = 0x05,
	[CALL_PAGE_AFTER - CALL_PAGE... CALL_PAGE_BYTES - 1] = 0xcc,
};

const void *call_page_bytes(void)
{
	return call_page;
}

/* What the child needs, made before it exists. */
struct stub {
	int image;
	int go[2];
	int blob, object;
	uint64_t stack_limit;
	bool fixed_layout;
	struct filter filter;
};

/* The final numbers may be in use by one another, so all move out of the way first. */
static int place_descriptors(const struct stub *stub)
{
	int blob = stub->blob < 0 ? -1 : fcntl(stub->blob, F_DUPFD, STUB_FD_HIGH);
	int object = stub->object < 0 ? -1 : fcntl(stub->object, F_DUPFD, STUB_FD_HIGH);
	int image = fcntl(stub->image, F_DUPFD, STUB_FD_HIGH);

	if ((blob < 0 && stub->blob >= 0) || (object < 0 && stub->object >= 0) || image < 0)
		return -1;
	syscall(SYS_close_range, 0U, (unsigned)STUB_FD_HIGH - 1, 0U);
	if ((blob >= 0 && dup2(blob, STUB_BLOB_FD) < 0) ||
	    (object >= 0 && dup2(object, STUB_OBJECT_FD) < 0) ||
	    dup3(image, STUB_IMAGE_FD, O_CLOEXEC) < 0)
		return -1;
	launch_close_from(STUB_IMAGE_FD + 1, NULL, 0);
	return 0;
}

int stub_limit_stack(pid_t tid, uint64_t bytes)
{
	struct rlimit limit;

	if (prlimit(tid, RLIMIT_STACK, NULL, &limit))
		return -errno;
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	return prlimit(tid, RLIMIT_STACK, &limit, NULL) ? -errno : 0;
}

/*
 * The library refuses to touch the two signals that it keeps for itself, and its posix_spawn()
 * leaves them ignored.
 */
static void set_dispositions(void)
{
	struct {
		uint64_t handler, flags, restorer, mask;
	} action = { 0 };

	for (long signal = 1; signal < NSIG; signal++)
		syscall(SYS_rt_sigaction, signal, &action, NULL, sizeof(action.mask));
	/* The kernel then reaps guests that fork by itself, and their parents get no signal. */
	action.handler = (uint64_t)(uintptr_t)SIG_IGN;
	syscall(SYS_rt_sigaction, (long)SIGCHLD, &action, NULL, sizeof(action.mask));
}

/* In the child, up to its exec. A session of its own keeps terminal signals away from guests. */
static void become_stub(const struct stub *stub)
{
	static char *const none[] = { NULL };
	static char *const argv[] = { (char *)"sworn-guest", NULL };
	struct rlimit no_core = { 0, 0 };
	sigset_t empty;
	char go;

	close(stub->go[1]);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || launch_receive(stub->go[0], &go, 1))
		_exit(1);
	setsid();
	set_dispositions();
	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
	if (place_descriptors(stub) || setrlimit(RLIMIT_CORE, &no_core))
		_exit(2);
	if (stub->fixed_layout)
		personality(ADDR_NO_RANDOMIZE);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_TSC, PR_TSC_SIGSEGV) ||
	    filter_install(&stub->filter))
		_exit(3);
	syscall(SYS_execveat, STUB_IMAGE_FD, "", argv, none, AT_EMPTY_PATH);
	_exit(4);
}

/* Resumes and waits for the next stop. 0 with a status of a stop, SWORN_EGONE at the end. */
static int next_stop(pid_t tid, int *ret_status)
{
	pid_t r;

	if (ptrace(PTRACE_CONT, tid, NULL, NULL) && errno != ESRCH)
		return -errno;
	do
		r = waitpid(tid, ret_status, __WALL);
	while (r < 0 && errno == EINTR);
	return r == tid && WIFSTOPPED(*ret_status) ? 0 : SWORN_EGONE;
}

static bool is_event(int status, int event)
{
	return status >> 8 == (SIGTRAP | event << 8);
}

/*
 * The first stop is the one at execveat's entry, the next ones its event and the int3 it starts
 * at.
 */
static int run_to_entry(pid_t tid)
{
	static const int expected[] = { PTRACE_EVENT_EXEC, 0 };
	int status, r = 0;
	pid_t w;

	do
		w = waitpid(tid, &status, __WALL);
	while (w < 0 && errno == EINTR);
	if (w != tid || !WIFSTOPPED(status) || !is_event(status, PTRACE_EVENT_SECCOMP))
		return SWORN_EHOST;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]) && !r; i++) {
		r = next_stop(tid, &status);
		if (!r && !is_event(status, expected[i]))
			r = SWORN_EHOST;
	}
	return r;
}

/* The stack, vdso and the pages with it all lie above the call page. */
static int unmap_rest(pid_t tid)
{
	struct user_regs_struct registers;
	int status, r;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &registers))
		return SWORN_EGONE;
	registers.orig_rax = ~0UL;
	registers.rax = SYS_munmap;
	registers.rdi = CALL_PAGE + CALL_PAGE_BYTES;
	registers.rsi = ADDRESS_END - registers.rdi;
	registers.rip = CALL_PAGE_SYSCALL;
	registers.rsp = 0;
	if (ptrace(PTRACE_SETREGS, tid, NULL, &registers))
		return SWORN_EGONE;
	r = next_stop(tid, &status);
	if (r)
		return r;
	if (ptrace(PTRACE_GETREGS, tid, NULL, &registers))
		return SWORN_EGONE;
	return is_event(status, 0) && registers.rip == CALL_PAGE_AFTER + 1 && !registers.rax
		       ? 0
		       : SWORN_EHOST;
}

static int start(const struct stub *stub, pid_t *ret_tid)
{
	pid_t tid = launch_clone(0);
	int r;

	if (!tid)
		become_stub(stub);
	if (tid < 0)
		return tid;
	r = launch_seize(tid);
	if (!r)
		r = write_all(stub->go[1], "", 1);
	if (!r)
		r = run_to_entry(tid);
	if (!r)
		r = unmap_rest(tid);
	if (!r)
		/* After the exec, which needs a stack of its own. */
		r = stub_limit_stack(tid, stub->stack_limit);
	if (r) {
		launch_discard(tid);
		return r;
	}
	*ret_tid = tid;
	return 0;
}

int stub_start(int blob_fd, int object_fd, uint64_t stack_limit, pid_t *ret_tid)
{
	struct stub stub = {
		.blob = blob_fd,
		.object = object_fd,
		.stack_limit = stack_limit,
		.fixed_layout = host_allows(HOST_PERSONALITY),
	};
	int r;

	filter_replay(&stub.filter);
	stub.image = launch_image("sworn-guest", call_page);
	if (stub.image < 0)
		return stub.image;
	if (pipe2(stub.go, O_CLOEXEC)) {
		r = -errno;
	} else {
		r = start(&stub, ret_tid);
		close(stub.go[0]);
		close(stub.go[1]);
	}
	close(stub.image);
	return r;
}
