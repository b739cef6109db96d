#include "passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "blob.h"
#include "error.h"

/* One line, byte by byte: what follows it in a pipe is somebody else's. */
static int read_line(int fd, char *text)
{
	size_t length = 0;
	for (;;) {
		ssize_t n = read(fd, text + length, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 || text[length] == '\n')
			break;
		if (++length == PASSPHRASE_BYTES)
			return SWORN_ELIMIT;
	}
	text[length] = '\0';
	return length > 0 ? 0 : -ENODATA;
}

static int ask(const char *prompt, char *text)
{
	struct termios before, silent;
	int fd = isatty(STDERR_FILENO) ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) : -1;
	if (fd < 0 || tcgetattr(fd, &before) < 0) {
		if (fd >= 0)
			close(fd);
		return -ENOTTY;
	}
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fd, TCSAFLUSH, &silent);
	int r = write_all(fd, prompt, strlen(prompt));
	if (r == 0)
		r = read_line(fd, text);
	tcsetattr(fd, TCSAFLUSH, &before);
	write_all(fd, "\n", 1);
	close(fd);
	return r;
}

int passphrase_read(const char *file, const char *prompt, char *ret_text)
{
	if (!file)
		file = getenv("SWORN_PASSPHRASE_FILE");
	if (!file || !*file)
		return ask(prompt, ret_text);
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	int r = read_line(fd, ret_text);
	close(fd);
	return r;
}
