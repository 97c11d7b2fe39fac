// SPDX-License-Identifier: BSD-3-Clause
#include "link.h"

#include "base/loop.h"

#include <event2/event.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/bell.h>
#include <weir/clock.h>
#include <weir/fault.h>
#include <weir/gong.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/os/passed_files.h>
#include <weir/shm_msg.h>
#include <weir/shm_region.h>
#include <weir/thread.h>

// Connections to link.sock. A peer may pass descriptors, with its hello or after it, and the thread
// that reads the message or closes the connection waits until the kernel has closed them
// (weir/os/passed_files.h). So two helper threads do that: one reads a hello, which must come
// within LINK_HELLO_MS; one closes connections. Nothing after the hello is read. The next
// connection waits in the kernel while a hello is read, and while LINK_GUESTS_MAX connections are
// open or wait to be closed.
//
// Owned by the first resolver's loop.

enum { LINK_HELLO_MS = 1000, LINK_GUESTS_MAX = 8 };

struct link_guest {
	int fd;
	int rc; // 0: a good hello; -errno with `why`, -ETIMEDOUT: no hello came
	struct link_hello hello;
	char why[SHM_WHY_MAX];
};

struct link_guests;
// Takes a connection with the result of its hello. The callee owns it until link_guests_leave.
typedef void (*link_guests_fn)(void *arg, const struct link_guest *guest);

static void link_guests_close(struct link_guests *g);
static void link_guests_leave(struct link_guests *g, int fd);

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

