/* Files told by handle: by name, through a directory, opened again; and what fanotify tells of a directory. */
#include "guest.h"
#include <fcntl.h>
#include <linux/fanotify.h>
#include <poll.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define DIRECTORY_EVENTS (FAN_CREATE | FAN_DELETE | FAN_MOVED_TO | FAN_ONDIR)

static void handles(void)
{
	struct {
		struct file_handle head;
		unsigned char bytes[MAX_HANDLE_SZ];
	} handle;
	char text[8] = "";
	int mount = -1, fd;

	handle.head.handle_bytes = 0;
	if (name_to_handle_at(AT_FDCWD, "named", &handle.head, &mount, 0) < 0 && errno == EOPNOTSUPP)
		return; /* the file system has none */
	expect(errno == EOVERFLOW && handle.head.handle_bytes > 0 &&
	       handle.head.handle_bytes <= MAX_HANDLE_SZ);
	handle.head.handle_bytes = MAX_HANDLE_SZ;
	expect(name_to_handle_at(AT_FDCWD, "named", &handle.head, &mount, 0) == 0 && mount > 0);
	fd = open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY);
	if (fd < 0) { /* needs a privilege */
		expect(errno == EPERM);
		return;
	}
	expect(read(fd, text, sizeof(text)) == 4 && strcmp(text, "text") == 0 && close(fd) == 0);
}

/* Names come with the events, no descriptors: this form needs no privilege since 5.13. */
static void directory_events(void)
{
	int group = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_NONBLOCK | FAN_CLOEXEC,
				  0);
	char events[4096];
	struct fanotify_event_metadata *event = (struct fanotify_event_metadata *)(void *)events;
	uint64_t seen = 0;
	ssize_t n;

	if (group < 0 || fanotify_mark(group, FAN_MARK_ADD, DIRECTORY_EVENTS, AT_FDCWD, ".") < 0)
		return;
	expect(mkdir("made", 0700) == 0 && rename("made", "moved") == 0 && rmdir("moved") == 0);
	n = read(group, events, sizeof(events));
	for (; FAN_EVENT_OK(event, n); event = FAN_EVENT_NEXT(event, n)) {
		expect(event->fd == FAN_NOFD && event->vers == FANOTIFY_METADATA_VERSION);
		seen |= event->mask;
	}
	expect(seen == (FAN_CREATE | FAN_DELETE | FAN_MOVED_TO | FAN_ONDIR));
	expect(fanotify_mark(group, FAN_MARK_REMOVE, FAN_CREATE, AT_FDCWD, ".") == 0 &&
	       close(group) == 0);
}

/* The old form: each event carries a new descriptor of the file; the guest's privilege decides. */
static void file_events(void)
{
	int group = fanotify_init(FAN_CLASS_NOTIF, O_RDONLY), fd;
	struct fanotify_event_metadata event;
	struct pollfd set = { .fd = group, .events = POLLIN };
	char text[8] = "";

	if (group < 0) {
		expect(errno == EPERM);
		return;
	}
	expect(fanotify_mark(group, FAN_MARK_ADD, FAN_CLOSE_WRITE, AT_FDCWD, "named") == 0);
	fd = open("named", O_WRONLY | O_TRUNC);
	expect(write(fd, "again", 5) == 5 && close(fd) == 0 && poll(&set, 1, 5000) == 1);
	expect(read(group, &event, sizeof(event)) == sizeof(event) && event.mask == FAN_CLOSE_WRITE);
	expect(event.pid == getpid() && read(event.fd, text, sizeof(text)) == 5);
	expect(strcmp(text, "again") == 0 && close(event.fd) == 0 && close(group) == 0);
}

int main(void)
{
	char path[256];
	int fd;

	scratch_begin(path);
	fd = open("named", O_RDWR | O_CREAT, 0600);
	expect(fd >= 0 && write(fd, "text", 4) == 4 && close(fd) == 0);
	handles();
	directory_events();
	file_events();
	expect(unlink("named") == 0);
	scratch_end(path);
	say("handles and events\n");
	return 0;
}
