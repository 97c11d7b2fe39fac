// SPDX-License-Identifier: BSD-3-Clause
// Legs over UDP: the table of their ports, how a query leaves through a worker or a socket, and
// whether a datagram is its reply.

#include "upstream_udp.h"

#include "base/leak_demo.h"
#include "base/table_registry.h"
#include "upstream_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/config.h>
#include <weir/csum.h>
#include <weir/heap_site.h>
#include <weir/log.h>

#define NIL UINT32_MAX

enum {
	STRAYS_A_TURN = 8,
	STEP_MS = 100,
	STEP_SHORT_MS = 10, // while there are too few
	LIFE_MS = 10000,    // at least, and at most twice that
	BUSY_MS = 10000,    // since the last second with UPSTREAM_SHELF_BUSY queries
	SOURCE_MS = 1000,   // for so long the route's source address is not asked for again
	LOOK_AT = 256,      // sockets checked in a step for those that are too old
	SLAB = 256,         // sockets for which memory is taken at once
};

struct shelf {
	union upstream_peer peer;
	socklen_t peer_len;
	union local_address source; // source address; its port is 0
	uint64_t source_ms;         // when `source` was read; 0: never
	unsigned want;              // idle sockets to keep ready while it is busy
	unsigned asked;             // queries since second_ms, for a second
	uint64_t second_ms, busy_until_ms;
	bool busy;
	unsigned idle;
	uint32_t *socket; // UPSTREAM_SHELF_MAX numbers; NULL: no socket was idle yet
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
	struct shelf *shelf;                                       // CONFIG_UPSTREAMS_MAX
	struct upstream_socket *slab[UPSTREAM_SOCKETS_MAX / SLAB]; // NULL from `touched` on
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

static struct upstream_socket *socket_at(const struct upstream_sockets *p, uint32_t number)
{
	return &p->slab[number / SLAB][number % SLAB];
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
	p->free = s->number;
	p->stats.open--;
}

static void shelf_remove(struct upstream_socket *s)
{
	struct upstream_sockets *p = s->owner;
	struct shelf *shelf = &p->shelf[s->shelf];
	uint32_t last = shelf->socket[--shelf->idle];

	shelf->socket[s->place] = last;
	socket_at(p, last)->place = s->place;
	p->stats.idle--;
}

// Closes the socket if there is no memory for the shelf.
static void shelf_put(struct upstream_socket *s)
{
	struct upstream_sockets *p = s->owner;
	struct shelf *shelf = &p->shelf[s->shelf];

	if (!shelf->socket)
		shelf->socket = heap_malloc(UPSTREAM_SHELF_MAX * sizeof(*shelf->socket));
	if (!shelf->socket) {
		socket_close(s);
		return;
	}
	s->leg = NULL;
	s->place = shelf->idle;
	shelf->socket[shelf->idle++] = s->number;
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
	struct upstream_socket *s;

	if (p->free != NIL) {
		s = socket_at(p, p->free);
		p->free = s->place;
		return s;
	}
	if (p->touched == UPSTREAM_SOCKETS_MAX)
		return NULL;
	struct upstream_socket **slab = &p->slab[p->touched / SLAB];
	if (!*slab)
		*slab = heap_calloc(SLAB, sizeof(**slab));
	if (!*slab)
		return NULL;
	s = socket_at(p, p->touched);
	s->number = p->touched++;
	return s;
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
		.number = s->number,
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

// One of the idle sockets, each as likely as another.
static struct upstream_socket *shelf_draw(struct upstream_sockets *p, struct shelf *shelf)
{
	uint32_t pick = (uint32_t)rng_u16(p->rng) * shelf->idle >> 16;
	struct upstream_socket *s = socket_at(p, shelf->socket[pick]);

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

// A socket to server `i` of the list. -errno; -EMFILE: full.
static int pool_take(struct upstream_sockets *p, unsigned i, struct upstream_leg *leg,
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
		struct upstream_socket *s = socket_at(p, p->cursor);
		if (s->fd < 0 || s->leg || now_ms < s->until_ms)
			continue;
		shelf_remove(s);
		socket_close(s);
		closed++;
	}
}

// Opens sockets ahead. True: there are still too few.
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

// Closes idle sockets of a server that is not busy any more. True: some are left.
static bool close_idle(struct upstream_sockets *p, struct shelf *shelf)
{
	for (unsigned i = 0; i < UPSTREAM_SOCKET_STEP && shelf->idle > 0; i++) {
		struct upstream_socket *s = socket_at(p, shelf->socket[shelf->idle - 1]);
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
	p->step = event_new(loop_base(loop), -1, 0, on_step, p);
	if (!p->shelf || !p->step) {
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
	for (uint32_t i = 0; i < p->touched; i++)
		if (socket_at(p, i)->fd >= 0)
			socket_close(socket_at(p, i));
	if (p->step)
		event_free(p->step);
	for (uint32_t i = 0; i < p->touched; i += SLAB)
		FREE_AND_NULL(p->slab[i / SLAB]);
	for (unsigned i = 0; p->shelf && i < CONFIG_UPSTREAMS_MAX; i++)
		FREE_AND_NULL(p->shelf[i].socket);
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

// Resolver number `resolver` of `every` draws its own ports alone: a worker hands over a reply to a
// port to the resolver that the port belongs to (upstream_udp.h).
static void upstream_sockets_share(struct upstream_sockets *p, unsigned every, unsigned resolver)
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

	// Idle sockets leave their shelves, and find the new ones if their server stays.
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
		struct upstream_socket *s = socket_at(p, k);
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
	out->bytes = sizeof(*p) + CONFIG_UPSTREAMS_MAX * sizeof(*p->shelf)
		     + (p->touched + SLAB - 1) / SLAB * SLAB * sizeof(struct upstream_socket);
	for (unsigned i = 0; i < CONFIG_UPSTREAMS_MAX; i++)
		if (p->shelf[i].socket)
			out->bytes += UPSTREAM_SHELF_MAX * sizeof(*p->shelf[i].socket);
}

enum { DRAWS_MAX = 64, PORTS = UINT16_MAX + 1, ICMP_PORT = 3, ICMPV6_PORT = 4 };

// Ports of this resolver in one of the ranges.
struct share {
	uint32_t first, count; // every `resolvers`th from the first on
};

struct upstream_port {
	unsigned resolver, resolvers;
	struct rng rng;
	struct local_ports reserved;
	struct upstream_port_calls calls; // send NULL: not served
	uint64_t live, incarnation;       // the state at the latest beat
	uint64_t dead;                    // workers whose legs are being moved; not in `live`
	unsigned cursor;                  // the scan of their legs, by local port
	bool is_left;                     // a leg before the cursor could not be moved
	uint64_t turn;                    // route_board_turn of the shares
	struct share share[HOPS_RANGES_MAX];
	uint32_t ports; // ports of all shares
	struct upstream_port_stats stats;
	struct age_list ages;            // legs through the port
	struct upstream_leg *leg[PORTS]; // the first leg of each local port's chain
};

int upstream_port_new(struct upstream_port **out, unsigned resolver, unsigned resolvers)
{
	struct upstream_port *p = heap_calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->resolver = resolver;
	p->resolvers = resolvers;
	local_ports_load(&p->reserved);
	*out = p;
	return 0;
}

void upstream_port_free(struct upstream_port *p)
{
	heap_free(p);
}

void upstream_port_serve(struct upstream_port *p, const struct upstream_port_calls *calls)
{
	p->calls = *calls;
}

void upstream_port_share(const struct upstream_port *p, struct upstream_sockets *sockets)
{
	upstream_sockets_share(sockets, p->resolvers, p->resolver);
}

void upstream_port_add(struct upstream_port *p, struct upstream_leg *leg)
{
	struct upstream_leg **first = &p->leg[leg->local_port];

	// A socket's leg is listed also while no worker lives: one that resumes may hand over its
	// reply.
	if (!leg->by_port && !p->calls.live)
		return;
	leg->is_listed = true;
	leg->port_next = *first;
	*first = leg;
	if (!leg->by_port)
		return;
	age_add(&p->ages, &leg->age);
	if (++p->stats.open > p->stats.high)
		p->stats.high = p->stats.open;
}

void upstream_port_remove(struct upstream_port *p, struct upstream_leg *leg)
{
	struct upstream_leg **at = &p->leg[leg->local_port];

	if (!leg->is_listed)
		return;
	while (*at != leg)
		at = &(*at)->port_next;
	*at = leg->port_next;
	leg->is_listed = false;
	if (!leg->by_port)
		return;
	age_remove(&p->ages, &leg->age);
	p->stats.open--;
}

static void shares_read(struct upstream_port *p, uint64_t turn)
{
	struct hops_range range[HOPS_RANGES_MAX];
	const unsigned count = route_board_ranges(range);

	p->turn = turn;
	p->ports = 0;
	for (unsigned i = 0; i < HOPS_RANGES_MAX; i++) {
		struct share *s = &p->share[i];
		*s = (struct share){0};
		if (i >= count)
			continue;
		s->first = range[i].first
			   + (p->resolver + p->resolvers - range[i].first % p->resolvers)
				     % p->resolvers;
		if (s->first <= range[i].last)
			s->count = (range[i].last - s->first) / p->resolvers + 1;
		p->ports += s->count;
	}
}

// Draws a free local port; 0: found no free one.
static uint16_t port_draw(struct upstream_port *p)
{
	for (unsigned i = 0; i < DRAWS_MAX && p->ports; i++) {
		const struct share *s = p->share;
		uint32_t draw;
		rng_bytes(&p->rng, &draw, sizeof(draw));
		uint32_t n = (uint32_t)((uint64_t)draw * p->ports >> 32);
		if (n >= s->count)
			n -= s++->count;
		const uint16_t port = (uint16_t)(s->first + n * p->resolvers);
		if (!p->leg[port] && !local_ports_reserved(&p->reserved, port))
			return port;
	}
	return 0;
}

// Makes the leg one through the port, with a local port. False: it needs a socket.
static bool port_assign(struct upstream_port *p, struct upstream_leg *leg)
{
	struct upstream *s = upstream_leg_server(leg);
	const uint64_t turn = route_board_turn();

	if (!p->live || !s || upstream_server_way(s) != ROUTE_port)
		return false;
	if (p->turn != turn)
		shares_read(p, turn);
	leg->local_port = p->stats.open < UPSTREAM_PORT_LEGS_MAX ? port_draw(p) : 0;
	leg->by_port = leg->local_port != 0;
	p->stats.full += !leg->by_port;
	return leg->by_port;
}

// The address as workers have it: 16 bytes, IPv4 in the first 4.
static uint8_t peer_bytes(const union upstream_peer *peer, uint8_t out[16])
{
	memset(out, 0, 16);
	if (peer->any.sa_family == AF_INET) {
		memcpy(out, &peer->v4.sin_addr, 4);
		return 4;
	}
	memcpy(out, &peer->v6.sin6_addr, 16);
	return 6;
}

static uint16_t peer_port(const union upstream_peer *peer)
{
	return ntohs(peer->any.sa_family == AF_INET ? peer->v4.sin_port : peer->v6.sin6_port);
}

// Leaves the leg's bytes to a worker; `len` at most UPSTREAM_QUERY_MAX. -errno: it needs a socket.
static int port_send(
	struct upstream_port *p, struct upstream_leg *leg, const uint8_t *dns, uint16_t len)
{
	struct msg_send m = {
		.server_port = peer_port(&leg->peer),
		.local_port = leg->local_port,
		.dns_len = len,
		.sum = (uint16_t)csum_partial(dns, len),
	};
	unsigned worker = 0;

	m.ip_version = peer_bytes(&leg->peer, m.server_ip);
	int rc = p->live ? p->calls.send(p->calls.arg, &m, dns, p->live, &worker) : -ENOLINK;
	if (rc < 0) {
		p->stats.unsent++;
		return rc;
	}
	leg->worker = (uint8_t)worker;
	p->stats.sent++;
	return 0;
}

static bool leg_is_to(const struct upstream_leg *leg, const struct msg_heard *m)
{
	uint8_t ip[16];

	return peer_bytes(&leg->peer, ip) == m->ip_version
	       && peer_port(&leg->peer) == m->server_port
	       && memcmp(ip, m->server_ip, sizeof(ip)) == 0;
}

// The leg that a message is for: of the legs to this server the one with its id, or else any.
static struct upstream_leg *leg_find(
	const struct upstream_port *p, const struct msg_heard *m, const uint8_t *dns)
{
	struct upstream_leg *found = NULL;

	for (struct upstream_leg *leg = p->leg[m->local_port]; leg; leg = leg->port_next) {
		if (!leg_is_to(leg, m))
			continue;
		if (m->dns_len >= 2 && get_u16(dns) == leg->id)
			return leg;
		if (!found)
			found = leg;
	}
	return found;
}

// Is the ICMP error a port unreachable? Others do not count, as at a connected socket.
static bool is_refusal(const struct msg_heard *m)
{
	return m->code == (m->ip_version == 4 ? ICMP_PORT : ICMPV6_PORT);
}

enum { ANCOUNT_OFF = 6, READS_A_TURN = 8 };

// Makes a cut message look like a truncated reply: TC, and the question alone.
static size_t cut_mark(const struct upstream_leg *leg, uint8_t *msg, size_t len)
{
	const size_t keep = DNS_HEADER_LEN + leg->ask->question_len;

	if (len < keep)
		return len;
	put_u16(msg + 2, (uint16_t)(get_u16(msg + 2) | DNS_FLAG_TC));
	memset(msg + ANCOUNT_OFF, 0, DNS_HEADER_LEN - ANCOUNT_OFF);
	return keep;
}

// A datagram from the server's address: is it the reply? False: keep waiting.
static bool reply_accept(struct upstream_leg *leg, uint8_t *msg, size_t len)
{
	if (upstream_leg_matches(leg, msg, len, leg->mixed_case))
		return upstream_replied(leg, msg, len) != UPSTREAM_IGNORED;
	if (upstream_leg_is_bare_refusal(leg, msg, len)) {
		upstream_go_plain(leg);
		return true;
	}
	upstream_leg_count_bad(leg);
	if (leg->mixed_case && upstream_leg_matches(leg, msg, len, false)) {
		struct upstream *s = upstream_leg_server(leg);
		if (s) {
			s->case_changed++;
			upstream_server_lack(s, &s->no_case, false, true, clock_mono_ms());
		}
		upstream_go_tcp(leg, false);
		return true;
	}
	bool wrong_id = len >= DNS_HEADER_LEN && get_u16(msg) != leg->id;
	if (!wrong_id || leg->ask->stay_udp || !upstream_can_tcp(leg))
		return false;
	upstream_go_tcp(leg, false);
	return true;
}

// A worker has a message from the leg's server; `is_cut`: the beginning of a longer message, whose
// checksum may not fit. The ask may be gone afterwards.
static void leg_receive(struct upstream_leg *leg, const uint8_t *dns, size_t len, bool is_cut)
{
	struct upstreams *u = leg->ask->owner;

	memcpy(u->buf, dns, len);
	if (is_cut) {
		// The checksum may not be checked: only a message that fits in all ways ends the
		// wait.
		if (!upstream_leg_matches(leg, u->buf, len, leg->mixed_case)) {
			upstream_leg_count_bad(leg);
			return;
		}
		len = cut_mark(leg, u->buf, len);
	}
	(void)reply_accept(leg, u->buf, len);
}

static int socket_take(struct upstream_leg *leg, unsigned i, uint64_t now_ms)
{
	int rc = pool_take(leg->ask->owner->sockets, i, leg, now_ms, &leg->socket);
	if (rc == 0)
		leg->local_port = leg->socket->local_port;
	return rc;
}

// Moves an open leg from the port to a socket. -errno: the leg stays at the port.
static int leave_port(struct upstream_leg *leg)
{
	struct upstream_port *port = leg->ask->owner->port;
	int i = upstream_leg_index(leg);

	if (i < 0)
		return -ENOENT;
	upstream_port_remove(port, leg);
	int rc = socket_take(leg, (unsigned)i, clock_mono_ms());
	leg->by_port = rc < 0;
	upstream_port_add(port, leg);
	return rc;
}

// Sends the query of a leg through the port from a socket; `again`: the query may have left before.
// If no socket can be opened the leg stays as it is.
static void leg_to_socket(struct upstream_leg *leg, bool again)
{
	if (leave_port(leg) < 0)
		return;
	leg->sends -= !again && leg->sends > 0;
	if (upstream_leg_send(leg, clock_mono_us()) < 0)
		upstream_note(leg->ask, TRACE_send_failed, upstream_leg_index(leg), 0, 0);
}

void upstream_port_heard(struct upstream_port *p, const struct msg_heard *m, const uint8_t *dns)
{
	struct upstream_leg *leg = leg_find(p, m, dns);

	if (!leg) {
		p->stats.strays++;
	} else if (m->kind == HEARD_REPLY) {
		p->stats.replies++;
		leg_receive(leg, dns, m->dns_len, m->is_cut);
	} else if (m->kind == HEARD_REFUSED) {
		p->stats.refused++;
		if (leg->by_port)
			leg_to_socket(leg, false);
	} else if (is_refusal(m)) {
		p->stats.unreachable++;
		upstream_refused(leg);
	}
}

// Moves one slice of the legs of dead workers; false: a leg got no socket, so the next would not
// either. A leg that moves finds another chain; no ask ends by it.
static bool legs_move(struct upstream_port *p)
{
	unsigned tried = 0, left = 0;

	for (; p->cursor < PORTS && tried < UPSTREAM_PORT_SLICE; p->cursor++) {
		struct upstream_leg *leg = p->leg[p->cursor];
		while (leg) {
			struct upstream_leg *next = leg->port_next;
			if (leg->by_port && (p->dead >> leg->worker & 1)) {
				leg_to_socket(leg, true);
				p->stats.dead += !leg->by_port;
				left += leg->by_port;
				tried++;
			}
			leg = next;
		}
	}
	p->is_left |= left > 0;
	return left == 0;
}

// A scan that had to leave a leg begins again.
static void scan_end(struct upstream_port *p)
{
	if (!p->is_left)
		p->dead = 0;
	p->cursor = 0;
	p->is_left = false;
}

bool upstream_port_move(struct upstream_port *p)
{
	if (!p->dead)
		return false;
	const bool goes_on = legs_move(p);
	if (p->cursor < PORTS && p->stats.open)
		return goes_on;
	scan_end(p);
	return false;
}

bool upstream_port_beat(struct upstream_port *p)
{
	const uint64_t before = p->live, life = p->incarnation;

	if (!p->calls.live)
		return false;
	uint64_t live = p->calls.live(p->calls.arg, &p->incarnation);
	const uint64_t dead = p->incarnation == life ? before & ~live : before;
	if (dead) {
		p->dead |= dead;
		p->cursor = 0;
		p->is_left = false;
	}
	const bool more = upstream_port_move(p);
	p->live = live & ~p->dead;
	return more;
}

void upstream_port_stats(const struct upstream_port *p, struct upstream_port_stats *out)
{
	*out = p->stats;
}

void upstream_port_tables(const struct upstream_port *p, struct table_registry *tables)
{
	table_register(tables, &(struct table_info){.name = "upstream_ports",
				       .owner = "resolver loop",
				       .eviction = "refuse: a socket is used",
				       .lifetime = "life of the query",
				       TABLE_WORK_FOR(5000),
				       .cap = UPSTREAM_PORT_LEGS_MAX,
				       .used = p->stats.open,
				       .bytes = sizeof(*p),
				       .refused = p->stats.full,
				       .oldest_ms = table_age(age_since(&p->ages), clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_REFUSES});
}

void upstream_leg_readable(struct upstream_socket *s)
{
	struct upstream_leg *leg = s->leg;
	struct upstreams *u = leg->ask->owner;

	for (unsigned i = 0; i < READS_A_TURN; i++) {
		union upstream_peer from;
		socklen_t from_len = sizeof(from);
		ssize_t n =
			recvfrom(s->fd, u->buf, sizeof(u->buf), MSG_DONTWAIT, &from.any, &from_len);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && errno == ECONNREFUSED) {
			upstream_refused(leg);
			return;
		}
		// What came between bind and connect may be from anywhere.
		if (n < 0 || !upstream_same_address(&from, &leg->peer))
			upstream_leg_count_bad(leg);
		else if (reply_accept(leg, u->buf, (size_t)n))
			return;
	}
}

// The first send reports an error that an ICMP message left at the socket, and sends nothing.
static int socket_send(int fd, const uint8_t *msg, size_t len)
{
	ssize_t n = send(fd, msg, len, MSG_DONTWAIT);

	if (n < 0 && errno == ECONNREFUSED)
		n = send(fd, msg, len, MSG_DONTWAIT);
	return n == (ssize_t)len ? 0 : -errno;
}

int upstream_leg_connect(struct upstream_leg *leg, unsigned i, uint64_t now_ms)
{
	struct upstream_port *port = leg->ask->owner->port;

	if (port && port_assign(port, leg))
		return 0;
	return socket_take(leg, i, now_ms);
}

int upstream_leg_send(struct upstream_leg *leg, uint64_t now_us)
{
	struct upstreams *u = leg->ask->owner;
	uint8_t msg[UPSTREAM_QUERY_MAX];
	int rc = 0;

	uint16_t len = upstream_leg_query(leg, msg, sizeof(msg));
	if (len == 0)
		return -EMSGSIZE;
	if (leg->by_port && port_send(u->port, leg, msg, len) < 0)
		rc = leave_port(leg);
	if (rc == 0 && !leg->by_port)
		rc = socket_send(leg->socket->fd, msg, len);
	if (rc < 0)
		return rc;
	leg->last_sent_us = now_us;
	if (leg->sends++ == 0)
		leg->first_sent_us = leg->last_sent_us;
	return 0;
}
