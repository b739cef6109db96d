/* Bytes that move inside the kernel: sendfile, splice, tee, vmsplice, copy_file_range. */
#include "guest.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

int main(void)
{
	int in = memfd_create("in", 0), out = memfd_create("out", 0), a[2], b[2];
	struct iovec part = { "vmsplice", 8 };
	char text[64] = "";
	off_t from = 2, to = 30;

	expect(pipe(a) == 0 && pipe(b) == 0);
	expect(write(in, "0123456789abcdef", 16) == 16);
	expect(sendfile(out, in, &from, 5) == 5 && from == 7);
	expect(lseek(in, 10, SEEK_SET) == 10 && sendfile(out, in, NULL, 100) == 6);
	expect(pread(out, text, 20, 0) == 11);
	say("sendfile: %s\n", text);
	from = 1;
	expect(splice(in, &from, a[1], NULL, 6, 0) == 6 && from == 7);
	expect(tee(a[0], b[1], 4, 0) == 4);
	expect(splice(b[0], NULL, out, &to, 100, 0) == 4 && to == 34);
	expect(vmsplice(a[1], &part, 1, 0) == 8);
	expect(pread(out, text, 10, 30) == 4 && read(a[0], text + 10, 30) == 14);
	say("splice: %.4s %.14s\n", text, text + 10);
	from = 0;
	to = 50;
	expect(copy_file_range(in, &from, out, &to, 8, 0) == 8);
	memset(text, 0, sizeof(text));
	expect(pread(out, text, 20, 48) == 10 && text[0] == 0);
	say("copy_file_range: %s\n", text + 2);
	expect(splice(in, NULL, out, NULL, 4, 0) == -1 && errno == EINVAL);
	return 0;
}
