// SPDX-License-Identifier: BSD-3-Clause

#include "link_guests.h"

#include <event2/event.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/thread.h>

enum { LOOK_MS = 50 };

static bool comes(int fd, const _Atomic bool *stop)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	const uint64_t end_ms = clock_mono_ms() + LINK_HELLO_MS;
	int n = 0;
	while (n <= 0 && !atomic_load(stop) && clock_mono_ms() < end_ms)
		n = poll(&p, 1, LOOK_MS);
	return n > 0;
}

// Without room for descriptors: the kernel closes those that came, and says so.
static int check(const struct link_hello *h, ssize_t n, int flags, char why[SHM_WHY_MAX])
{
	if (n == 0) {
		snprintf(why, SHM_WHY_MAX, "closed the link before its hello");
		return -EPIPE;
	}
	// Magic and version stand where every version has them.
	bool begins = (size_t)n >= offsetof(struct link_hello, workers) && h->magic == SHM_MAGIC;
	if (begins && h->abi_version != SHM_ABI_VERSION) {
		snprintf(why, SHM_WHY_MAX,
			"its ABI version is %u, weir's is %u: restart both processes from the same "
			"build",
			h->abi_version, SHM_ABI_VERSION);
		return -EPROTONOSUPPORT;
	}
	if (!begins || n != sizeof(*h) || (flags & (MSG_TRUNC | MSG_CTRUNC))) {
		snprintf(why, SHM_WHY_MAX, "not a hello of weir-dataplane");
		return -EPROTO;
	}
	if (h->workers == 0 || h->workers > SHM_WORKERS_MAX || h->dp_incarnation == 0) {
		snprintf(why, SHM_WHY_MAX, "%u workers", h->workers);
		return -EPROTO;
	}
	return 0;
}

// On a helper's thread: waits for a hello on the connection `guest->fd`, and says in the guest what
// came.
static void hello_read(struct link_guest *guest, const _Atomic bool *stop)
{
	struct iovec iov = {.iov_base = &guest->hello, .iov_len = sizeof(guest->hello)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	if (!comes(guest->fd, stop)) {
		guest->rc = -ETIMEDOUT;
		return;
	}
	ssize_t n = recvmsg(guest->fd, &msg, MSG_DONTWAIT);
	if (n < 0) {
		guest->rc = -errno;
		snprintf(guest->why, SHM_WHY_MAX, "hello: %s", strerror(-guest->rc));
		return;
	}
	guest->rc = check(&guest->hello, n, msg.msg_flags, guest->why);
}

// Its thread has what it works on until the loop has joined it.
struct helper {
	struct link_guests *owner;
	void (*work)(struct link_guests *g);
	void (*done)(struct link_guests *g); // on the loop
	pthread_t thread;
	bool is_running;
	_Atomic bool ended;
};

struct link_guests {
	struct event *arrived, *ended;
	int ended_fd;
	link_guests_fn came;
	void *arg;
	_Atomic bool stop;
	unsigned open; // connections that came and are not closed
	struct helper hears, closes;
	struct link_guest guest;
	unsigned leaving;
	int leaves[LINK_GUESTS_MAX];
	unsigned closing;
	int closed[LINK_GUESTS_MAX];
};

static void *run(void *arg)
{
	struct helper *h = arg;
	h->work(h->owner);
	atomic_store_explicit(&h->ended, true, memory_order_release);
	(void)eventfd_write(h->owner->ended_fd, 1);
	return NULL;
}

static void start(struct helper *h)
{
	atomic_store_explicit(&h->ended, false, memory_order_relaxed);
	h->is_running = thread_start(&h->thread, "weir-link", run, h) == 0;
}

static void end(struct helper *h)
{
	pthread_join(h->thread, NULL);
	h->is_running = false;
}

static void on_ended(evutil_socket_t fd, short, void *arg)
{
	struct link_guests *g = arg;
	struct helper *const helpers[] = {&g->hears, &g->closes};
	eventfd_t count;
	(void)eventfd_read(fd, &count);
	for (unsigned i = 0; i < ARRAY_LEN(helpers); i++) {
		struct helper *h = helpers[i];
		if (!h->is_running || !atomic_load_explicit(&h->ended, memory_order_acquire))
			continue;
		end(h);
		h->done(g);
	}
}

static void hear(struct link_guests *g)
{
	hello_read(&g->guest, &g->stop);
}

static void listen_on(struct link_guests *g)
{
	if (!g->hears.is_running && g->open < LINK_GUESTS_MAX)
		(void)event_add(g->arrived, NULL);
}

static void heard(struct link_guests *g)
{
	const struct link_guest guest = g->guest;
	listen_on(g);
	g->came(g->arg, &guest);
}

static void on_arrived(evutil_socket_t listener, short, void *arg)
{
	struct link_guests *g = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			event_del(g->arrived); // no file or memory: until the next beat
		return;
	}
	event_del(g->arrived);
	g->open++;
	g->guest = (struct link_guest){.fd = fd};
	start(&g->hears);
	if (!g->hears.is_running)
		link_guests_leave(g, fd);
}

static void close_all(struct link_guests *g)
{
	for (unsigned i = 0; i < g->closing; i++)
		close(g->closed[i]);
}

static void closes_start(struct link_guests *g)
{
	if (g->closes.is_running || g->leaving == 0)
		return;
	memcpy(g->closed, g->leaves, sizeof(g->closed));
	g->closing = g->leaving;
	start(&g->closes);
	if (g->closes.is_running)
		g->leaving = 0;
}

static void closes_done(struct link_guests *g)
{
	g->open -= g->closing;
	closes_start(g);
}

void link_guests_leave(struct link_guests *g, int fd)
{
	g->leaves[g->leaving++] = fd;
	closes_start(g);
}

void link_guests_beat(struct link_guests *g)
{
	closes_start(g);
	listen_on(g);
}

static int events_open(struct link_guests *g, struct loop *loop, int listener)
{
	g->ended_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (g->ended_fd < 0)
		return -errno;
	g->ended = event_new(loop_base(loop), g->ended_fd, EV_READ | EV_PERSIST, on_ended, g);
	g->arrived = event_new(loop_base(loop), listener, EV_READ | EV_PERSIST, on_arrived, g);
	return g->ended && g->arrived && event_add(g->ended, NULL) == 0
			       && event_add(g->arrived, NULL) == 0
		       ? 0
		       : -ENOMEM;
}

int link_guests_open(
	struct link_guests **out, struct loop *loop, int listener, link_guests_fn came, void *arg)
{
	struct link_guests *g = heap_calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->came = came;
	g->arg = arg;
	g->hears = (struct helper){.owner = g, .work = hear, .done = heard};
	g->closes = (struct helper){.owner = g, .work = close_all, .done = closes_done};
	int rc = events_open(g, loop, listener);
	if (rc < 0) {
		link_guests_close(g);
		return rc;
	}
	*out = g;
	return 0;
}

void link_guests_close(struct link_guests *g)
{
	if (!g)
		return;
	atomic_store(&g->stop, true);
	if (g->hears.is_running) {
		end(&g->hears);
		close(g->guest.fd);
	}
	if (g->closes.is_running)
		end(&g->closes);
	while (g->leaving > 0)
		close(g->leaves[--g->leaving]);
	if (g->arrived)
		event_free(g->arrived);
	if (g->ended)
		event_free(g->ended);
	if (g->ended_fd >= 0)
		close(g->ended_fd);
	heap_free(g);
}
