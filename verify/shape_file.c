#include "shape_inside.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "constant.h"

struct kernel_open_how {
	uint64_t flags, mode, resolve;
};

void shape_put_mode(struct out *out, uint32_t mode)
{
	const char *type = mode & S_IFMT ? constant_name(SET_file_type, mode & S_IFMT) : NULL;
	if (type) {
		out_text(out, type);
		out_char(out, '|');
		mode &= ~(uint32_t)S_IFMT;
	}
	for (unsigned int i = 0; i < 3; i++) {
		static const char *const names[] = { "S_ISUID|", "S_ISGID|", "S_ISVTX|" };
		uint32_t bit = (uint32_t)S_ISUID >> i;
		if (mode & bit && type)
			out_text(out, names[i]);
		mode &= type ? ~bit : mode;
	}
	if (mode < 010)
		out_text(out, mode ? "0" : "00");
	out_octal(out, mode);
}

static void device(struct out *out, const char *before, uint64_t number)
{
	out_text(out, before);
	shape_hex(out, "makedev(", major(number));
	shape_hex(out, ", ", minor(number));
	out_char(out, ')');
}

static bool is_device(uint32_t mode)
{
	return (mode & S_IFMT) == S_IFCHR || (mode & S_IFMT) == S_IFBLK;
}

void shape_put_stat(struct out *out, const uint8_t *bytes, size_t length)
{
	struct stat s;
	(void)length;
	memcpy(&s, bytes, sizeof(s));
	device(out, "{st_dev=", s.st_dev);
	shape_uint(out, ", st_ino=", s.st_ino);
	out_text(out, ", st_mode=");
	shape_put_mode(out, s.st_mode);
	shape_uint(out, ", st_nlink=", s.st_nlink);
	shape_uint(out, ", st_uid=", s.st_uid);
	shape_uint(out, ", st_gid=", s.st_gid);
	shape_uint(out, ", st_blksize=", (uint64_t)s.st_blksize);
	shape_uint(out, ", st_blocks=", (uint64_t)s.st_blocks);
	if (is_device(s.st_mode))
		device(out, ", st_rdev=", s.st_rdev);
	else
		shape_uint(out, ", st_size=", (uint64_t)s.st_size);
	shape_int(out, ", st_atime=", s.st_atim.tv_sec);
	shape_uint(out, ", st_atime_nsec=", (uint64_t)s.st_atim.tv_nsec);
	shape_int(out, ", st_mtime=", s.st_mtim.tv_sec);
	shape_uint(out, ", st_mtime_nsec=", (uint64_t)s.st_mtim.tv_nsec);
	shape_int(out, ", st_ctime=", s.st_ctim.tv_sec);
	shape_uint(out, ", st_ctime_nsec=", (uint64_t)s.st_ctim.tv_nsec);
	out_char(out, '}');
}

static void statx_time(struct out *out, const char *name, const struct statx_timestamp *time)
{
	out_text(out, name);
	shape_int(out, "={tv_sec=", time->tv_sec);
	shape_uint(out, ", tv_nsec=", time->tv_nsec);
	out_char(out, '}');
}

void shape_put_statx(struct out *out, const uint8_t *bytes, size_t length)
{
	struct statx s;
	(void)length;
	memcpy(&s, bytes, sizeof(s));
	out_text(out, "{stx_mask=");
	constant_put_bits(out, SET_statx_mask, s.stx_mask);
	shape_uint(out, ", stx_blksize=", s.stx_blksize);
	shape_hex(out, ", stx_attributes=", s.stx_attributes);
	shape_uint(out, ", stx_nlink=", s.stx_nlink);
	shape_uint(out, ", stx_uid=", s.stx_uid);
	shape_uint(out, ", stx_gid=", s.stx_gid);
	out_text(out, ", stx_mode=");
	shape_put_mode(out, s.stx_mode);
	shape_uint(out, ", stx_ino=", s.stx_ino);
	shape_uint(out, ", stx_size=", s.stx_size);
	shape_uint(out, ", stx_blocks=", s.stx_blocks);
	shape_hex(out, ", stx_attributes_mask=", s.stx_attributes_mask);
	statx_time(out, ", stx_atime", &s.stx_atime);
	statx_time(out, ", stx_btime", &s.stx_btime);
	statx_time(out, ", stx_ctime", &s.stx_ctime);
	statx_time(out, ", stx_mtime", &s.stx_mtime);
	shape_uint(out, ", stx_rdev_major=", s.stx_rdev_major);
	shape_uint(out, ", stx_rdev_minor=", s.stx_rdev_minor);
	shape_uint(out, ", stx_dev_major=", s.stx_dev_major);
	shape_uint(out, ", stx_dev_minor=", s.stx_dev_minor);
	shape_hex(out, ", stx_mnt_id=", s.stx_mnt_id);
	out_char(out, '}');
}

