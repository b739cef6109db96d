/* inotify: what happens in a directory, as events in order. */
#include <sys/inotify.h>
#include "guest.h"
#include <fcntl.h>
#include <poll.h>

int main(void)
{
	char path[256], buffer[4096] __attribute__((aligned(8)));
	struct pollfd set = { .events = POLLIN };
	ssize_t n;
	int fd, watch, file;

	scratch_begin(path);
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watch = inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE);
	expect(fd >= 0 && watch >= 0 && read(fd, buffer, sizeof(buffer)) == -1 && errno == EAGAIN);
	file = open("first", O_CREAT | O_WRONLY, 0600);
	expect(write(file, "x", 1) == 1 && close(file) == 0);
	expect(rename("first", "second") == 0 && unlink("second") == 0);
	set.fd = fd;
	expect(poll(&set, 1, 1000) == 1);
	n = read(fd, buffer, sizeof(buffer));
	for (ssize_t at = 0; at < n;) {
		struct inotify_event *event = (struct inotify_event *)(void *)(buffer + at);

		say("%#x %s\n", event->mask, event->name);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	expect(inotify_rm_watch(fd, watch) == 0);
	scratch_end(path);
	return 0;
}
