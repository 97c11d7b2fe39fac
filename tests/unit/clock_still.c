// SPDX-License-Identifier: BSD-3-Clause
#include "clock_still.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
	THREADS_MAX = 16,
	FDS_MAX = 16,
	TIMERS_MAX = 4,
	READ_NS = 20,
	SWEEPS = 3,               // a connection's SYN, the reply to it, and the reply to that
	SWEEP_PATIENCE_MS = 2000, // of real time, for each CPU
};
#define NEVER     UINT64_MAX
#define SECOND_NS UINT64_C(1000000000)

struct waiter {
	bool waits;
	int bell;
	uint64_t due_ns, seen; // seen: as of which turn it found nothing
};

// A timer of the kernel's, of the last ones that were set.
struct ringing {
	int fd;
	uint64_t due_ns, period_ns; // 0: never
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct waiter waiters[THREADS_MAX];
static struct ringing ringings[TIMERS_MAX];
static unsigned ringings_set;
static unsigned threads = 1, waiting, joining;
static uint64_t turn = 1;                // one more when a waiter came or went
static _Atomic uint64_t now_ns, wall_ns; // wall_ns: what CLOCK_REALTIME has ahead
static _Atomic bool is_sent;             // something, over a socket, since the last sweep
static int sweep_fd;                     // connected to itself
static uint32_t probe;                   // number of the last one that was sent over it

static _Thread_local uint64_t worked_ns;

static uint64_t kernel_ns(clockid_t id)
{
	struct timespec t;
	syscall(SYS_clock_gettime, id, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / SECOND_NS), .tv_nsec = (long)(ns % SECOND_NS)};
}

static void sweep_open(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	sweep_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(sweep_fd, (struct sockaddr *)&sin, sizeof(sin)) != 0
		|| getsockname(sweep_fd, (struct sockaddr *)&sin, &(socklen_t){sizeof(sin)}) != 0
		|| syscall(SYS_connect, sweep_fd, &sin, sizeof(sin)) != 0)
		abort();
}

// The number of the next one that comes within this time, of which the kernel leaves the rest; 0:
// none.
static uint32_t probe_hear(struct timespec *left)
{
	struct pollfd p = {.fd = sweep_fd, .events = POLLIN};
	uint32_t number = 0;

	if (syscall(SYS_ppoll, &p, 1, left, NULL, sizeof(uint64_t)) == 1)
		(void)syscall(
			SYS_recvfrom, sweep_fd, &number, sizeof(number), MSG_DONTWAIT, NULL, NULL);
	return number;
}

// What was sent before has arrived when this returns, even if the kernel left it to a thread that
// has to wait for a CPU (ksoftirqd): each CPU's loopback packets keep their order, and we send one
// on each. One that comes too late for its own turn says nothing of a later one. With the lock
// held.
static void sweep(void)
{
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		return;
	for (unsigned i = 0; i < CPU_SETSIZE * SWEEPS; i++) {
		CPU_ZERO(&one);
		CPU_SET(i % CPU_SETSIZE, &one);
		if (!CPU_ISSET(i % CPU_SETSIZE, &all)
			|| sched_setaffinity(0, sizeof(one), &one) != 0)
			continue;
		struct timespec left = timespec_of(SWEEP_PATIENCE_MS * UINT64_C(1000000));
		uint32_t got;
		probe++;
		if (syscall(SYS_sendto, sweep_fd, &probe, sizeof(probe), 0, NULL, 0) < 0)
			continue;
		do
			got = probe_hear(&left);
		while (got != 0 && got != probe);
	}
	(void)sched_setaffinity(0, sizeof(all), &all);
}

