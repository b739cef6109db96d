/* Two programs, one exec'd by the other, share a memfd and a file, mapped at different addresses. */
#include "guest.h"
#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>

struct board {
	sem_t ping, pong;
	char text[3000];
};

static struct board *map_board(int fd)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	expect(board != MAP_FAILED);
	return board;
}

static int answer(const char *fd)
{
	struct board *board = map_board(atoi(fd));
	int file = open("shared", O_RDWR);
	char *bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	expect(bytes != MAP_FAILED);
	sem_wait(&board->ping);
	say("second program reads '%s' and '%s'\n", board->text, bytes + 4000);
	strcpy(board->text, "from the second");
	strcpy(bytes + 4096, "file, second");
	sem_post(&board->pong);
	sem_wait(&board->ping);
	say("and again '%s'\n", board->text + 2000);
	return 3;
}

int main(int argc, char **argv)
{
	char path[256], number[16], *args[] = { argv[0], number, NULL }, *bytes;
	struct board *board;
	int fd, file;
	pid_t pid;

	if (argc > 1)
		return answer(argv[1]);
	scratch_begin(path);
	fd = memfd_create("board", 0);
	file = open("shared", O_RDWR | O_CREAT, 0600);
	expect(fd >= 0 && ftruncate(fd, sizeof(*board)) == 0 && ftruncate(file, 8192) == 0);
	board = map_board(fd);
	bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	expect(bytes != MAP_FAILED);
	sem_init(&board->ping, 1, 0);
	sem_init(&board->pong, 1, 0);
	snprintf(number, sizeof(number), "%d", fd);
	pid = fork();
	if (pid == 0) {
		execv("/proc/self/exe", args);
		_exit(127);
	}
	strcpy(board->text, "from the first");
	strcpy(bytes + 4000, "file, first");
	sem_post(&board->ping);
	sem_wait(&board->pong);
	say("first program reads '%s' and '%s'\n", board->text, bytes + 4096);
	strcpy(board->text + 2000, "last word");
	sem_post(&board->ping);
	say("status %d\n", WEXITSTATUS(reap(pid)));
	expect(unlink("shared") == 0);
	scratch_end(path);
	return 0;
}
