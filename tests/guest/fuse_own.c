/* A file system that the program serves to itself: each look at its file waits for the other process. */
#include "guest.h"
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define FILE_NODE 2
#define SIZE_MAX_BYTES 4096

static char content[SIZE_MAX_BYTES] = "served";
static uint64_t size = 6;

static void answer(int device, uint64_t unique, int error, const void *body, size_t length)
{
	char reply[sizeof(struct fuse_out_header) + SIZE_MAX_BYTES];
	struct fuse_out_header head = { (uint32_t)(sizeof(head) + length), error, unique };

	memcpy(reply, &head, sizeof(head));
	if (length > 0)
		memcpy(reply + sizeof(head), body, length);
	/* Nobody waits for the answer to RELEASE: the file system may be unmounted meanwhile. */
	expect(write(device, reply, head.len) == (ssize_t)head.len || errno == ENOENT);
}

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){ .ino = node,
				   .size = node == FILE_NODE ? size : 0,
				   .mode = node == FILE_NODE ? S_IFREG | 0600 : S_IFDIR | 0700,
				   .nlink = 1,
				   .blksize = 512 };
}

static void serve_data(int device, const struct fuse_in_header *in, const void *arguments)
{
	const struct fuse_read_in *want = arguments;
	const struct fuse_write_in *got = arguments;
	struct fuse_write_out written = { 0 };

	if (in->opcode == FUSE_READ) {
		uint64_t from = want->offset < size ? want->offset : size;

		answer(device, in->unique, 0, content + from, (size_t)(size - from));
		return;
	}
	expect(got->offset + got->size <= SIZE_MAX_BYTES);
	memcpy(content + got->offset, got + 1, got->size);
	if (got->offset + got->size > size)
		size = got->offset + got->size;
	written.size = got->size;
	answer(device, in->unique, 0, &written, sizeof(written));
}

static void serve_one(int device, const struct fuse_in_header *in, const void *arguments)
{
	struct fuse_init_out init = { .major = 7, .minor = 31, .max_write = 4096 };
	struct fuse_entry_out entry = { .nodeid = FILE_NODE, .attr = attributes(FILE_NODE) };
	struct fuse_attr_out attr = { .attr = attributes(in->nodeid) };
	struct fuse_open_out opened = { 0 };

	switch (in->opcode) {
	case FUSE_INIT: answer(device, in->unique, 0, &init, sizeof(init)); break;
	case FUSE_LOOKUP:
		if (strcmp(arguments, "file") == 0)
			answer(device, in->unique, 0, &entry, sizeof(entry));
		else
			answer(device, in->unique, -ENOENT, NULL, 0);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR: answer(device, in->unique, 0, &attr, sizeof(attr)); break;
	case FUSE_OPEN:
	case FUSE_OPENDIR: answer(device, in->unique, 0, &opened, sizeof(opened)); break;
	case FUSE_READ:
	case FUSE_WRITE: serve_data(device, in, arguments); break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR: answer(device, in->unique, 0, NULL, 0); break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET: break;
	default: answer(device, in->unique, -ENOSYS, NULL, 0); break;
	}
}

/* Until the file system is unmounted. */
static int serve(int device)
{
	static _Alignas(8) char request[FUSE_MIN_READ_BUFFER + SIZE_MAX_BYTES];

	for (;;) {
		ssize_t n = read(device, request, sizeof(request));

		if (n < 0 && errno == ENODEV)
			return 5;
		if (n < 0 && (errno == ENOENT || errno == EINTR || errno == EAGAIN))
			continue;
		expect(n >= (ssize_t)sizeof(struct fuse_in_header));
		serve_one(device, (const void *)request, request + sizeof(struct fuse_in_header));
	}
}

static void use(void)
{
	char text[16] = "", *at;
	struct stat st;
	int fd = open("tree/file", O_RDWR);

	expect(fd >= 0 && read(fd, text, sizeof(text)) == 6);
	say("%s\n", text);
	expect(pwrite(fd, " twice", 6, 6) == 6 && fstat(fd, &st) == 0 && st.st_size == 12);
	expect(pread(fd, text, sizeof(text), 0) == 12);
	say("%s\n", text);
	expect(open("tree/other", O_RDONLY) == -1 && errno == ENOENT && close(fd) == 0);
	/* Opened again, nothing of it is cached: the call that maps it waits until the page was served. A recorder would wait too. */
	fd = open("tree/file", O_RDONLY);
	at = mmap(NULL, SIZE_MAX_BYTES, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	expect(fd >= 0 && (at != MAP_FAILED || errno == ENODEV));
	expect(at == MAP_FAILED ||
	       (memcmp(at, "served twice", 12) == 0 && munmap(at, SIZE_MAX_BYTES) == 0));
	expect(close(fd) == 0);
}

int main(void)
{
	char path[256], options[128];
	int device = open("/dev/fuse", O_RDWR);
	pid_t server;

	scratch_begin(path);
	expect(mkdir("tree", 0700) == 0);
	if (device >= 0) { /* not in every container */
		expect(unshare(CLONE_NEWNS) == 0 &&
		       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
		snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
		expect(mount("own", "tree", "fuse", 0, options) == 0);
		server = fork();
		if (server == 0)
			_exit(serve(device));
		expect(close(device) == 0);
		use();
		expect(umount2("tree", 0) == 0);
		say("served: %d\n", WEXITSTATUS(reap(server)));
	}
	expect(rmdir("tree") == 0);
	scratch_end(path);
	return 0;
}