// Checks a hello of `n` bytes. MSG_CTRUNC in `flags`: it came with descriptors, which the kernel
// has closed, because there was no room for them.
static int check(const struct link_hello *h, ssize_t n, int flags, char why[SHM_WHY_MAX])
{
	if (n == 0) {
		snprintf(why, SHM_WHY_MAX, "closed the link before its hello");
		return -EPIPE;
	}
	// Every version has magic and version at these offsets.
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

// Waits for a hello on the connection `guest->fd`, and stores the result in `guest`. Runs on a
// helper thread.
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

// A helper thread. Its thread owns the data that it works on until the loop has joined it.
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
			event_del(g->arrived); // no descriptor or memory: the next beat retries
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

// Lets the helper thread close the connection soon.
static void link_guests_leave(struct link_guests *g, int fd)
{
	g->leaves[g->leaving++] = fd;
	closes_start(g);
}

// Called each 100 ms: tries again where there was no descriptor, memory or thread. A connection is
// closed if there was no thread to read its hello.
static void link_guests_beat(struct link_guests *g)
{
	closes_start(g);
	listen_on(g);
}

static int guests_events_open(struct link_guests *g, struct loop *loop, int listener)
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

// Begins to accept connections. The caller keeps `listener`. -ENOMEM, or -errno of eventfd.
static int link_guests_open(
	struct link_guests **out, struct loop *loop, int listener, link_guests_fn came, void *arg)
{
	struct link_guests *g = heap_calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->came = came;
	g->arg = arg;
	g->hears = (struct helper){.owner = g, .work = hear, .done = heard};
	g->closes = (struct helper){.owner = g, .work = close_all, .done = closes_done};
	int rc = guests_events_open(g, loop, listener);
	if (rc < 0) {
		link_guests_close(g);
		return rc;
	}
	*out = g;
	return 0;
}

// Waits for the helpers, and closes all connections that have left. NULL is fine.
static void link_guests_close(struct link_guests *g)
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

struct link_bells {
	unsigned workers, resolvers;
	int hears[SHM_WORKERS_MAX]; // -1: sent to the data plane; only the first loop uses them
	int rings[SHM_WORKERS_MAX];
	int gong[SHM_RESOLVERS_MAX];
};

// A hello, and bells that are closed when no resolver uses them any more.
struct greeting_shared {
	_Atomic unsigned references;
	struct link_hello hello;
	struct link_bells bells;
};

struct link_resolver {
	struct link_server *owner;
	struct loop *loop;
	struct worker_rings *worker_rings;
	struct l0_writer *l0;
	struct event *beat;
	struct greeting_shared *held; // only for this loop: its rings have these bells; or NULL
	// The resolver's step of a walk. Only the first resolver's loop uses `out`. While it is set
	// only this resolver's loop uses the rest, else only the first one's.
	bool out;
	struct greeting_shared *given;
	struct loop_return go, back;
	int rc;
	char why[SHM_WHY_MAX];
};

struct link_server {
	struct publisher *publisher;
	unsigned resolvers;
	struct link_resolver of[SHM_RESOLVERS_MAX];
	char path[SHM_PATH_MAX + 32];
	int listen_fd, peer_fd; // -1: not open
	bool up;                // the peer has been welcomed
	struct link_guests *guests;
	struct event *peer_event;
	// A walk: all resolvers attach `target`, or detach.
	bool walking;
	void (*done)(struct link_server *s);
	struct loop_wait wait;
	struct greeting_shared *target; // all resolvers attach it, or have; NULL: they detach
	int attach_rc;
	char attach_why[SHM_WHY_MAX];
};

// The bells of a data plane: made here, and sent with the welcome.

static void end_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void hears_close(struct link_bells *b)
{
	for (unsigned i = 0; i < b->workers; i++)
		end_close(&b->hears[i]);
}

static void bells_close(struct link_bells *b)
{
	hears_close(b);
	for (unsigned i = 0; i < b->workers; i++)
		end_close(&b->rings[i]);
	for (unsigned r = 0; r < b->resolvers; r++)
		end_close(&b->gong[r]);
}

// Makes all bells and gongs. -errno: none of them is open.
static int bells_open(struct link_bells *b, unsigned workers, unsigned resolvers)
{
	int rc = 0;
	*b = (struct link_bells){0};
	while (rc == 0 && b->workers < workers) {
		int end[BELL_ENDS];
		rc = bell_open(end);
		if (rc)
			break;
		b->hears[b->workers] = end[BELL_HEARS];
		b->rings[b->workers++] = end[BELL_RINGS];
	}
	while (rc == 0 && b->resolvers < resolvers) {
		const int gong = gong_open();
		rc = gong < 0 ? gong : 0;
		if (rc == 0)
			b->gong[b->resolvers++] = gong;
	}
	if (rc)
		bells_close(b);
	return rc;
}

// Lists the descriptors in the order of struct link_welcome. Returns their number.
static unsigned list(const struct link_bells *b, int fds[LINK_BELLS_MAX])
{
	unsigned n = 0;
	for (unsigned i = 0; i < b->workers; i++) {
		fds[n++] = b->hears[i];
		fds[n++] = b->rings[i];
	}
	for (unsigned r = 0; r < b->resolvers; r++)
		fds[n++] = b->gong[r];
	return n;
}

// Sends the welcome with the bells. -errno of sendmsg(2). Closes the workers' ends in any case.
static int bells_give(struct link_bells *b, int peer, struct link_welcome *w)
{
	int fds[LINK_BELLS_MAX];
	const size_t size = sizeof(fds[0]) * list(b, fds);
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fds))] = {0};
	struct iovec iov = {.iov_base = w, .iov_len = sizeof(*w)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(size)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	w->workers = b->workers;
	w->resolvers = b->resolvers;
	*c = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), fds, size);
	const int rc = sendmsg(peer, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
	hears_close(b);
	return rc;
}

enum {
	COPY_MAX_MS = 600, // a part of the second that a restart may take
	COPY_STEP_BUCKETS = 4096,
};

