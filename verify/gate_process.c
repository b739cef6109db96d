#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gate.h"

#define REMOVALS \
	200 /* attempts, 50 ms apart: a recorder that was just killed may still be closing its file */

extern char **environ;

static void take_standard(int fd, int standard)
{
	if (fd < 0)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* What a command does to its descriptors (O_APPEND, its position) must not reach who comes later. */
	dup2(fd, standard);
}

static _Noreturn void become(int program, const struct gate_process *process, pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(125);
	take_standard(process->input, STDIN_FILENO);
	take_standard(process->output, STDOUT_FILENO);
	take_standard(process->errors, STDERR_FILENO);
	if (process->report >= 0)
		fcntl(process->report, F_SETFD, 0);
	sigprocmask(SIG_SETMASK, &none, NULL);
	char *const *argv = (char *const *)(uintptr_t)process->argv;
	char *const *environment = process->environment ? (char *const *)(uintptr_t)process->environment
							: environ;
	if (!process->directory || chdir(process->directory) == 0) {
		if (program < 0)
			execvpe(argv[0], argv, environment);
		else
			fexecve(program, argv, environment);
	}
	fprintf(stderr, "sworn gate: cannot start in %s: %s\n",
		process->directory ? process->directory : ".", strerror(errno));
	_exit(125);
}

/* Whether the process ended in time. */
static bool ends_in_time(int watch, unsigned int timeout_s)
{
	struct pollfd poll_fd = { .fd = watch, .events = POLLIN };
	uint64_t end = report_now_ns() + (uint64_t)timeout_s * 1000000000U;
	for (;;) {
		uint64_t now = report_now_ns();
		int wait_ms = !timeout_s ? -1 : now >= end ? 0 : (int)((end - now) / 1000000U) + 1;
		int r = poll(&poll_fd, 1, wait_ms);
		if (r > 0)
			return true;
		if (r == 0 && wait_ms == 0)
			return false;
		if (r < 0 && errno != EINTR)
			return true;
	}
}

int gate_process_run(int program, const struct gate_process *process)
{
	pid_t parent = getpid(), child;
	bool in_time = true;
	int status, watch;
	child = fork();
	if (child == 0)
		become(program, process, parent);
	if (child < 0)
		return -errno;
	watch = (int)syscall(SYS_pidfd_open, child, 0);
	if (watch >= 0) {
		in_time = ends_in_time(watch, process->timeout_s);
		close(watch);
	}
	if (!in_time)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!in_time)
		return -ETIME;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int gate_drain(pid_t *ret_reader)
{
	char bytes[4096];
	pid_t parent = getpid();
	int ends[2], r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*ret_reader = fork();
	if (*ret_reader == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[1]);
		while (getppid() == parent && (read(ends[0], bytes, sizeof(bytes)) > 0 || errno == EINTR))
			continue;
		_exit(0);
	}
	r = -errno;
	close(ends[0]);
	if (*ret_reader > 0)
		return ends[1];
	close(ends[1]);
	return r;
}

void gate_drained(pid_t reader)
{
	while (waitpid(reader, NULL, 0) < 0 && errno == EINTR)
		continue;
}

int gate_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

char *gate_file_text(int fd, size_t *ret_length)
{
	struct stat status;
	size_t done = 0, size;
	char *text;
	if (fstat(fd, &status) < 0 || status.st_size > (off_t)DOCUMENT_BYTES_MAX)
		return NULL;
	size = (size_t)status.st_size;
	text = malloc(size + 1);
	while (text && done < size) {
		ssize_t n = pread(fd, text + done, size - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (!text)
		return NULL;
	text[done] = '\0';
	*ret_length = done;
	return text;
}

char *gate_last_words(int errors)
{
	size_t length;
	char *text = gate_file_text(errors, &length), *found = NULL, *more = NULL;
	for (char *line = text ? strtok_r(text, "\n", &more) : NULL; line;
	     line = strtok_r(NULL, "\n", &more))
		if (strncmp(line, "sworn ", 6) == 0)
			found = line;
	found = found ? strdup(found) : NULL;
	free(text);
	return found;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)walk;
	if (type == FTW_DP || type == FTW_DNR || type == FTW_D)
		rmdir(path);
	else
		unlink(path);
	return 0;
}

void gate_remove_tree(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/*
 * Makes the directory, says its name, and lives until nobody holds the other end; then it removes the directory. A
 * process of its own does all of this, so that there is no moment at which a kill leaves the directory behind.
 */
static _Noreturn void keep_house(char *scratch, int guard)
{
	const struct timespec pause = { 0, 50000000 };
	sigset_t all;
	char byte;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "sworn-tidy");
	if (chdir("/") < 0 || dup2(guard, 0) < 0)
		_exit(1);
	close_range(1, ~0U, 0);
	if (!mkdtemp(scratch) || send(0, scratch, strlen(scratch) + 1, MSG_NOSIGNAL) < 0) {
		rmdir(scratch);
		_exit(1);
	}
	while (recv(0, &byte, 1, 0) > 0)
		continue;
	for (int i = 0; i < REMOVALS && access(scratch, F_OK) == 0; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		gate_remove_tree(scratch);
	}
	_exit(0);
}

int gate_scratch_open(struct gate *gate)
{
	const char *place = getenv("TMPDIR");
	int ends[2];
	ssize_t n;
	if (asprintf(&gate->scratch, "%s/sworn-gate-XXXXXX",
		     place && place[0] == '/' ? place : "/tmp") < 0) {
		gate->scratch = NULL;
		return -ENOMEM;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	gate->scratch_owner = fork();
	if (gate->scratch_owner == 0) {
		close(ends[1]);
		keep_house(gate->scratch, ends[0]);
	}
	close(ends[0]);
	gate->scratch_guard = ends[1];
	do
		n = recv(ends[1], gate->scratch, strlen(gate->scratch) + 1, 0);
	while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : -EACCES;
}

void gate_scratch_close(struct gate *gate)
{
	if (!gate->scratch)
		return;
	close(gate->scratch_guard);
	while (gate->scratch_owner > 0 && waitpid(gate->scratch_owner, NULL, 0) < 0 && errno == EINTR)
		continue;
	free(gate->scratch);
	gate->scratch = NULL;
}
