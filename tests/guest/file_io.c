/* Reading and writing files: positions, vectors, appends, holes, lengths, duplicated descriptors, locks. */
#include "guest.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/uio.h>

int main(void)
{
	struct iovec out[3] = { { "one ", 4 }, { "two ", 4 }, { "three", 5 } }, in[2];
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };
	char path[256], text[64] = "", more[64] = "";
	int fd, copy, append;
	ssize_t n;

	scratch_begin(path);
	expect(open("missing", O_RDONLY) == -1 && errno == ENOENT);
	fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0640);
	expect(fd >= 0 && open("file", O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST);
	expect(writev(fd, out, 3) == 13);
	expect(pwrite(fd, "TWO", 3, 4) == 3 && lseek(fd, 0, SEEK_CUR) == 13);
	in[0] = (struct iovec){ text, 4 };
	in[1] = (struct iovec){ more, 40 };
	expect(preadv(fd, in, 2, 0) == 13);
	say("vector: '%s' '%s'\n", text, more);
	copy = dup(fd);
	expect(copy >= 0 && lseek(copy, 3, SEEK_SET) == 3 && lseek(fd, 0, SEEK_CUR) == 3);
	n = read(fd, text, 5);
	say("through the copy's position: %zd '%.5s'\n", n, text);
	expect(lseek(fd, 100000, SEEK_SET) == 100000 && write(fd, "end", 3) == 3);
	expect(lseek(fd, 0, SEEK_END) == 100003 && lseek(fd, -5, SEEK_SET) == -1 && errno == EINVAL);
	memset(text, 'x', sizeof(text));
	expect(pread(fd, text, 10, 99995) == 8 && text[0] == 0 && text[5] == 'e' && text[8] == 'x');
	expect(pread(fd, text, 10, 200000) == 0);
	append = open("file", O_WRONLY | O_APPEND);
	expect(write(append, "+", 1) == 1 && ftruncate(fd, 100010) == 0 && write(append, "-", 1) == 1);
	expect(pread(fd, text, 11, 100000) == 11);
	say("appended: %c %d %c\n", text[3], text[4], text[10]);
	expect(write(append, "", 0) == 0 && read(append, text, 1) == -1 && errno == EBADF);
	expect(truncate("file", 7) == 0 && lseek(fd, 0, SEEK_END) == 7);
	expect(fcntl(fd, F_SETLK, &lock) == 0 && flock(append, LOCK_EX | LOCK_NB) == 0);
	if (fork() == 0) {
		expect(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_pid == getppid());
		expect(fcntl(fd, F_SETLK, &lock) == -1);
		_exit(errno == EAGAIN ? 1 : 2);
	}
	say("lock seen by the child: %d\n", WEXITSTATUS(reap(-1)));
	expect(fcntl(fd, F_GETFL) == (O_RDWR | O_LARGEFILE | 0100000) ||
	       (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
	expect(dup2(fd, 50) == 50 && dup3(fd, 51, O_CLOEXEC) == 51 && fcntl(51, F_GETFD) == FD_CLOEXEC);
	expect(fcntl(fd, F_DUPFD_CLOEXEC, 60) == 60 && close(60) == 0 && close(60) == -1 &&
	       errno == EBADF);
	expect(fsync(fd) == 0 && fdatasync(fd) == 0 && posix_fallocate(fd, 0, 5000) == 0);
	expect(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED) == 0);
	say("length %ld\n", (long)lseek(fd, 0, SEEK_END));
	expect(unlink("file") == 0 && pread(fd, text, 7, 0) == 7);
	say("unlinked, still '%.7s'\n", text);
	scratch_end(path);
	return 0;
}