// Copies the cache of the last life, of another size, into the new one. A running data plane uses
// the old cache meanwhile; only misses wait, so the copy may not take long.
static void l0_copy(const struct publisher *p, struct l0_writer *const *w)
{
	const struct region *old = publisher_l0_old(p);
	struct l0_copy c = {0};
	struct l0_reader from;

	if (!old)
		return;
	if (l0_reader_init(&from, old->base, old->size) < 0) {
		log_warning(
			"cache of an earlier run not usable: its geometry does not match its size");
		return;
	}
	uint64_t start_ms = clock_mono_ms(), now_ms = start_ms;
	bool done = false;
	while (!done && now_ms < start_ms + COPY_MAX_MS) {
		done = l0_writer_copy(w, &from, now_ms, &c, COPY_STEP_BUCKETS);
		now_ms = clock_mono_ms();
	}
	log_info("cache of the new size: %llu records copied in %llu ms, %llu discarded%s",
		(unsigned long long)c.copied, (unsigned long long)(now_ms - start_ms),
		(unsigned long long)c.discarded,
		c.full  ? ", the new one is full" // or a resolver's share of it
		: !done ? ", the rest not copied: out of time"
			: "");
}

// Opens the writers of L0, fills them from a cache of another size or number of resolvers for at
// most COPY_MAX_MS, and makes their region current. `out`: room for a writer for each resolver, all
// NULL; the caller owns the writers that are set, also after an error. -errno with `why`.
static int l0_open(struct publisher *p, struct l0_writer **out, char why[SHM_WHY_MAX])
{
	unsigned long long kept = 0, discarded = 0;
	struct l0_writer_stats stats;
	struct region region;
	bool fresh;

	publisher_l0(p, &region, &fresh);
	for (unsigned i = 0; i < publisher_resolvers(p); i++) {
		int rc = l0_writer_open(&out[i], region.base, region.size, i, fresh,
			publisher_epoch(p, i), clock_mono_ms());
		if (rc < 0) {
			snprintf(why, SHM_WHY_MAX, "cache: cannot be opened: %d", rc);
			return rc;
		}
		l0_writer_set_own_marks(out[i], publisher_marks(p));
		l0_writer_stats(out[i], &stats);
		kept += stats.recovered;
		discarded += stats.discarded;
	}
	l0_copy(p, out);
	publish_l0(p);
	if (!fresh)
		log_info("cache reused: %llu records kept, %llu discarded", kept, discarded);
	return 0;
}

// The handshake: each resolver attaches its rings on its loop, then the first resolver's loop
// answers the hello.

static void peer_drop(struct link_server *s)
{
	if (s->peer_event)
		event_free(s->peer_event);
	s->peer_event = NULL;
	if (s->peer_fd >= 0)
		link_guests_leave(s->guests, s->peer_fd);
	s->peer_fd = -1;
	s->up = false;
}

// The peer has hung up, or has sent something, which ends the link unread.
static void on_peer(evutil_socket_t, short, void *arg)
{
	log_warning("data plane closed its link");
	peer_drop(arg);
}

static struct link_welcome welcome(const struct link_server *s, int error)
{
	return (struct link_welcome){.magic = SHM_MAGIC,
		.abi_version = SHM_ABI_VERSION,
		.error = error,
		.cp_incarnation = publisher_incarnation(s->publisher)};
}

static void refusal_send(const struct link_server *s, int fd, int error)
{
	const struct link_welcome w = welcome(s, error);
	(void)send(fd, &w, sizeof(w), MSG_DONTWAIT | MSG_NOSIGNAL);
}

// Drops a reference; NULL is fine.
static void greeting_drop(struct greeting_shared *g)
{
	if (!g || atomic_fetch_sub_explicit(&g->references, 1, memory_order_acq_rel) > 1)
		return;
	bells_close(&g->bells);
	heap_free(g);
}

static struct greeting_shared *greeting_keep(struct greeting_shared *g)
{
	if (g)
		atomic_fetch_add_explicit(&g->references, 1, memory_order_relaxed);
	return g;
}

static int greeting_share(
	struct greeting_shared **out, const struct link_hello *hello, unsigned resolvers)
{
	struct greeting_shared *g = heap_malloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	*g = (struct greeting_shared){.references = 1, .hello = *hello};
	int rc = bells_open(&g->bells, hello->workers, resolvers);
	if (rc < 0) {
		heap_free(g);
		return rc;
	}
	*out = g;
	return 0;
}