__attribute__((constructor)) static void begin(void)
{
	sweep_open();
	now_ns = kernel_ns(CLOCK_MONOTONIC);
	wall_ns = kernel_ns(CLOCK_REALTIME) - now_ns;
	for (unsigned i = 0; i < THREADS_MAX; i++)
		waiters[i].bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static void ring(const struct waiter *w)
{
	(void)!write(w->bell, &(uint64_t){1}, sizeof(uint64_t));
}

// With the lock held.
static uint64_t ringing_next(void)
{
	uint64_t due_ns = NEVER;
	for (struct ringing *r = ringings; r < ringings + TIMERS_MAX; r++)
		if (r->period_ns && r->due_ns < due_ns)
			due_ns = r->due_ns;
	return due_ns;
}

// With the lock held. True when one rang.
static bool ringing_due(void)
{
	bool rang = false;
	for (struct ringing *r = ringings; r < ringings + TIMERS_MAX; r++)
		for (; r->period_ns && r->due_ns <= now_ns; r->due_ns += r->period_ns)
			rang |= write(r->fd, &(uint64_t){1}, sizeof(uint64_t)) > 0;
	return rang;
}

// With the lock held.
static void look_again(void)
{
	turn++;
	for (struct waiter *w = waiters; w < waiters + THREADS_MAX; w++)
		if (w->waits)
			ring(w);
}

// With the lock held. All wait: to the next deadline, or have those look again who have not since.
static void leap(void)
{
	uint64_t due_ns = ringing_next();
	bool all_seen = true;

	if (waiting + joining < threads)
		return;
	for (struct waiter *w = waiters; w < waiters + THREADS_MAX; w++) {
		if (!w->waits)
			continue;
		due_ns = w->due_ns < due_ns ? w->due_ns : due_ns;
		all_seen &= w->seen == turn;
		if (w->seen != turn)
			ring(w);
	}
	if (!all_seen || due_ns == NEVER)
		return;
	if (atomic_exchange(&is_sent, false)) {
		sweep();
		look_again();
		return;
	}
	if (due_ns > now_ns)
		now_ns = due_ns;
	bool rang = ringing_due();
	turn += rang;
	for (struct waiter *w = waiters; w < waiters + THREADS_MAX; w++)
		if (w->waits && (rang || w->due_ns <= now_ns))
			ring(w);
}

static struct waiter *waiter_begin(uint64_t due_ns)
{
	unsigned i = 0;

	pthread_mutex_lock(&lock);
	while (i < THREADS_MAX && waiters[i].waits)
		i++;
	assert(i < THREADS_MAX);
	waiters[i].waits = true;
	waiters[i].due_ns = due_ns;
	waiters[i].seen = 0;
	waiting++;
	turn++;
	pthread_mutex_unlock(&lock);
	return &waiters[i];
}

// With the lock held.
static void waiter_end(struct waiter *w)
{
	w->waits = false;
	waiting--;
	turn++;
}

// fd has room for one more than `count`. What poll says of the first ones, 0 when time is over.
static int wait_until(uint64_t due_ns, struct pollfd *fd, unsigned count)
{
	struct waiter *w = waiter_begin(due_ns);

	fd[count] = (struct pollfd){.fd = w->bell, .events = POLLIN};
	while (true) {
		pthread_mutex_lock(&lock);
		uint64_t as_of = turn;
		pthread_mutex_unlock(&lock);
		int rc = (int)syscall(
			SYS_ppoll, fd, count, &(struct timespec){0}, NULL, sizeof(uint64_t));
		pthread_mutex_lock(&lock);
		if (rc == 0 && now_ns < due_ns) {
			w->seen = as_of;
			leap();
		}
		bool over = rc != 0 || now_ns >= due_ns;
		if (over)
			waiter_end(w);
		pthread_mutex_unlock(&lock);
		if (over)
			return rc;
		(void)syscall(SYS_ppoll, fd, count + 1, NULL, NULL, sizeof(uint64_t));
		(void)!read(w->bell, &(uint64_t){0}, sizeof(uint64_t));
	}
}

// The caller is working, so no leap comes before this note.
static long note_sent(long rc)
{
	is_sent = true;
	return rc;
}

ssize_t send(int fd, const void *msg, size_t len, int flags)
{
	return note_sent(syscall(SYS_sendto, fd, msg, len, flags, NULL, 0));
}

ssize_t sendto(
	int fd, const void *msg, size_t len, int flags, const struct sockaddr *to, socklen_t to_len)
{
	return note_sent(syscall(SYS_sendto, fd, msg, len, flags, to, to_len));
}

int sendmmsg(int fd, struct mmsghdr *msg, unsigned count, int flags)
{
	return (int)note_sent(syscall(SYS_sendmmsg, fd, msg, count, flags));
}

int connect(int fd, const struct sockaddr *to, socklen_t to_len)
{
	return (int)note_sent(syscall(SYS_connect, fd, to, to_len));
}

int clock_gettime(clockid_t id, struct timespec *out)
{
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		*out = timespec_of(now_ns + wall_ns);
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		// A little: who works until a time has passed comes to an end.
		*out = timespec_of(atomic_fetch_add(&now_ns, READ_NS));
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*out = timespec_of(worked_ns);
		return 0;
	default:
		return (int)syscall(SYS_clock_gettime, id, out);
	}
}

void clock_still_work_us(uint32_t us)
{
	worked_ns += (uint64_t)us * 1000;
	now_ns += (uint64_t)us * 1000;
}

static uint64_t due_in(int timeout_ms)
{
	return timeout_ms < 0 ? NEVER : now_ns + (uint64_t)timeout_ms * 1000000;
}

int usleep(useconds_t us)
{
	struct pollfd bell;
	return wait_until(now_ns + (uint64_t)us * 1000, &bell, 0);
}

void clock_pass_ms(uint32_t ms)
{
	struct pollfd bell;
	(void)wait_until(now_ns + ms * UINT64_C(1000000), &bell, 0);
}

