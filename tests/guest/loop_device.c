/*
 * A file as a disk: loop devices, what block devices are asked, file systems made and mounted on them, their
 * quotas, labels and shared extents. Where a program to make a file system is missing, that part is left out.
 */
#include "guest.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define IMAGE_BYTES (128L << 20)
#define BLOCK 4096UL
#ifndef BLKGETDISKSEQ
#define BLKGETDISKSEQ _IOR(0x12, 128, uint64_t)
#endif

static char device[64];

/* Whether the program is there and did its work. */
static int make(const char *program, const char *option, const char *value)
{
	pid_t pid = fork();
	int status, null;

	if (pid == 0) {
		null = open("/dev/null", O_RDWR);
		expect(dup2(null, 1) == 1 && dup2(null, 2) == 2);
		execlp(program, program, "-q", option, value, "image", (char *)NULL);
		_exit(127);
	}
	status = reap(pid);
	expect(status == 0 || WEXITSTATUS(status) == 127);
	return status == 0;
}

static int new_image(void)
{
	int fd = open("image", O_RDWR | O_CREAT | O_TRUNC, 0600);

	expect(fd >= 0 && ftruncate(fd, IMAGE_BYTES) == 0);
	return fd;
}

/* Another program may take the free device first. */
static int attach(int control, int image)
{
	struct loop_config config = { .fd = (unsigned int)image, .block_size = 512 };

	for (;;) {
		int number = ioctl(control, LOOP_CTL_GET_FREE), fd;

		expect(number >= 0 && snprintf(device, sizeof(device), "/dev/loop%d", number) > 0);
		fd = open(device, O_RDWR | O_CLOEXEC);
		expect(fd >= 0);
		if (ioctl(fd, LOOP_CONFIGURE, &config) == 0)
			return fd;
		expect(errno == EBUSY && close(fd) == 0);
	}
}

static void detach(int fd)
{
	expect(ioctl(fd, LOOP_CLR_FD) == 0 && close(fd) == 0);
}

static void by_parts(int control, int image)
{
	struct loop_info64 info = { .lo_offset = 512 }, got;
	int fd, number;

	do {
		number = ioctl(control, LOOP_CTL_GET_FREE);
		expect(number >= 0 && snprintf(device, sizeof(device), "/dev/loop%d", number) > 0);
		fd = open(device, O_RDWR | O_CLOEXEC);
		expect(fd >= 0);
		number = ioctl(fd, LOOP_SET_FD, image);
		expect(number == 0 || (errno == EBUSY && close(fd) == 0));
	} while (number < 0);
	strcpy((char *)info.lo_file_name, "image");
	expect(ioctl(fd, LOOP_SET_STATUS64, &info) == 0 && ioctl(fd, LOOP_GET_STATUS64, &got) == 0);
	say("%s from %lu\n", (char *)got.lo_file_name, (unsigned long)got.lo_offset);
	expect(ftruncate(image, IMAGE_BYTES / 2) == 0 && ioctl(fd, LOOP_SET_CAPACITY) == 0);
	detach(fd);
}

static void block_requests(int fd)
{
	uint64_t bytes = 0, number = 0, range[2] = { 8192, 4096 };
	long ahead = 0, sectors = 0;
	unsigned short most = 0, rotational = 7;
	int a = -1, b = -1, size = 1024;
	char text[16];

	expect(ioctl(fd, BLKGETSIZE64, &bytes) == 0 && ioctl(fd, BLKGETSIZE, &sectors) == 0);
	expect((long)bytes == IMAGE_BYTES && sectors * 512 == IMAGE_BYTES);
	expect(ioctl(fd, BLKSSZGET, &a) == 0 && ioctl(fd, BLKPBSZGET, &b) == 0);
	say("%lu bytes, sectors of %d, %d\n", (unsigned long)bytes, a, b > 0);
	expect(ioctl(fd, BLKBSZSET, &size) == 0 && ioctl(fd, BLKBSZGET, &a) == 0 && a == 1024);
	expect(ioctl(fd, BLKIOMIN, &a) == 0 && ioctl(fd, BLKIOOPT, &b) == 0);
	expect(ioctl(fd, BLKALIGNOFF, &a) == 0 && ioctl(fd, BLKDISCARDZEROES, &a) == 0);
	expect(ioctl(fd, BLKRASET, 256L) == 0 && ioctl(fd, BLKRAGET, &ahead) == 0 && ahead == 256);
	expect(ioctl(fd, BLKFRASET, 128L) == 0 && ioctl(fd, BLKFRAGET, &ahead) == 0 && ahead == 128);
	expect(ioctl(fd, BLKSECTGET, &most) == 0 && ioctl(fd, BLKROTATIONAL, &rotational) == 0);
	expect(ioctl(fd, BLKGETDISKSEQ, &number) == 0 || errno == ENOTTY); /* since 5.15 */
	expect(pwrite(fd, "not zero", 8, 8192) == 8 && ioctl(fd, BLKZEROOUT, range) == 0);
	expect(pread(fd, text, 8, 8192) == 8 && text[0] == 0);
	expect(ioctl(fd, BLKDISCARD, range) == 0 || errno == EOPNOTSUPP);
	a = 1;
	expect(ioctl(fd, BLKROSET, &a) == 0 && ioctl(fd, BLKROGET, &b) == 0 && b == 1);
	a = 0;
	expect(ioctl(fd, BLKROSET, &a) == 0 && ioctl(fd, BLKFLSBUF, 0) == 0);
	say("most %d, rotational %d\n", most > 0, rotational < 2);
}

