/* Read-write locks, semaphores, spin locks, once, timed waits, recursive and priority-inheriting mutexes. */
#include "guest.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t recursive, inheriting;
static sem_t tickets;
static long value, spun, inherited;
static atomic_int initialised, inside, most;

static void initialise(void)
{
	atomic_fetch_add(&initialised, 1);
}

static void *work(void *argument)
{
	long id = (long)argument, sum = 0;

	pthread_once(&once, initialise);
	for (int i = 0; i < 200; i++) {
		pthread_rwlock_rdlock(&rwlock);
		sum += value >= 0;
		pthread_rwlock_unlock(&rwlock);
		pthread_rwlock_wrlock(&rwlock);
		value += id;
		pthread_rwlock_unlock(&rwlock);
		sem_wait(&tickets);
		if (atomic_fetch_add(&inside, 1) + 1 > 2)
			atomic_store(&most, 3);
		atomic_fetch_sub(&inside, 1);
		sem_post(&tickets);
		pthread_spin_lock(&spin);
		spun++;
		pthread_spin_unlock(&spin);
		pthread_mutex_lock(&inheriting);
		inherited++;
		pthread_mutex_unlock(&inheriting);
	}
	return (void *)sum;
}

int main(void)
{
	pthread_mutexattr_t attributes;
	struct timespec soon;
	pthread_t thread[4];
	sem_t never;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&recursive, &attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_DEFAULT);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	if (pthread_mutex_init(&inheriting, &attributes) != 0) /* optional, as POSIX has it */
		expect(pthread_mutex_init(&inheriting, NULL) == 0);
	pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
	sem_init(&tickets, 0, 2);
	sem_init(&never, 0, 0);
	for (long i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, work, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	say("value %ld, spun %ld, inherited %ld, once %d, crowd %d\n", value, spun, inherited,
	    atomic_load(&initialised), atomic_load(&most));
	expect(pthread_mutex_lock(&recursive) == 0 && pthread_mutex_lock(&recursive) == 0);
	expect(pthread_mutex_unlock(&recursive) == 0 && pthread_mutex_unlock(&recursive) == 0);
	expect(pthread_mutex_unlock(&recursive) == EPERM && sem_trywait(&never) == -1 && errno == EAGAIN);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 5000000;
	soon.tv_sec += soon.tv_nsec / 1000000000;
	soon.tv_nsec %= 1000000000;
	expect(sem_timedwait(&never, &soon) == -1 && errno == ETIMEDOUT);
	expect(pthread_mutex_lock(&inheriting) == 0 && pthread_mutex_trylock(&inheriting) == EBUSY);
	return 0;
}
