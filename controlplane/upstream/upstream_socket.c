// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_socket.h"

#include "base/leak_demo.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/config.h>
#include <weir/heap_site.h>

#define NIL UINT32_MAX

enum {
	STRAYS_A_TURN = 8,
	STEP_MS = 100,
	STEP_SHORT_MS = 10, // while there are too few
	LIFE_MS = 10000,    // at least, and at most twice that
	BUSY_MS = 10000,    // since the last second with UPSTREAM_SHELF_BUSY queries
	SOURCE_MS = 1000,   // for so long the route's source address is not asked for again
	LOOK_AT = 256,      // sockets looked at in a step for those that are too old
};

struct shelf {
	union upstream_peer peer;
	socklen_t peer_len;
	union local_address source; // its port is 0
	uint64_t source_ms;         // when that was asked for; 0: never
	unsigned want;              // idle ones to keep ready while it is busy
	unsigned asked;             // queries since second_ms, for a second
	uint64_t second_ms, busy_until_ms;
	bool busy;
	unsigned idle;
	uint32_t socket[UPSTREAM_SHELF_MAX];
};

struct upstream_sockets {
	struct loop *loop;
	struct rng *rng;
	struct local_ports reserved;
	void (*readable)(struct upstream_socket *s);
	struct event *step;
	unsigned uses_max;
	unsigned sets; // that share the files with this one, itself included; 0 is 1
	unsigned count;
	struct shelf *shelf; // CONFIG_UPSTREAMS_MAX
	struct upstream_socket *socket;
	uint32_t touched, free, cursor;
	struct age_list ages;
	struct upstream_sockets_stats stats;
};

bool upstream_same_address(const union upstream_peer *a, const union upstream_peer *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_port == b->v4.sin_port
		       && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->v6.sin6_port == b->v6.sin6_port
	       && memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}

// No reply may be built from fragments, and no forged ICMP may shrink the path MTU (RFC 9715).
static void no_path_mtu(int fd, sa_family_t family)
{
	const int v4 = IP_PMTUDISC_OMIT, v6 = IPV6_PMTUDISC_OMIT;
	if (family == AF_INET)
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof(v4));
	else
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof(v6));
}

static void socket_close(struct upstream_socket *s)
{
	struct upstream_sockets *p = s->owner;

	event_del(&s->event);
	close(s->fd);
	s->fd = -1;
	age_remove(&p->ages, &s->age);
	s->leg = NULL;
	s->place = p->free;
	p->free = (uint32_t)(s - p->socket);
	p->stats.open--;
}

static void shelf_remove(struct upstream_socket *s)
{
	struct upstream_sockets *p = s->owner;
	struct shelf *shelf = &p->shelf[s->shelf];
	uint32_t last = shelf->socket[--shelf->idle];

	shelf->socket[s->place] = last;
	p->socket[last].place = s->place;
	p->stats.idle--;
}

static void shelf_put(struct upstream_socket *s)
{
	struct upstream_sockets *p = s->owner;
	struct shelf *shelf = &p->shelf[s->shelf];

	s->leg = NULL;
	s->place = shelf->idle;
	shelf->socket[shelf->idle++] = (uint32_t)(s - p->socket);
	p->stats.idle++;
}

// An unrequested datagram. Its sender knows the port, so the socket is not used again.
static void stray(struct upstream_socket *s)
{
	uint8_t buf[16];

	for (unsigned i = 0; i < STRAYS_A_TURN; i++) {
		if (recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC) < 0 && errno == EAGAIN)
			break;
		s->owner->stats.strays++;
	}
	shelf_remove(s);
	socket_close(s);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_socket *s = arg;
	(void)fd, (void)what;

	if (s->leg)
		s->owner->readable(s);
	else
		stray(s);
}

static struct upstream_socket *slot_take(struct upstream_sockets *p)
{
	uint32_t i = p->free;

	if (i != NIL)
		p->free = p->socket[i].place;
	else if (p->touched < UPSTREAM_SOCKETS_MAX)
		i = p->touched++;
	return i == NIL ? NULL : &p->socket[i];
}

// `again`: the machine may have another address by now.
static int source_bind(struct upstream_sockets *p, struct upstream_socket *s, bool again)
{
	struct shelf *shelf = &p->shelf[s->shelf];
	uint64_t now_ms = clock_mono_ms();

	if (again || !shelf->source_ms || now_ms >= shelf->source_ms + SOURCE_MS) {
		int rc = local_address_to(&s->peer.any, s->peer_len, &shelf->source);
		if (rc < 0)
			return rc;
		shelf->source_ms = now_ms;
	}
	return local_port_bind(p->rng, &p->reserved, s->fd, &shelf->source, &s->local_port);
}