int nanosleep(const struct timespec *t, struct timespec *left)
{
	struct pollfd bell;
	(void)left;
	return wait_until(
		now_ns + (uint64_t)t->tv_sec * SECOND_NS + (uint64_t)t->tv_nsec, &bell, 0);
}

int poll(struct pollfd *fd, nfds_t count, int timeout_ms)
{
	struct pollfd copy[FDS_MAX + 1];

	assert(count <= FDS_MAX);
	memcpy(copy, fd, count * sizeof(*fd));
	int rc = wait_until(due_in(timeout_ms), copy, (unsigned)count);
	memcpy(fd, copy, count * sizeof(*fd));
	for (nfds_t i = 0; rc == 0 && i < count; i++)
		fd[i].revents = 0;
	return rc;
}

int epoll_wait(int epoll_fd, struct epoll_event *event, int max, int timeout_ms)
{
	struct pollfd fd[2] = {{.fd = epoll_fd, .events = POLLIN}};

	if (timeout_ms != 0 && wait_until(due_in(timeout_ms), fd, 1) < 0)
		return -1;
	return (int)syscall(SYS_epoll_pwait, epoll_fd, event, max, 0, NULL, sizeof(uint64_t));
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	struct timeval patience = {0};
	struct pollfd one[2] = {{.fd = fd, .events = POLLIN}};

	if (!(flags & MSG_DONTWAIT) && !(fcntl(fd, F_GETFL) & O_NONBLOCK)) {
		(void)getsockopt(
			fd, SOL_SOCKET, SO_RCVTIMEO, &patience, &(socklen_t){sizeof(patience)});
		int ms = (int)(patience.tv_sec * 1000 + patience.tv_usec / 1000);
		if (wait_until(due_in(ms ? ms : -1), one, 1) == 0) {
			errno = EAGAIN;
			return -1;
		}
	}
	return syscall(SYS_recvfrom, fd, buf, len, flags, NULL, NULL);
}

// An eventfd counts as a timer does.
int timerfd_create(clockid_t id, int flags)
{
	assert(id == CLOCK_MONOTONIC);
	return eventfd(0, (flags & TFD_NONBLOCK ? EFD_NONBLOCK : 0)
				  | (flags & TFD_CLOEXEC ? EFD_CLOEXEC : 0));
}

int timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *before)
{
	uint64_t ns =
		(uint64_t)to->it_interval.tv_sec * SECOND_NS + (uint64_t)to->it_interval.tv_nsec;

	assert(flags == 0 && !before && ns && to->it_value.tv_nsec == to->it_interval.tv_nsec);
	pthread_mutex_lock(&lock);
	ringings[ringings_set++ % TIMERS_MAX] =
		(struct ringing){.fd = fd, .due_ns = now_ns + ns, .period_ns = ns};
	pthread_mutex_unlock(&lock);
	return 0;
}

int close(int fd)
{
	pthread_mutex_lock(&lock);
	for (struct ringing *r = ringings; r < ringings + TIMERS_MAX; r++)
		if (r->fd == fd)
			r->period_ns = 0;
	pthread_mutex_unlock(&lock);
	return (int)note_sent(syscall(SYS_close, fd)); // a stream's end
}

struct life {
	void *(*fn)(void *);
	void *arg;
	pthread_t thread;
	bool ended, joined;
};

static struct life lives[THREADS_MAX * 64]; // of the whole program
static unsigned lived;

static void *live(void *arg)
{
	struct life *l = arg;
	void *rc = l->fn(l->arg);

	pthread_mutex_lock(&lock);
	l->ended = true;
	threads--;
	if (l->joined) // who waited for this works again
		joining--;
	turn++;
	leap();
	pthread_mutex_unlock(&lock);
	return rc;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	*(void **)&create = dlsym(RTLD_NEXT, "pthread_create");

	pthread_mutex_lock(&lock);
	assert(lived < sizeof(lives) / sizeof(*lives));
	struct life *l = &lives[lived++];
	*l = (struct life){.fn = fn, .arg = arg};
	threads++;
	pthread_mutex_unlock(&lock);
	int rc = create(thread, attr, live, l);
	assert(rc == 0);
	pthread_mutex_lock(&lock);
	l->thread = *thread;
	pthread_mutex_unlock(&lock);
	return rc;
}

int pthread_join(pthread_t thread, void **out)
{
	int (*join)(pthread_t, void **);
	*(void **)&join = dlsym(RTLD_NEXT, "pthread_join");

	pthread_mutex_lock(&lock);
	// The last of that name: one that ended may have had it before.
	struct life *l = &lives[lived];
	while (l > lives && !pthread_equal((--l)->thread, thread))
		;
	if (!l->ended) {
		l->joined = true;
		joining++;
		leap();
	}
	pthread_mutex_unlock(&lock);
	return join(thread, out);
}