static void step_send(struct link_resolver *r);

// Ends a step, on the first resolver's loop. A late resolver may have to attach another data plane
// by now.
static void step_back(void *arg)
{
	struct link_resolver *r = arg;
	struct link_server *s = r->owner;
	const unsigned resolver = (unsigned)(r - s->of);

	r->out = false;
	if (r->given != s->target) {
		step_send(r);
		return;
	}
	if (r->rc < 0 && (s->wait.late >> resolver & 1))
		log_error("resolver %u, which has been hanging, does not attach the data plane: "
			  "%s; restart weir-controlplane",
			resolver, r->why);
	loop_wait_done(&s->wait, resolver);
}

// Attaches or detaches the resolver's rings, on the resolver's loop.
static void step(void *arg)
{
	struct link_resolver *r = arg;
	struct link_server *s = r->owner;

	r->rc = 0;
	if (r->given)
		r->rc = worker_rings_attach(r->worker_rings, &r->given->hello,
			r->given->bells.rings, r->given->bells.gong[r - s->of], r->why);
	else
		worker_rings_detach(r->worker_rings);
	greeting_drop(r->held);
	r->held = r->rc == 0 ? greeting_keep(r->given) : NULL;
	greeting_drop(r->given);
	if (r == &s->of[0])
		step_back(r);
	else
		loop_call_back(s->of[0].loop, &r->back, step_back, r);
}

static void step_send(struct link_resolver *r)
{
	r->out = true;
	r->given = greeting_keep(r->owner->target);
	if (r == &r->owner->of[0])
		step(r);
	else
		loop_call_back(r->loop, &r->go, step, r);
}

static bool step_hangs(const void *server, unsigned resolver)
{
	const struct link_server *s = server;
	return publisher_resolver_hangs(s->publisher, resolver);
}

static void walk_end(void *arg)
{
	struct link_server *s = arg;
	s->walking = false;
	s->done(s);
}

// Lets every resolver attach `target`, which the link then owns, or detach, each on its loop; then
// calls `done` on the first resolver's loop. A resolver whose last step is still out follows when
// the step is back.
static void walk_begin(
	struct link_server *s, struct greeting_shared *target, void (*done)(struct link_server *s))
{
	greeting_drop(s->target);
	s->target = target;
	s->walking = true;
	s->done = done;
	s->wait = (struct loop_wait){
		.loop = s->of[0].loop, .hangs = step_hangs, .then = walk_end, .arg = s};
	loop_wait_begin(&s->wait, s->resolvers);
	for (unsigned i = s->resolvers; i-- > 0;)
		if (!s->of[i].out)
			step_send(&s->of[i]);
}

static void detached(struct link_server *)
{
}

// Detaches all rings, because the data plane is dead. No walk may be in progress.
static void detach(struct link_server *s)
{
	if (s->target)
		walk_begin(s, NULL, detached);
}

// Refuses the data plane, once the resolvers that had attached it have detached.
static void refuse(struct link_server *s)
{
	log_warning("data plane refused: %s", s->attach_why);
	refusal_send(s, s->peer_fd, s->attach_rc);
	peer_drop(s);
}

// Keeps the error of a resolver that refuses the data plane. A late resolver does not count.
static void refusal_take(struct link_server *s)
{
	for (unsigned i = 0; i < s->resolvers && s->attach_rc == 0; i++) {
		const struct link_resolver *r = &s->of[i];
		if (r->out || r->rc >= 0)
			continue;
		s->attach_rc = r->rc;
		memcpy(s->attach_why, r->why, sizeof(s->attach_why));
	}
}

static void attached(struct link_server *s)
{
	refusal_take(s);
	if (s->attach_rc < 0) {
		walk_begin(s, NULL, refuse);
		return;
	}
	s->up = true;
	event_add(s->peer_event, NULL);
	struct link_welcome w = welcome(s, 0);
	int rc = bells_give(&s->target->bells, s->peer_fd, &w);
	if (rc < 0) { // the data plane tries again
		snprintf(s->attach_why, sizeof(s->attach_why), "welcome: %s", strerror(-rc));
		log_warning("data plane refused: %s", s->attach_why);
		peer_drop(s);
		return;
	}
	FAULT_POINT(link_welcome_sent);
	log_info("data plane attached, %u workers", s->target->hello.workers);
}