static void quotas(const char *tree)
{
	const int user = QCMD(Q_GETQUOTA, USRQUOTA);
	struct dqblk block;
	struct dqinfo info;
	uint64_t next[9];
	int format = 0, fd = open(tree, O_RDONLY | O_DIRECTORY);

	expect(fd >= 0 && quotactl(user, device, 0, (char *)&block) == 0);
	block.dqb_bhardlimit = 1000;
	block.dqb_valid = QIF_BLIMITS;
	expect(quotactl(QCMD(Q_SETQUOTA, USRQUOTA), device, 77, (char *)&block) == 0);
	expect(syscall(SYS_quotactl_fd, fd, user, 77, &block) == 0 && block.dqb_bhardlimit == 1000);
	expect(syscall(SYS_quotactl_fd, fd, QCMD(Q_SETQUOTA, USRQUOTA), 78, &block) == 0);
	expect(quotactl(QCMD(Q_GETNEXTQUOTA, USRQUOTA), device, 1, (char *)next) == 0);
	expect(syscall(SYS_quotactl_fd, fd, QCMD(Q_GETNEXTQUOTA, USRQUOTA), 78, next) == 0);
	say("next %u, limit %lu\n", (unsigned int)next[8], (unsigned long)next[0]);
	expect(quotactl(QCMD(Q_GETFMT, USRQUOTA), device, 0, (char *)&format) == 0 && format > 0);
	expect(syscall(SYS_quotactl_fd, fd, QCMD(Q_GETFMT, USRQUOTA), 0, &format) == 0);
	expect(quotactl(QCMD(Q_GETINFO, USRQUOTA), device, 0, (char *)&info) == 0);
	info.dqi_bgrace = 12345;
	info.dqi_valid = IIF_BGRACE;
	expect(quotactl(QCMD(Q_SETINFO, USRQUOTA), device, 0, (char *)&info) == 0);
	expect(syscall(SYS_quotactl_fd, fd, QCMD(Q_GETINFO, USRQUOTA), 0, &info) == 0);
	expect(syscall(SYS_quotactl_fd, fd, QCMD(Q_SETINFO, USRQUOTA), 0, &info) == 0);
	expect(quotactl(QCMD(Q_QUOTAOFF, USRQUOTA), device, 0, NULL) == 0);
	expect(quotactl(QCMD(Q_QUOTAON, USRQUOTA), device, 4, (char *)".") == 0);
	expect(syscall(SYS_quotactl_fd, fd, QCMD(Q_QUOTAOFF, USRQUOTA), 0, NULL) == 0);
	expect(syscall(SYS_quotactl_fd, fd, QCMD(Q_QUOTAON, USRQUOTA), 4, ".") == 0);
	expect(quotactl(QCMD(Q_SYNC, USRQUOTA), device, 0, NULL) == 0);
	expect(syscall(SYS_quotactl_fd, fd, QCMD(Q_SYNC, USRQUOTA), 0, NULL) == 0);
	expect(close(fd) == 0);
	say("grace %lu\n", (unsigned long)info.dqi_bgrace);
}

static void labels(int fd)
{
	char label[FSLABEL_MAX] = "labelled", got[FSLABEL_MAX] = "";
	unsigned int version = 0;
	int file = openat(fd, "file", O_RDWR | O_CREAT, 0600);

	expect(ioctl(fd, FS_IOC_SETFSLABEL, label) == 0 && ioctl(fd, FS_IOC_GETFSLABEL, got) == 0);
	expect(ioctl(file, FS_IOC_GETVERSION, &version) == 0);
	if (ioctl(file, FS_IOC_SETVERSION, &version) < 0)
		expect(errno == ENOTTY || errno == EOPNOTSUPP); /* with checksums it is fixed */
	say("%s\n", got);
	expect(close(file) == 0);
}

