#include "twin.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LATER_NS 1100000000ULL /* between two starts: another second on every clock */
#define GRACE_S 5	       /* for a recording that was asked to end */
#define FORKS_MAX 64	       /* for a process number that names the wanted processor */
#define BUSY_NS 20000000ULL
#define TAIL_BYTES 4096
#define USER_FIRST 61184U /* numbers that no distribution gives to people */
#define USERS 4000U

extern char **environ;

static void pause_ns(uint64_t ns)
{
	struct timespec time = { (time_t)(ns / 1000000000U), (long)(ns % 1000000000U) };
	nanosleep(&time, NULL);
}

/* The signals that end everything, unless the caller has them ignored, and the one of a child. */
static void waited_signals(sigset_t *set)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action;
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(set, signals[i]);
}

static int open_scratch(struct twin *twin)
{
	const char *place = getenv("TMPDIR");
	size_t size = sizeof(twin->scratch);
	int n = snprintf(twin->scratch, size, "%s/sworn-twin-XXXXXX",
			 place && place[0] == '/' ? place : "/tmp");
	if (n < 0 || (size_t)n >= size || !mkdtemp(twin->scratch)) {
		twin->scratch[0] = '\0';
		return errno ? -errno : -ENAMETOOLONG;
	}
	/* Another user's run goes through here to a directory of its own. */
	return chmod(twin->scratch, 0711) < 0 ? -errno : 0;
}

