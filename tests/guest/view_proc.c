/* Files of /proc, read in pieces, at offsets and again; what they say fits what calls say. */
#include "guest.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

static char whole[65536], pieces[65536];

static size_t read_all(const char *path, char *text, size_t step)
{
	int fd = open(path, O_RDONLY);
	size_t length = 0;
	ssize_t n;

	expect(fd >= 0);
	while ((n = read(fd, text + length, step)) > 0) {
		length += (size_t)n;
		expect(lseek(fd, 0, SEEK_CUR) == (off_t)length);
	}
	expect(n == 0 && close(fd) == 0);
	text[length] = '\0';
	return length;
}

static void positions(void)
{
	size_t length = read_all("/proc/self/limits", whole, sizeof(whole) - 1);
	struct iovec parts[2] = { { pieces, 3 }, { pieces + 3, 10 } };
	int fd = open("/proc/self/limits", O_RDONLY), copy = dup(fd);

	expect(read_all("/proc/self/limits", pieces, 7) == length && memcmp(whole, pieces, length) == 0);
	expect(fd >= 0 && copy >= 0 && read(fd, pieces, 20) == 20 && read(copy, pieces + 20, 30) == 30);
	expect(memcmp(whole, pieces, 50) == 0 && lseek(fd, 5, SEEK_SET) == 5 &&
	       readv(copy, parts, 2) == 13);
	expect(memcmp(whole + 5, pieces, 13) == 0 && pread(fd, pieces, 9, 11) == 9);
	expect(memcmp(whole + 11, pieces, 9) == 0 && lseek(fd, 0, SEEK_CUR) == 18);
	expect(pread(fd, pieces, 100, 1000000) == 0);
	close(fd);
	close(copy);
	length = read_all("/proc/version", whole, sizeof(whole) - 1);
	expect(read_all("/proc/version", pieces, 5) == length && memcmp(whole, pieces, length) == 0);
	expect(strncmp(whole, "Linux version ", 14) == 0);
	say("positions: the same in pieces\n");
}

/* Whether a line of maps has the address, with the permissions and the name. */
static int is_mapped(const void *at, const char *allowed, const char *name)
{
	uint64_t address = (uint64_t)(uintptr_t)at, start, end;
	char *rest = NULL;

	read_all("/proc/self/maps", whole, sizeof(whole) - 1);
	for (char *line = strtok_r(whole, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char bits[5];

		expect(sscanf(line, "%lx-%lx %4s", &start, &end, bits) == 3);
		if (address >= start && address < end)
			return strncmp(bits, allowed, 3) == 0 && strstr(line, name);
	}
	return 0;
}

static void processes(void)
{
	int ends[2], pid = 0, parent = 0;
	char path[64], link[64], expected[64], state;
	struct stat found;
	ssize_t n;

	expect(is_mapped((const void *)(uintptr_t)&positions, "r-x", "view_proc"));
	expect(is_mapped(ends, "rw-", "[stack]") && is_mapped(whole, "rw-", ""));
	read_all("/proc/self/stat", whole, sizeof(whole) - 1);
	expect(sscanf(whole, "%d (view_proc) %c %d", &pid, &state, &parent) == 3);
	expect(pid == getpid() && parent == getppid());
	read_all("/proc/self/status", whole, sizeof(whole) - 1);
	expect(strncmp(whole, "Name:\tview_proc\n", 16) == 0 && strstr(whole, "\nThreads:\t1\n"));
	expect(read_all("/proc/self/cmdline", whole, 100) > 10);
	expect(pipe(ends) == 0 && fstat(ends[1], &found) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	snprintf(expected, sizeof(expected), "pipe:[%lu]", (unsigned long)found.st_ino);
	memset(link, 'x', sizeof(link));
	n = readlink(path, link, sizeof(link));
	expect(n == (ssize_t)strlen(expected) && memcmp(link, expected, (size_t)n) == 0);
	for (size_t i = (size_t)n; i < sizeof(link); i++)
		expect(link[i] == 'x');
	expect(readlink(path, link, 3) == 3 && memcmp(link, "pip", 3) == 0);
	say("processes: maps, stat, status and links fit\n");
}

/* The heap is an area of its own, the program's data are not in it; sizes of areas and of all. */
static void areas(void)
{
	char *heap = (char *)sbrk(1 << 16);
	unsigned long anonymous = 0;
	char *line;

	expect(heap != (void *)-1);
	expect(is_mapped(heap + 5000, "rw-", "[heap]") && is_mapped(pieces, "rw-", ""));
	expect(!is_mapped(pieces, "rw-", "[heap]"));
	read_all("/proc/self/smaps", whole, sizeof(whole) - 1);
	line = strstr(whole, "[heap]");
	expect(line && (line = strstr(line, "\nAnonymous:")) &&
	       sscanf(line, "\nAnonymous: %lu kB", &anonymous) == 1);
	read_all("/proc/self/smaps_rollup", whole, sizeof(whole) - 1);
	expect(strstr(whole, "[rollup]\nRss:"));
	say("areas: heap and sizes\n");
}

/* Dead, and not waited for. */
static void dead(void)
{
	char path[64], state = 0;
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(3);
	expect(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	read_all(path, whole, sizeof(whole) - 1);
	expect(sscanf(strrchr(whole, ')'), ") %c", &state) == 1 && state == 'Z');
	say("dead: exit status %d\n", reap(pid) >> 8);
}

static void machine(void)
{
	unsigned long memory = 0;
	double first = 0, second = 0;

	read_all("/proc/uptime", whole, sizeof(whole) - 1);
	expect(sscanf(whole, "%lf", &first) == 1);
	sleep_ms(30);
	read_all("/proc/uptime", whole, sizeof(whole) - 1);
	expect(sscanf(whole, "%lf", &second) == 1 && second > first && first > 0);
	read_all("/proc/meminfo", whole, sizeof(whole) - 1);
	expect(sscanf(whole, "MemTotal: %lu kB", &memory) == 1 && memory > 0);
	read_all("/proc/cpuinfo", whole, sizeof(whole) - 1);
	expect(strncmp(whole, "processor\t: 0\n", 14) == 0 && strstr(whole, "\nflags\t\t: "));
	read_all("/proc/sys/kernel/random/uuid", whole, sizeof(whole) - 1);
	expect(strlen(whole) == 37 && whole[14] == '4');
	read_all("/proc/sys/kernel/random/uuid", pieces, sizeof(pieces) - 1);
	expect(strcmp(whole, pieces) != 0);
	say("machine: time passes, memory and a processor are there\n");
}

int main(void)
{
	positions();
	processes();
	areas();
	dead();
	machine();
	return 0;
}
