/* /proc/self: maps, status, stat, cmdline, exe, fd and task are there, readable, and tell of us. */
#include "guest.h"
#include <dirent.h>
#include <fcntl.h>

static char text[1 << 20];

static size_t slurp(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	expect(fd >= 0);
	while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	expect(n == 0 && close(fd) == 0);
	text[used] = '\0';
	return used;
}

static int entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	expect(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

int main(int argc, char **argv)
{
	char link[256] = "", pid[16];
	unsigned long from, to;
	int inside = 0;

	(void)argc;
	expect(slurp("/proc/self/maps") > 100 && strstr(text, "[stack]"));
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		expect(sscanf(line, "%lx-%lx", &from, &to) == 2 && from < to);
		inside += (unsigned long)&inside >= from && (unsigned long)&inside < to;
		inside += (unsigned long)main >= from && (unsigned long)main < to;
	}
	say("maps hold code and stack: %d\n", inside);
	snprintf(pid, sizeof(pid), "\nPid:\t%d\n", getpid());
	expect(slurp("/proc/self/status") > 100);
	say("status names us: %d, untraced: %d\n", strstr(text, pid) != NULL,
	    strstr(text, "TracerPid:") != NULL);
	expect(slurp("/proc/self/stat") > 50 && atoi(text) == getpid());
	expect(slurp("/proc/self/cmdline") > 0 && strcmp(text, argv[0]) == 0);
	expect(readlink("/proc/self/exe", link, sizeof(link) - 1) > 0);
	say("exe: %s\n", strrchr(link, '/') + 1);
	expect(slurp("/proc/self/comm") > 0);
	say("comm: %s", text);
	slurp("/proc/self/auxv");
	slurp("/proc/self/smaps");
	slurp("/proc/self/mounts");
	expect(entries("/proc/self/fd") >= 4 && slurp("/proc/meminfo") > 0 &&
	       slurp("/proc/cpuinfo") > 0);
	say("threads: %d\n", entries("/proc/self/task"));
	return 0;
}