// Keeps the connection. Its event is added with the welcome; until then nothing is read from it.
static int peer_take(struct link_server *s, const struct link_guest *guest)
{
	s->peer_fd = guest->fd;
	s->peer_event =
		event_new(loop_base(s->of[0].loop), guest->fd, EV_READ | EV_PERSIST, on_peer, s);
	return s->peer_event ? 0 : -ENOMEM;
}

static int greet(
	struct link_server *s, const struct link_guest *guest, struct greeting_shared **target)
{
	int rc = peer_take(s, guest);
	if (guest->rc < 0) {
		memcpy(s->attach_why, guest->why, sizeof(s->attach_why));
		return guest->rc;
	}
	if (rc == 0)
		rc = greeting_share(target, &guest->hello, s->resolvers);
	if (rc < 0)
		snprintf(s->attach_why, sizeof(s->attach_why), "bells: %s", strerror(-rc));
	return rc;
}

static void guest_came(void *server, const struct link_guest *guest)
{
	struct link_server *s = server;
	struct greeting_shared *target = NULL;
	if (guest->rc == -ETIMEDOUT) {
		log_warning("data plane: handshake timed out");
		link_guests_leave(s->guests, guest->fd);
		return;
	}
	if (s->peer_fd >= 0 || s->walking) {
		refusal_send(s, guest->fd, -EBUSY);
		link_guests_leave(s->guests, guest->fd);
		return;
	}
	FAULT_POINT(link_hello_taken);
	publisher_reader_look(s->publisher);
	s->attach_rc = greet(s, guest, &target);
	if (s->attach_rc < 0) // no resolver has begun to attach it
		refuse(s);
	else
		walk_begin(s, target, attached);
}

// The socket and the beat.

enum { BEAT_MS = 100 };

// The first resolver's part of a beat. Without a link it probes each time whether the data plane's
// process is dead, because a process may start and die unseen.
static void first_beat(struct link_server *s)
{
	publisher_heartbeat(s->publisher, clock_mono_ms());
	if (!s->up && !s->walking && publisher_probe_readers(s->publisher))
		detach(s);
	link_guests_beat(s->guests);
}

static void on_beat(evutil_socket_t, short, void *arg)
{
	struct link_resolver *r = arg;
	struct link_server *s = r->owner;
	if (r == &s->of[0])
		first_beat(s); // first, as workers watch this heartbeat
	publisher_resolver_beat(s->publisher, (unsigned)(r - s->of), clock_mono_ms());
	worker_rings_beat(r->worker_rings);
	l0_writer_reclaim(r->l0);
}

static int listen_open(struct link_server *s)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	if (strlen(s->path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	strcpy(sun.sun_path, s->path);
	s->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->listen_fd < 0)
		return -errno;
	passed_files_refuse(s->listen_fd);
	// This process holds controlplane.lock, so no process listens on a leftover socket.
	(void)unlink(s->path);
	// bind() gives the file the mode of the socket, less the umask, which all threads share
	// and which therefore stays.
	int rc = fchmod(s->listen_fd, 0600) < 0
				 || bind(s->listen_fd, (struct sockaddr *)&sun, sizeof(sun)) < 0
			 ? -errno
			 : 0;
	if (rc == 0 && publisher_paths(s->publisher)->two_users && chmod(s->path, 0660) < 0)
		rc = -errno;
	if (rc == 0 && listen(s->listen_fd, 4) < 0)
		rc = -errno;
	return rc;
}