/* A file without a name, so that nothing that a run writes to ever waits for a reader. */
static int open_sink(void)
{
	int fd = memfd_create("output", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int twin_open(struct twin *twin)
{
	struct stat status;
	sigset_t set;
	int r;
	twin->output = twin->errors = twin->input = -1;
	twin->program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (twin->program < 0)
		return -errno;
	if (fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode)) {
		twin->input_start = lseek(STDIN_FILENO, 0, SEEK_CUR);
		twin->input = STDIN_FILENO;
	} else {
		twin->input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	if (twin->input < 0)
		return -errno;
	r = twin->output = open_sink();
	if (r >= 0)
		r = twin->errors = open_sink();
	if (r >= 0)
		r = open_scratch(twin);
	if (r < 0)
		return r;
	signal(SIGCHLD, SIG_DFL);
	waited_signals(&set);
	return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
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

static int open_up(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)walk;
	if (type == FTW_D || type == FTW_DNR)
		chmod(path, status->st_mode | 0700);
	return 0;
}

static void remove_tree(const char *path)
{
	nftw(path, open_up, 16, FTW_PHYS);
	nftw(path, remove_entry, 16, FTW_PHYS | FTW_DEPTH);
}

static void run_directory(const struct twin *twin, const struct run *run, char *path, size_t size)
{
	snprintf(path, size, "%.*s/run-%u", PATH_MAX - 32, twin->scratch, run->number);
}

void twin_close(struct twin *twin, bool keep)
{
	sigset_t set;
	if (twin->scratch[0] && !keep)
		remove_tree(twin->scratch);
	waited_signals(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* One of the processes that keep the processors busy, now and then asleep, so that others come and go. */
static _Noreturn void be_busy(unsigned int number)
{
	unsigned int state = number * 2654435761U + 1;
	sigset_t set;
	waited_signals(&set);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	for (;;) {
		uint64_t until;
		state = state * 1103515245U + 12345U;
		until = report_now_ns() + BUSY_NS / 20 + state % BUSY_NS;
		while (report_now_ns() < until)
			;
		pause_ns(state % (BUSY_NS / 8));
	}
}

static void start_load(unsigned int count, pid_t *ret_processes)
{
	for (unsigned int i = 0; i < count; i++) {
		ret_processes[i] = fork();
		if (ret_processes[i] == 0)
			be_busy(i + 1);
	}
}

static void end_load(unsigned int count, const pid_t *processes)
{
	for (unsigned int i = 0; i < count; i++) {
		if (processes[i] <= 0)
			continue;
		kill(processes[i], SIGKILL);
		waitpid(processes[i], NULL, 0);
	}
}

/* Runs a program that changes the copy; 0 when it exited with 0. */
static int run_tool(const char *const argv[])
{
	int status;
	sigset_t set;
	pid_t child = fork();
	if (child == 0) {
		waited_signals(&set);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(nowhere, STDIN_FILENO);
		dup2(nowhere, STDOUT_FILENO);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (child < 0)
		return -errno;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* Whether the current directory is one that the path leads through. */
static bool is_inside(const char *path)
{
	char here[PATH_MAX], *real = realpath(path, NULL);
	size_t length = getcwd(here, sizeof(here)) ? strlen(here) : 0;
	bool inside = real && length > 0 && strncmp(real, here, length) == 0 &&
		      (length == 1 || real[length] == '/');
	free(real);
	return inside;
}

/* A copy of the current directory, with everything that cp(1) keeps, under a name of another length each time. */
static int copy_directory(struct run *run, const char *place)
{
	const char *const copy[] = { "cp", "-a", "--", ".", run->directory, NULL };
	snprintf(run->directory, sizeof(run->directory), "%.*s/copy%.*s", PATH_MAX - 64, place,
		 (int)(run->number % 16), "-of-directory-a");
	if (is_inside(place))
		return -EXDEV;
	if (mkdir(run->directory, 0755) < 0)
		return -errno;
	return run_tool(copy);
}

/* Why there is no place for a run. */
static void tell_place(const struct twin *twin, struct run *run)
{
	if (run->code == -EXDEV)
		snprintf(run->reason, sizeof(run->reason),
			 "a copy of the directory would go into itself, below %.200s; name another TMPDIR, or "
			 "leave out directory with --vary",
			 twin->scratch);
	else
		snprintf(run->reason, sizeof(run->reason), "%s below %.200s: %s",
			 run->directory[0] ? "the directory could not be copied to a place"
					   : "no place for it could be made",
			 twin->scratch, strerror(-run->code));
}

/* Everything that the run writes to is in one directory, which belongs to whoever runs. */
static int prepare_place(const struct twin *twin, struct run *run)
{
	char place[PATH_MAX], owner[32];
	const char *const give[] = { "chown", "-R", owner, place, NULL };
	int r = 0;
	run_directory(twin, run, place, sizeof(place));
	snprintf(run->trace, sizeof(run->trace), "%.*s/run.sworn", PATH_MAX - 16, place);
	if (mkdir(place, 0700) < 0)
		return -errno;
	if (twin->options.vary & VARY_DIRECTORY)
		r = copy_directory(run, place);
	snprintf(owner, sizeof(owner), "%u:%u", run->user, run->user);
	return r == 0 && run->user ? run_tool(give) : r;
}

void twin_settle(const struct twin *twin, struct run *run, bool differs)
{
	char path[PATH_MAX], place[PATH_MAX];
	if (run->recorded && (differs || twin->options.keep)) {
		snprintf(path, sizeof(path), "%.*s/run-%u.sworn", PATH_MAX - 32,
			 twin->options.keep ? twin->options.keep : twin->scratch, run->number);
		if (rename(run->trace, path) < 0 &&
		    run_tool((const char *const[]){ "mv", "-f", "--", run->trace, path, NULL }) < 0)
			return;
		if (run->user && chown(path, geteuid(), getegid()) < 0)
			return;
		strcpy(run->trace, path);
	} else {
		run->trace[0] = '\0';
	}
	run_directory(twin, run, place, sizeof(place));
	remove_tree(place);
}

/* Values that a program must not depend on behind --workdir-as. */
static void change_environment(const struct run *run)
{
	char text[32];
	snprintf(text, sizeof(text), "twin%u", run->number);
	setenv("USER", text, 1);
	setenv("LOGNAME", text, 1);
	setenv("HOME", run->directory[0] ? run->directory : "/", 1);
	setenv("PWD", run->directory[0] ? run->directory : "/", 1);
	setenv("OLDPWD", "/usr", 1);
	snprintf(text, sizeof(text), "%u", run->number + 1);
	setenv("SHLVL", text, 1);
}

static int become_user(uid_t user)
{
	if (!user)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0)
		return -errno;
	unsetenv("XDG_RUNTIME_DIR");
	return 0;
}

/*
 * Puts a file in the place of a standard one, opened anew: what a command does to its descriptors (O_APPEND, its
 * position) must not meet the next one. A file that cannot be opened again is handed on as it is.
 */
static void take_file(int fd, int flags, int standard, off_t start)
{
	char link[32];
	int own;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	own = open(link, flags | O_CLOEXEC);
	dup2(own < 0 ? fd : own, standard);
	if (own >= 0 && own != standard)
		close(own);
	lseek(standard, start, SEEK_SET);
}

static _Noreturn void become_recorder(const struct twin *twin, const struct run *run,
				      const char *const *argv)
{
	sigset_t set;
	int r = 0;
	waited_signals(&set);
	take_file(twin->input, O_RDONLY, STDIN_FILENO, twin->input_start);
	take_file(twin->output, O_RDWR | O_TRUNC, STDOUT_FILENO, 0);
	take_file(twin->errors, O_RDWR | O_TRUNC, STDERR_FILENO, 0);
	if (run->nice)
		setpriority(PRIO_PROCESS, 0, run->nice);
	if (run->varied & VARY_ENVIRONMENT)
		change_environment(run);
	if (run->directory[0] && chdir(run->directory) < 0)
		r = -errno;
	if (r == 0)
		r = become_user(run->user);
	/* After the change of user, which would clear it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	if (r == 0)
		fexecve(twin->program, (char *const *)(uintptr_t)argv, environ);
	fprintf(stderr, "sworn twin: a run could not be started: %s\n", strerror(r ? -r : errno));
	_exit(125);
}

static const char **record_argv(const struct twin *twin, const struct run *run)
{
	const struct twin_options *options = &twin->options;
	size_t count = 16, n = 0;
	for (const char **option = options->record; *option; option++)
		count++;
	for (char **word = options->command; *word; word++)
		count++;
	const char **argv = calloc(count, sizeof(*argv));
	if (!argv)
		return NULL;
	argv[n++] = "sworn";
	argv[n++] = "record";
	argv[n++] = "--seed";
	argv[n++] = twin->seed;
	for (const char **option = options->record; *option; option++)
		argv[n++] = *option;
	argv[n++] = "-o";
	argv[n++] = run->trace;
	argv[n++] = "--";
	for (char **word = options->command; *word; word++)
		argv[n++] = *word;
	return argv;
}

/*
 * The recorder takes the processor that its process number names, when nobody else holds it: the first one allowed, or
 * the next with each run.
 */
static pid_t start_recorder(const struct twin *twin, const struct run *run, const char *const *argv)
{
	cpu_set_t allowed;
	unsigned int cpus = 1, wanted;
	pid_t child = -1;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
		cpus = (unsigned int)CPU_COUNT(&allowed);
	wanted = twin->options.vary & VARY_CPU ? (run->number - 1) % cpus : 0;
	for (int i = 0; i < FORKS_MAX; i++) {
		bool last = i + 1 == FORKS_MAX;
		child = fork();
		if (child == 0) {
			if ((unsigned int)getpid() % cpus != wanted && !last)
				_exit(0);
			become_recorder(twin, run, argv);
		}
		if (child < 0 || last || (unsigned int)child % cpus == wanted)
			break;
		waitpid(child, NULL, 0);
	}
	return child;
}

/* Whether somebody asked to end by now. */
static bool is_asked(struct twin *twin)
{
	const struct timespec none = { 0, 0 };
	sigset_t set;
	int signal;
	waited_signals(&set);
	sigdelset(&set, SIGCHLD);
	signal = sigtimedwait(&set, NULL, &none);
	if (signal > 0)
		twin->signal = signal;
	return twin->signal != 0;
}

/* Waits for the recorder; a signal that comes meanwhile is passed on to it, and ends it for good after a while. */
static int wait_recorder(struct twin *twin, pid_t child)
{
	const struct timespec grace = { GRACE_S, 0 };
	sigset_t set;
	int status;
	waited_signals(&set);
	for (;;) {
		pid_t r = waitpid(child, &status, WNOHANG);
		if (r == child)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		if (r < 0 && errno != EINTR)
			return -errno;
		int signal = twin->signal ? sigtimedwait(&set, NULL, &grace) : sigwaitinfo(&set, NULL);
		if (signal < 0 && errno == EAGAIN) {
			kill(child, SIGKILL);
		} else if (signal > 0 && signal != SIGCHLD) {
			kill(child, twin->signal ? SIGKILL : SIGTERM);
			twin->signal = signal;
		}
	}
}

/* The last line that Sworn itself wrote on standard error. */
static void read_reason(const struct twin *twin, struct run *run)
{
	char tail[TAIL_BYTES + 1], *line, *more = NULL;
	off_t end = lseek(twin->errors, 0, SEEK_END);
	ssize_t length = pread(twin->errors, tail, TAIL_BYTES, end > TAIL_BYTES ? end - TAIL_BYTES : 0);
	tail[length > 0 ? length : 0] = '\0';
	snprintf(run->reason, sizeof(run->reason), "`sworn record` exited with %d", run->code);
	for (line = strtok_r(tail, "\n", &more); line; line = strtok_r(NULL, "\n", &more))
		if (strncmp(line, "sworn ", 6) == 0)
			snprintf(run->reason, sizeof(run->reason), "%s", line);
	for (char *c = run->reason; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

/* A number that nobody here has. */
static uid_t fresh_user(void)
{
	uid_t user = USER_FIRST + (uid_t)getpid() % USERS;
	while (getpwuid(user))
		user = user + 1 < USER_FIRST + USERS ? user + 1 : USER_FIRST;
	return user;
}

/* Whether everybody may go through all directories of the path. */
static bool is_open_to_all(const char *path)
{
	char part[PATH_MAX];
	struct stat status;
	for (size_t i = 1; path[i]; i++) {
		if (path[i] != '/' || i >= sizeof(part))
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (stat(part, &status) < 0 || !(status.st_mode & S_IXOTH))
			return false;
	}
	return true;
}

/* What is another in this run. The first is as the caller has it; every second one after it has another user. */
static void plan(const struct twin *twin, struct run *run)
{
	unsigned int step = run->number - 1;
	cpu_set_t allowed;
	if (step == 0)
		return;
	run->varied = twin->options.vary;
	if (geteuid() != 0 || step % 2 == 0 || !is_open_to_all(twin->scratch))
		run->varied &= ~(unsigned int)VARY_USER;
	if ((run->varied & VARY_LOAD) && sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
		run->busy = step * (unsigned int)CPU_COUNT(&allowed);
	if (run->busy > TWIN_BUSY_MAX)
		run->busy = TWIN_BUSY_MAX;
	if (run->varied & VARY_NICE)
		run->nice = getpriority(PRIO_PROCESS, 0) + (int)(1 + step * 4 % 15);
	if (run->varied & VARY_USER)
		run->user = fresh_user();
}

void twin_record(struct twin *twin, struct run *run)
{
	pid_t busy[TWIN_BUSY_MAX] = { 0 };
	const char **argv;
	uint64_t now;
	plan(twin, run);
	run->code = prepare_place(twin, run);
	argv = run->code == 0 ? record_argv(twin, run) : NULL;
	if (!argv) {
		run->code = run->code ? run->code : -ENOMEM;
		tell_place(twin, run);
		return;
	}
	if (is_asked(twin)) {
		free(argv);
		return;
	}
	now = report_now_ns();
	if ((run->varied & VARY_TIME) && now - twin->last_start_ns < LATER_NS)
		pause_ns(LATER_NS - (now - twin->last_start_ns));
	start_load(run->busy, busy);
	twin->last_start_ns = report_now_ns();
	pid_t child = start_recorder(twin, run, argv);
	run->code = child < 0 ? -errno : wait_recorder(twin, child);
	end_load(run->busy, busy);
	free(argv);
	run->recorded = access(run->trace, R_OK) == 0;
	if (!run->recorded)
		read_reason(twin, run);
}