void shape_put_statfs(struct out *out, const uint8_t *bytes, size_t length)
{
	struct statfs s;
	(void)length;
	memcpy(&s, bytes, sizeof(s));
	shape_hex(out, "{f_type=", (uint64_t)s.f_type);
	shape_uint(out, ", f_bsize=", (uint64_t)s.f_bsize);
	shape_uint(out, ", f_blocks=", s.f_blocks);
	shape_uint(out, ", f_bfree=", s.f_bfree);
	shape_uint(out, ", f_bavail=", s.f_bavail);
	shape_uint(out, ", f_files=", s.f_files);
	shape_uint(out, ", f_ffree=", s.f_ffree);
	shape_hex(out, ", f_fsid={val=[", (uint32_t)s.f_fsid.__val[0]);
	shape_hex(out, ", ", (uint32_t)s.f_fsid.__val[1]);
	shape_uint(out, "]}, f_namelen=", (uint64_t)s.f_namelen);
	shape_uint(out, ", f_frsize=", (uint64_t)s.f_frsize);
	shape_hex(out, ", f_flags=", (uint64_t)s.f_flags);
	out_char(out, '}');
}

void shape_put_lock(struct out *out, const uint8_t *bytes, size_t length)
{
	struct flock lock;
	(void)length;
	memcpy(&lock, bytes, sizeof(lock));
	out_text(out, "{l_type=");
	constant_put(out, SET_lock_type, (uint16_t)lock.l_type);
	out_text(out, ", l_whence=");
	constant_put(out, SET_seek, (uint16_t)lock.l_whence);
	shape_int(out, ", l_start=", lock.l_start);
	shape_int(out, ", l_len=", lock.l_len);
}

void shape_put_flock(struct out *out, const uint8_t *bytes, size_t length)
{
	shape_put_lock(out, bytes, length);
	out_char(out, '}');
}

void shape_put_found_lock(struct out *out, const uint8_t *bytes, size_t length)
{
	struct flock lock;
	memcpy(&lock, bytes, sizeof(lock));
	shape_put_lock(out, bytes, length);
	shape_int(out, ", l_pid=", lock.l_pid);
	out_char(out, '}');
}

static void put_entry(struct out *out, const uint8_t *bytes, size_t length, bool old)
{
	uint64_t inode, offset;
	uint16_t size;
	size_t head = old ? 18 : 19;
	memcpy(&inode, bytes, 8);
	memcpy(&offset, bytes + 8, 8);
	memcpy(&size, bytes + 16, 2);
	uint8_t type = old ? bytes[length - 1] : bytes[18];
	shape_uint(out, "{d_ino=", inode);
	shape_uint(out, ", d_off=", offset);
	shape_uint(out, ", d_reclen=", size);
	if (!old) {
		out_text(out, ", d_type=");
		constant_put(out, SET_dirent_type, type);
	}
	out_text(out, ", d_name=");
	out_quoted(out, bytes + head, strnlen((const char *)bytes + head, length - head));
	if (old) {
		out_text(out, ", d_type=");
		constant_put(out, SET_dirent_type, type);
	}
	out_char(out, '}');
}

static void entries(struct out *out, const uint8_t *bytes, size_t length, bool old)
{
	bool more = false;
	out_char(out, '[');
	while (length >= 20) {
		uint16_t size;
		memcpy(&size, bytes + 16, sizeof(size));
		if (size < 20 || size > length)
			break;
		if (more)
			out_text(out, ", ");
		put_entry(out, bytes, size, old);
		bytes += size;
		length -= size;
		more = true;
	}
	out_char(out, ']');
}

void shape_put_dirents(struct out *out, const uint8_t *bytes, size_t length)
{
	entries(out, bytes, length, false);
}

void shape_put_old_dirents(struct out *out, const uint8_t *bytes, size_t length)
{
	entries(out, bytes, length, true);
}

void shape_put_open_how(struct out *out, const uint8_t *bytes, size_t length)
{
	struct kernel_open_how how;
	(void)length;
	memcpy(&how, bytes, sizeof(how));
	out_text(out, "{flags=");
	shape_put_open_flags(out, how.flags);
	if (how.mode) {
		out_text(out, ", mode=");
		shape_put_mode(out, (uint32_t)how.mode);
	}
	out_text(out, ", resolve=");
	constant_put_bits(out, SET_resolve, how.resolve);
	out_char(out, '}');
}

void shape_put_open_flags(struct out *out, uint64_t flags)
{
	constant_put(out, SET_access_way, flags & O_ACCMODE);
	if (flags & ~(uint64_t)O_ACCMODE) {
		out_char(out, '|');
		constant_put_bits(out, SET_open_flags, flags & ~(uint64_t)O_ACCMODE);
	}
}
