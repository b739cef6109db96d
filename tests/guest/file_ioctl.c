/* Requests of ioctl to files and directories: block size, flags, extents, identity, comparison of content. */
#include "guest.h"
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef SYS_file_getattr
#define SYS_file_getattr 468
#define SYS_file_setattr 469
#endif
#ifndef FS_IOC_GETFSUUID
#define FS_IOC_GETFSUUID 0x80111500
#define FS_IOC_GETFSSYSFSPATH 0x80811501
#endif
#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS 0x40085400
#endif
#define BLOCK 4096

/* What a file system does not know is no failure. */
static int may(int result)
{
	expect(result >= 0 || errno == ENOTTY || errno == EOPNOTSUPP || errno == EINVAL ||
	       errno == ENOSYS || errno == EPERM);
	return result;
}

static void attributes(int fd)
{
	struct fsxattr extended;
	uint8_t attr[24];
	int flags = -1, again = -2;
	unsigned int version;

	if (may(ioctl(fd, FS_IOC_GETFLAGS, &flags)) == 0) {
		flags |= FS_NODUMP_FL;
		expect(ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0);
		expect(ioctl(fd, FS_IOC_GETFLAGS, &again) == 0 && again == flags);
	}
	if (may(ioctl(fd, FS_IOC_FSGETXATTR, &extended)) == 0)
		may(ioctl(fd, FS_IOC_FSSETXATTR, &extended));
	if (may(ioctl(fd, FS_IOC_GETVERSION, &version)) == 0)
		may(ioctl(fd, FS_IOC_SETVERSION, &version));
	memset(attr, 0xff, sizeof(attr));
	if (may((int)syscall(SYS_file_getattr, AT_FDCWD, "file", attr, sizeof(attr), 0)) == 0)
		may((int)syscall(SYS_file_setattr, AT_FDCWD, "file", attr, sizeof(attr), 0));
}

/* Names of the file system since 6.9; ticks of a timer where processes can be checkpointed. */
static void younger(int fd)
{
	uint8_t uuid[17] = "", name[129] = "";
	uint64_t ticks = 7, read_ticks = 0;
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

	if (may(ioctl(fd, FS_IOC_GETFSUUID, uuid)) == 0)
		expect(uuid[0] == 16);
	if (may(ioctl(fd, FS_IOC_GETFSSYSFSPATH, name)) == 0)
		expect(name[0] > 0 && name[1] != 0);
	if (may(ioctl(timer, TFD_IOC_SET_TICKS, &ticks)) == 0)
		expect(read(timer, &read_ticks, 8) == 8 && read_ticks == 7);
	expect(close(timer) == 0);
}

static void extents(int fd)
{
	struct fiemap *map = calloc(1, sizeof(*map) + 4 * sizeof(map->fm_extents[0]));
	int size = 0, block = 0;

	map->fm_length = ~0ULL;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	if (may(ioctl(fd, FS_IOC_FIEMAP, map)) == 0) {
		unsigned int all = map->fm_mapped_extents;

		map->fm_extent_count = 4;
		expect(ioctl(fd, FS_IOC_FIEMAP, map) == 0 && map->fm_mapped_extents <= 4);
		expect(all >= map->fm_mapped_extents);
	}
	may(ioctl(fd, FIGETBSZ, &size));
	may(ioctl(fd, FIBMAP, &block));
	free(map);
}

static void same_content(int fd)
{
	struct file_dedupe_range *range = calloc(1, sizeof(*range) + sizeof(range->info[0]));
	int other = open("other", O_RDWR | O_CREAT, 0600);
	char bytes[BLOCK];

	memset(bytes, 'x', sizeof(bytes));
	expect(write(fd, bytes, BLOCK) == BLOCK && write(other, bytes, BLOCK) == BLOCK);
	range->src_length = BLOCK;
	range->dest_count = 1;
	range->info[0].dest_fd = other;
	if (may(ioctl(fd, FIDEDUPERANGE, range)) == 0)
		expect(range->info[0].status == FILE_DEDUPE_RANGE_SAME || range->info[0].status < 0);
	expect(close(other) == 0 && unlink("other") == 0);
	free(range);
}

static void cached(int fd)
{
	uint64_t range[2] = { 0, BLOCK }, seen[5] = { 0 };

	if (may((int)syscall(SYS_cachestat, fd, range, seen, 0)) == 0)
		expect(seen[0] <= 1);
}

int main(void)
{
	char path[256], label[FSLABEL_MAX] = "";
	int fd, dir, bits = -1, source = open("/dev/urandom", O_RDONLY);

	scratch_begin(path);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	expect(fd >= 0 && dir >= 0);
	attributes(fd);
	same_content(fd);
	younger(fd);
	extents(fd);
	cached(fd);
	may(ioctl(dir, FS_IOC_GETFSLABEL, label));
	expect(ioctl(source, RNDGETENTCNT, &bits) == 0 && bits >= 0);
	expect(ioctl(fd, 0x7fff1234, &bits) == -1 && errno == ENOTTY);
	say("label of at most %d bytes\n", FSLABEL_MAX);
	expect(unlink("file") == 0);
	scratch_end(path);
	return 0;
}