static int events_open(struct link_server *s)
{
	int rc = link_guests_open(&s->guests, s->of[0].loop, s->listen_fd, guest_came, s);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < s->resolvers; i++) {
		struct link_resolver *r = &s->of[i];
		r->beat = event_new(loop_base(r->loop), -1, EV_PERSIST, on_beat, r);
		if (!r->beat
			|| event_add(r->beat, &(struct timeval){.tv_usec = BEAT_MS * 1000}) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int resolvers_open(struct link_server *s, char why[SHM_WHY_MAX])
{
	struct l0_writer *l0[SHM_RESOLVERS_MAX] = {NULL};
	int rc = l0_open(s->publisher, l0, why);

	for (unsigned i = 0; i < s->resolvers; i++)
		s->of[i].l0 = l0[i];
	for (unsigned i = 0; rc == 0 && i < s->resolvers; i++) {
		struct link_resolver *r = &s->of[i];
		snprintf(why, SHM_WHY_MAX, "no memory for the link");
		rc = worker_rings_new(&r->worker_rings, r->loop, s->publisher, r->l0, i);
	}
	return rc;
}

int link_open(struct link_server **out, struct loop *const *loops, struct publisher *publisher,
	char why[SHM_WHY_MAX])
{
	struct link_server *s = heap_calloc(1, sizeof(*s));
	if (!s) {
		snprintf(why, SHM_WHY_MAX, "no memory for the link");
		return -ENOMEM;
	}
	*s = (struct link_server){.publisher = publisher,
		.resolvers = publisher_resolvers(publisher),
		.listen_fd = -1,
		.peer_fd = -1};
	for (unsigned i = 0; i < s->resolvers; i++)
		s->of[i] = (struct link_resolver){.owner = s, .loop = loops[i]};
	snprintf(s->path, sizeof(s->path), "%s/" SHM_NAME_LINK, publisher_paths(publisher)->run);
	int rc = resolvers_open(s, why);
	if (rc == 0) {
		rc = listen_open(s);
		if (rc < 0)
			snprintf(why, SHM_WHY_MAX, "%.200s: %s", s->path, strerror(-rc));
	}
	if (rc == 0)
		rc = events_open(s);
	if (rc < 0) {
		link_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void link_close(struct link_server *s)
{
	if (!s)
		return;
	peer_drop(s);
	link_guests_close(s->guests);
	if (s->listen_fd >= 0) {
		close(s->listen_fd);
		(void)unlink(s->path);
	}
	for (unsigned i = 0; i < s->resolvers; i++) {
		struct link_resolver *r = &s->of[i];
		if (r->beat)
			event_free(r->beat);
		worker_rings_free(r->worker_rings);
		l0_writer_close(r->l0);
		greeting_drop(r->held);
		greeting_drop(r->out ? r->given : NULL);
	}
	greeting_drop(s->target);
	heap_free(s);
}

struct worker_rings *link_worker_rings(const struct link_server *s, unsigned resolver)
{
	return s->of[resolver].worker_rings;
}

struct l0_writer *link_l0(const struct link_server *s, unsigned resolver)
{
	return s->of[resolver].l0;
}

bool link_up(const struct link_server *s)
{
	return s->up;
}

void link_tables(const struct link_server *s, unsigned resolver, struct table_registry *tables)
{
	struct publish_status p;
	struct l0_writer_stats l0;

	publish_status(s->publisher, &p);
	l0_writer_stats(s->of[resolver].l0, &l0);
	const uint64_t bytes = p.l0_bytes / s->resolvers; // this resolver's share of the region
	table_register(tables, &(struct table_info){.name = "l0",
				       .owner = "resolver loop",
				       .eviction = "evict by SIEVE; no room: refuse",
				       .lifetime = "TTL plus stale window",
				       .kind = TABLE_CACHE,
				       .cap = l0.units_total,
				       .used = l0.units_used,
				       .bytes = bytes + l0_writer_memory(s->of[resolver].l0),
				       .evicted = l0.evicted_space + l0.evicted_bucket,
				       .refused = l0.refused_nospace + l0.refused_large,
				       .shared = bytes,
				       .oldest_ms = table_age(l0.oldest_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
}
