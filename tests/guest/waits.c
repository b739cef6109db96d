/* Waiting in every form, in threads, while others make things ready: by descriptor, time and signal mask. */
#include "guest.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

enum way { POLL, PPOLL, SELECT, PSELECT, EPOLL, EPOLL_PWAIT, EPOLL_PWAIT2, WAYS };
static const char *const names[] = { "poll",  "ppoll",	     "select",	    "pselect",
				     "epoll", "epoll_pwait", "epoll_pwait2" };

struct waiter {
	enum way way;
	int fd, result;
	bool forever, left;
};

static volatile sig_atomic_t caught;
static atomic_bool over; /* the wait that somebody interrupts */

static void on_signal(int signal)
{
	caught = signal;
}

static int wait_by_epoll(const struct waiter *w, long ms, const sigset_t *mask)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = w->fd };
	struct timespec limit = { ms / 1000, ms % 1000 * 1000000 };
	int epoll = epoll_create1(0), r;

	expect(epoll_ctl(epoll, EPOLL_CTL_ADD, w->fd, &event) == 0);
	if (w->way == EPOLL)
		r = epoll_wait(epoll, &event, 1, w->forever ? -1 : (int)ms);
	else if (w->way == EPOLL_PWAIT)
		r = epoll_pwait(epoll, &event, 1, w->forever ? -1 : (int)ms, mask);
	else
		r = epoll_pwait2(epoll, &event, 1, w->forever ? NULL : &limit, mask);
	expect(r <= 0 || event.data.fd == w->fd);
	expect(close(epoll) == 0);
	return r;
}

static int wait_by_set(struct waiter *w, long ms, const sigset_t *mask)
{
	struct timespec precise = { ms / 1000, ms % 1000 * 1000000 };
	struct timeval limit = { ms / 1000, ms % 1000 * 1000 };
	fd_set set;
	int r;

	FD_ZERO(&set);
	FD_SET(w->fd, &set);
	if (w->way == SELECT)
		r = select(w->fd + 1, &set, NULL, NULL, w->forever ? NULL : &limit);
	else
		r = pselect(w->fd + 1, &set, NULL, NULL, w->forever ? NULL : &precise, mask);
	w->left = limit.tv_sec * 1000 + limit.tv_usec / 1000 > 0;
	expect(r < 0 || FD_ISSET(w->fd, &set) == (r > 0));
	return r;
}

static int wait_for(struct waiter *w, long ms, const sigset_t *mask)
{
	struct pollfd one = { .fd = w->fd, .events = POLLIN };
	struct timespec limit = { ms / 1000, ms % 1000 * 1000000 };

	switch (w->way) {
	case POLL: return poll(&one, 1, w->forever ? -1 : (int)ms);
	case PPOLL: return ppoll(&one, 1, w->forever ? NULL : &limit, mask);
	case SELECT:
	case PSELECT: return wait_by_set(w, ms, mask);
	case EPOLL:
	case EPOLL_PWAIT:
	case EPOLL_PWAIT2: return wait_by_epoll(w, ms, mask);
	case WAYS: break;
	}
	return -1;
}

static void *waiter_main(void *arg)
{
	struct waiter *w = arg;

	w->result = wait_for(w, 20000, NULL);
	return NULL;
}

/* A thread for each way, half of them without a limit, all woken by one write each. */
static void in_threads(void)
{
	struct waiter waiters[2 * WAYS];
	pthread_t threads[2 * WAYS];
	uint64_t one = 1;

	for (int i = 0; i < 2 * WAYS; i++) {
		waiters[i] = (struct waiter){ .way = (enum way)(i / 2), .forever = i % 2 };
		waiters[i].fd = eventfd(0, 0);
		pthread_create(&threads[i], NULL, waiter_main, &waiters[i]);
	}
	sleep_ms(10);
	for (int i = 2 * WAYS - 1; i >= 0; i--)
		expect(write(waiters[i].fd, &one, sizeof(one)) == sizeof(one));
	for (int i = 0; i < 2 * WAYS; i++) {
		pthread_join(threads[i], NULL);
		say("%s %d, ", names[i / 2], waiters[i].result);
		close(waiters[i].fd);
	}
	say("all woken\n");
}

static void by_time(void)
{
	for (int way = 0; way < WAYS; way++) {
		struct waiter w = { .way = (enum way)way, .fd = eventfd(0, 0) };

		say("%s: %d %d\n", names[way], wait_for(&w, 0, NULL), wait_for(&w, 3, NULL));
		close(w.fd);
	}
	expect(poll(NULL, 0, 2) == 0 && select(0, NULL, NULL, NULL, &(struct timeval){ 0, 2000 }) == 0);
	expect(ppoll(NULL, 0, &(struct timespec){ 0, -1 }, NULL) == -1 && errno == EINVAL);
	expect(select(-1, NULL, NULL, NULL, NULL) == -1 && errno == EINVAL);
}

/* A signal that only the wait lets through ends it; the old mask is back afterwards. */
static void by_signal(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked, open, now;

	sigemptyset(&open);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	expect(pthread_sigmask(SIG_BLOCK, &blocked, NULL) == 0);
	for (int way = 0; way < WAYS; way++) {
		struct waiter w = { .way = (enum way)way, .fd = eventfd(0, 0), .forever = true };

		if (way == POLL || way == SELECT || way == EPOLL)
			continue;
		caught = 0;
		expect(raise(SIGUSR1) == 0 && caught == 0);
		expect(wait_for(&w, 1000, &open) == -1 && errno == EINTR && caught == SIGUSR1);
		expect(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR1));
		w.forever = false;
		say("%s: interrupted, then %d\n", names[way], wait_for(&w, 1, &blocked));
		close(w.fd);
	}
	expect(pthread_sigmask(SIG_UNBLOCK, &blocked, NULL) == 0);
}

/* Until one of them meets the thread in its sleep. */
static void *late(void *arg)
{
	while (!over) {
		sleep_ms(5);
		expect(pthread_kill(*(pthread_t *)arg, SIGUSR1) == 0);
	}
	return NULL;
}

/* A signal that comes while the thread sleeps; select tells what was left of its time. */
static void from_another_thread(void)
{
	pthread_t self = pthread_self(), thread;

	for (int way = 0; way < WAYS; way++) {
		struct waiter w = { .way = (enum way)way, .fd = eventfd(0, 0) };

		caught = 0;
		over = false;
		pthread_create(&thread, NULL, late, &self);
		expect(wait_for(&w, 30000, NULL) == -1 && errno == EINTR && caught == SIGUSR1);
		over = true;
		pthread_join(thread, NULL);
		if (way == SELECT)
			say("time is left: %d\n", w.left);
		close(w.fd);
	}
	say("all interrupted\n");
}

int main(void)
{
	in_threads();
	by_time();
	by_signal();
	from_another_thread();
	return 0;
}
