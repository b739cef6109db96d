/* Memory shared by parent and child: anonymous, atomic counters, a process-shared mutex and semaphores. */
#include "guest.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mman.h>

struct board {
	pthread_mutex_t lock;
	sem_t ping, pong;
	atomic_int exact;
	int locked, text_length;
	char text[32];
};

static void work(struct board *board)
{
	for (int i = 0; i < 5000; i++) {
		atomic_fetch_add(&board->exact, 1);
		pthread_mutex_lock(&board->lock);
		board->locked++;
		pthread_mutex_unlock(&board->lock);
	}
}

int main(void)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t shared;
	pid_t pid[3];

	expect(board != MAP_FAILED);
	pthread_mutexattr_init(&shared);
	pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&board->lock, &shared);
	sem_init(&board->ping, 1, 0);
	sem_init(&board->pong, 1, 0);
	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		expect(pid[i] >= 0);
		if (pid[i] == 0) {
			work(board);
			_exit(0);
		}
	}
	work(board);
	for (int i = 0; i < 3; i++)
		expect(reap(pid[i]) == 0);
	say("exact %d, locked %d\n", atomic_load(&board->exact), board->locked);
	pid[0] = fork();
	if (pid[0] == 0) {
		for (int i = 0; i < 10; i++) {
			sem_wait(&board->ping);
			board->text[board->text_length++] = (char)('a' + 2 * i + 1);
			sem_post(&board->pong);
		}
		_exit(0);
	}
	for (int i = 0; i < 10; i++) {
		board->text[board->text_length++] = (char)('a' + 2 * i);
		sem_post(&board->ping);
		sem_wait(&board->pong);
	}
	expect(reap(pid[0]) == 0);
	say("%s\n", board->text);
	return 0;
}