static int socket_ready(struct upstream_sockets *p, struct upstream_socket *s)
{
	no_path_mtu(s->fd, s->peer.any.sa_family);
	int rc = source_bind(p, s, false);
	if (rc == -EADDRNOTAVAIL)
		rc = source_bind(p, s, true);
	if (rc < 0)
		return rc;
	if (connect(s->fd, &s->peer.any, s->peer_len) < 0)
		return -errno;
	return event_add(&s->event, NULL) < 0 ? -ENOMEM : 0;
}

static int socket_open(struct upstream_sockets *p, unsigned i, struct upstream_socket **out)
{
	const struct shelf *shelf = &p->shelf[i];
	int fd = socket(shelf->peer.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	struct upstream_socket *s = slot_take(p);
	if (!s) {
		close(fd);
		return -EMFILE;
	}
	*s = (struct upstream_socket){
		.owner = p,
		.fd = fd,
		.shelf = i,
		.until_ms = clock_mono_ms() + LIFE_MS + rng_u16(p->rng) % LIFE_MS,
		.peer = shelf->peer,
		.peer_len = shelf->peer_len,
	};
	event_assign(&s->event, loop_base(p->loop), fd, EV_READ | EV_PERSIST, on_readable, s);
	age_add(&p->ages, &s->age);
	p->stats.open++;
	int rc = socket_ready(p, s);
	if (rc < 0) {
		socket_close(s);
		return rc;
	}
	p->stats.opened++;
	*out = s;
	return 0;
}

// One of the idle ones, any of them as likely as another.
static struct upstream_socket *shelf_draw(struct upstream_sockets *p, struct shelf *shelf)
{
	uint32_t pick = (uint32_t)rng_u16(p->rng) * shelf->idle >> 16;
	struct upstream_socket *s = &p->socket[shelf->socket[pick]];

	shelf_remove(s);
	return s;
}

static void step_in(struct upstream_sockets *p, unsigned ms)
{
	event_add(p->step, &(struct timeval){.tv_usec = (suseconds_t)ms * 1000});
}

// Counts a query.
static void shelf_count(struct upstream_sockets *p, struct shelf *shelf, uint64_t now_ms)
{
	if (now_ms >= shelf->second_ms + 1000) {
		shelf->second_ms = now_ms;
		shelf->asked = 0;
	}
	if (++shelf->asked < UPSTREAM_SHELF_BUSY)
		return;
	shelf->busy_until_ms = now_ms + BUSY_MS;
	if (!shelf->busy)
		step_in(p, STEP_SHORT_MS);
	shelf->busy = true;
}

int upstream_socket_take(struct upstream_sockets *p, unsigned i, struct upstream_leg *leg,
	uint64_t now_ms, struct upstream_socket **out)
{
	struct shelf *shelf = &p->shelf[i];
	struct upstream_socket *s = NULL;
	int rc = 0;

	shelf_count(p, shelf, now_ms);
	if (shelf->idle == 0 || shelf->idle < shelf->want / 2) {
		rc = socket_open(p, i, &s);
		p->stats.made += rc == 0;
	}
	if (!s && shelf->idle > 0)
		s = shelf_draw(p, shelf);
	if (!s) {
		p->stats.full += rc == -EMFILE;
		return rc;
	}
	s->leg = leg;
	s->uses++;
	*out = s;
	return 0;
}

void upstream_socket_give(struct upstream_socket *s, bool clean)
{
	struct upstream_sockets *p = s->owner;

	if (s->uses > 1)
		LEAK_DEMO(buffers, 700);
	bool wanted = clean && s->shelf != NIL && p->shelf[s->shelf].busy && s->uses < p->uses_max;
	bool full = wanted && p->shelf[s->shelf].idle >= UPSTREAM_SHELF_MAX;
	p->stats.evicted += full;
	if (wanted && !full)
		shelf_put(s);
	else
		socket_close(s);
}

static void close_old(struct upstream_sockets *p, uint64_t now_ms)
{
	unsigned closed = 0;

	for (unsigned i = 0; i < LOOK_AT && i < p->touched && closed < UPSTREAM_SOCKET_STEP; i++) {
		p->cursor = p->cursor + 1 < p->touched ? p->cursor + 1 : 0;
		struct upstream_socket *s = &p->socket[p->cursor];
		if (s->fd < 0 || s->leg || now_ms < s->until_ms)
			continue;
		shelf_remove(s);
		socket_close(s);
		closed++;
	}
}

// Opens ahead. True: there are too few still.
static bool open_ahead(struct upstream_sockets *p, struct shelf *shelf, unsigned *opened)
{
	struct upstream_socket *s;

	while (shelf->idle < shelf->want && *opened < UPSTREAM_SOCKET_STEP) {
		// EMFILE, or no free port: at the next step again.
		if (socket_open(p, (unsigned)(shelf - p->shelf), &s) < 0)
			return false;
		shelf_put(s);
		++*opened;
	}
	return shelf->idle + 2 * UPSTREAM_SOCKET_STEP < shelf->want;
}

// Closes those that nobody needs any more. True: there are some left.
static bool close_idle(struct upstream_sockets *p, struct shelf *shelf)
{
	for (unsigned i = 0; i < UPSTREAM_SOCKET_STEP && shelf->idle > 0; i++) {
		struct upstream_socket *s = &p->socket[shelf->socket[shelf->idle - 1]];
		shelf_remove(s);
		socket_close(s);
	}
	return shelf->idle > 0;
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_sockets *p = arg;
	uint64_t now_ms = clock_mono_ms();
	bool is_any_busy = false, soon = false;
	unsigned opened = 0;
	(void)fd, (void)what;

	close_old(p, now_ms);
	for (unsigned i = 0; i < p->count; i++) {
		struct shelf *shelf = &p->shelf[i];
		shelf->busy = now_ms < shelf->busy_until_ms;
		is_any_busy |= shelf->busy;
		soon |= shelf->busy ? open_ahead(p, shelf, &opened) : close_idle(p, shelf);
	}
	if (soon || is_any_busy)
		step_in(p, soon ? STEP_SHORT_MS : STEP_MS);
}

int upstream_sockets_new(struct upstream_sockets **out, struct loop *loop, struct rng *rng,
	void (*readable)(struct upstream_socket *s))
{
	struct upstream_sockets *p = heap_calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->loop = loop;
	p->rng = rng;
	local_ports_load(&p->reserved);
	p->readable = readable;
	p->free = NIL;
	p->shelf = heap_calloc(CONFIG_UPSTREAMS_MAX, sizeof(*p->shelf));
	p->socket = heap_calloc(UPSTREAM_SOCKETS_MAX, sizeof(*p->socket));
	p->step = event_new(loop_base(loop), -1, 0, on_step, p);
	if (!p->shelf || !p->socket || !p->step) {
		upstream_sockets_free(p);
		return -ENOMEM;
	}
	*out = p;
	return 0;
}

void upstream_sockets_free(struct upstream_sockets *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; p->socket && i < p->touched; i++)
		if (p->socket[i].fd >= 0)
			socket_close(&p->socket[i]);
	if (p->step)
		event_free(p->step);
	FREE_AND_NULL(p->socket);
	FREE_AND_NULL(p->shelf);
	heap_free(p);
}