/* The journal of another device: an option that names a file by path. */
static void path_option(void)
{
	int config = (int)syscall(SYS_fsopen, "ext4", 0), fd = open(device, O_PATH);

	expect(config >= 0 && fd >= 0);
	expect(syscall(SYS_fsconfig, config, FSCONFIG_SET_PATH, "journal_path", device, AT_FDCWD) == 0);
	expect(syscall(SYS_fsconfig, config, FSCONFIG_SET_PATH_EMPTY, "journal_path", "", fd) == 0);
	expect(close(config) == 0 && close(fd) == 0);
}

static void on_ext4(int control)
{
	int image = new_image(), fd, dir;

	if (make("mkfs.ext4", "-O", "quota,^metadata_csum")) {
		fd = attach(control, image);
		if (mount(device, "tree", "ext4", 0, "usrquota") == 0) {
			quotas("tree");
			expect(umount2("tree", 0) == 0);
		} else {
			expect(errno == EINVAL); /* a kernel without quotas */
			detach(fd);
			expect(make("mkfs.ext4", "-O", "^quota"));
			fd = attach(control, image);
		}
		expect(mount(device, "tree", "ext4", 0, NULL) == 0);
		dir = open("tree", O_RDONLY | O_DIRECTORY);
		labels(dir);
		path_option();
		expect(close(dir) == 0 && umount2("tree", 0) == 0);
		detach(fd);
	}
	expect(close(image) == 0);
}

static void clones(int source, int target)
{
	struct file_clone_range part = {
		.src_fd = source, .src_offset = BLOCK, .src_length = BLOCK, .dest_offset = 0
	};
	struct file_dedupe_range *range = calloc(1, sizeof(*range) + sizeof(range->info[0]));
	char *map = mmap(NULL, 3 * BLOCK, PROT_READ, MAP_SHARED, target, 0);

	expect(map != MAP_FAILED && ioctl(target, FICLONE, source) == 0);
	say("cloned: %c %c\n", map[0], map[2 * BLOCK]);
	expect(ioctl(target, FICLONERANGE, &part) == 0);
	say("range: %c %c\n", map[0], map[2 * BLOCK]);
	range->src_offset = BLOCK;
	range->src_length = BLOCK;
	range->dest_count = 1;
	range->info[0].dest_fd = target;
	expect(ioctl(source, FIDEDUPERANGE, range) == 0 &&
	       range->info[0].status == FILE_DEDUPE_RANGE_SAME);
	say("same: %lu\n", (unsigned long)range->info[0].bytes_deduped);
	expect(munmap(map, 3 * BLOCK) == 0);
	free(range);
}

static void on_btrfs(int control)
{
	int image = new_image(), fd, source, target;
	char text[BLOCK];

	if (make("mkfs.btrfs", "-m", "single")) {
		fd = attach(control, image);
		expect(mount(device, "tree", "btrfs", 0, NULL) == 0);
		source = open("tree/source", O_RDWR | O_CREAT, 0600);
		target = open("tree/target", O_RDWR | O_CREAT, 0600);
		for (int i = 0; i < 3; i++) {
			memset(text, 'a' + i, BLOCK);
			expect(write(source, text, BLOCK) == (ssize_t)BLOCK);
		}
		clones(source, target);
		expect(close(source) == 0 && close(target) == 0 && umount2("tree", 0) == 0);
		detach(fd);
	}
	expect(close(image) == 0);
}

int main(void)
{
	char path[256];
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), image, fd;

	scratch_begin(path);
	expect(quotactl(QCMD(Q_SYNC, USRQUOTA), NULL, 0, NULL) == 0 || errno == ENOSYS);
	expect(mkdir("tree", 0700) == 0);
	if (control >= 0) { /* not in every container */
		expect(unshare(CLONE_NEWNS) == 0 &&
		       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
		image = new_image();
		fd = attach(control, image);
		block_requests(fd);
		detach(fd);
		by_parts(control, image);
		expect(close(image) == 0);
		on_ext4(control);
		on_btrfs(control);
		expect(unlink("image") == 0);
	}
	expect(rmdir("tree") == 0);
	scratch_end(path);
	return 0;
}