// A quarter of the files that may be open, for all shelves together.
static unsigned shelf_want(unsigned count, unsigned sets)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || count == 0)
		return 0;
	rlim_t share = limit.rlim_cur / 4 / count / (sets ? sets : 1);
	return share < UPSTREAM_SOCKETS_AHEAD ? (unsigned)share : UPSTREAM_SOCKETS_AHEAD;
}

void upstream_sockets_uses(struct upstream_sockets *p, unsigned most)
{
	p->uses_max = most ? most : UPSTREAM_SOCKET_USES;
}

void upstream_sockets_share(struct upstream_sockets *p, unsigned every, unsigned resolver)
{
	p->reserved.every = every;
	p->reserved.resolver = resolver;
}

void upstream_sockets_one_of(struct upstream_sockets *p, unsigned sets)
{
	p->sets = sets;
}

void upstream_sockets_configure(struct upstream_sockets *p, const union upstream_peer *peers,
	const socklen_t *lens, unsigned count)
{
	unsigned want = shelf_want(count, p->sets);

	// Idle ones leave their shelves, and find the new ones if their server stays.
	for (unsigned i = 0; i < p->count; i++)
		p->shelf[i].idle = 0;
	p->stats.idle = 0;
	p->count = count;
	for (unsigned i = 0; i < count; i++) {
		p->shelf[i].peer = peers[i];
		p->shelf[i].peer_len = lens[i];
		p->shelf[i].want = lens[i] ? want : 0;
		p->shelf[i].source_ms = 0;
		p->shelf[i].busy = false;
		p->shelf[i].busy_until_ms = 0;
	}
	for (uint32_t k = 0; k < p->touched; k++) {
		struct upstream_socket *s = &p->socket[k];
		if (s->fd < 0)
			continue;
		s->shelf = NIL;
		for (unsigned i = 0; i < count && s->shelf == NIL; i++)
			if (upstream_same_address(&s->peer, &peers[i]))
				s->shelf = i;
		if (s->leg)
			continue;
		if (s->shelf != NIL && p->shelf[s->shelf].idle < UPSTREAM_SHELF_MAX)
			shelf_put(s);
		else
			socket_close(s);
	}
	if (p->stats.idle > 0)
		step_in(p, STEP_SHORT_MS);
}

void upstream_sockets_stats(const struct upstream_sockets *p, struct upstream_sockets_stats *out)
{
	*out = p->stats;
	out->since_ms = age_since(&p->ages);
	out->bytes = p->touched * sizeof(*p->socket) + CONFIG_UPSTREAMS_MAX * sizeof(*p->shelf);
}
