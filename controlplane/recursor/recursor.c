// SPDX-License-Identifier: BSD-3-Clause
// The recursor's life and settings, the queries at its socket, and their replies.

#include "recursor.h"

#include "base/loop.h"
#include "base/table_registry.h"
#include "lists/zone_suffix.h"
#include "recursor_internal.h"
#include "validator/validator_library.h"

#include <event2/event.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/attr.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/dns_query.h>
#include <weir/heap_site.h>
#include <weir/log.h>

static const char *const names[PATHS] = {"IPv4", "IPv6"};
static const int families[PATHS] = {AF_INET, AF_INET6};

static socklen_t peer_len(const union path_peer *peer)
{
	return peer->any.sa_family == AF_INET6 ? sizeof(peer->v6) : sizeof(peer->v4);
}

static bool is_same(const union path_peer *a, const union path_peer *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	return a->any.sa_family == AF_INET6
		       ? memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0
				 && a->v6.sin6_port == b->v6.sin6_port
		       : a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr
				 && a->v4.sin_port == b->v4.sin_port;
}

static bool is_among(const union path_peer peers[PATH_PEERS], const union path_peer *peer)
{
	for (unsigned i = 0; i < PATH_PEERS; i++)
		if (is_same(&peers[i], peer))
			return true;
	return false;
}

static void first_note(struct path *path, const union path_peer *peer)
{
	for (unsigned i = 0; i < PATH_PEERS && !is_same(&path->first[i], peer); i++)
		if (path->first[i].any.sa_family == 0) {
			path->first[i] = *peer;
			return;
		}
}

static void answered(struct path *path, const union path_peer *peer)
{
	path->silent = 0;
	path->answered_ms = clock_mono_ms();
	if (!is_among(path->good, peer))
		path->good[path->good_at++ % PATH_PEERS] = *peer;
}

static void recursor_paths_met(void *paths, const struct sockaddr *server, bool came)
{
	struct recursor_paths *p = paths;
	union path_peer peer = {.any.sa_family = 0};

	if (server->sa_family != AF_INET && server->sa_family != AF_INET6)
		return;
	struct path *path = &p->path[server->sa_family == AF_INET6 ? PATH_V6 : PATH_V4];
	memcpy(&peer, server, server->sa_family == AF_INET6 ? sizeof(peer.v6) : sizeof(peer.v4));
	first_note(path, &peer);
	if (came)
		answered(path, &peer);
	else if (path->silent++ == 0)
		path->since_ms = clock_mono_ms();
}

static void round_end(struct path *path)
{
	if (path->fd < 0)
		return;
	event_free(path->readable);
	close(path->fd);
	path->readable = NULL;
	path->fd = -1;
}

static void turn_on(struct path *path, unsigned version)
{
	if (path->is_off) {
		log_info("recursion: a server answers over %s again", names[version]);
		path->on_ms = clock_mono_ms();
	}
	path->is_off = false;
	path->next_ms = clock_mono_ms() + PATH_DOUBT_EACH_MS;
	round_end(path);
}

static bool is_reply(
	const struct path *path, const uint8_t *msg, size_t len, const union path_peer *from)
{
	return len >= DNS_HEADER_LEN && get_u16(msg) == path->id && (msg[2] & 0x80) != 0
	       && (is_among(path->first, from) || is_among(path->good, from));
}

static void on_readable(evutil_socket_t fd, short, void *arg)
{
	struct path *path = arg;

	for (unsigned i = 0; i < 2 * PATH_PEERS; i++) {
		uint8_t msg[DNS_HEADER_LEN];
		union path_peer from = {.any.sa_family = 0};
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, msg, sizeof(msg), MSG_DONTWAIT, &from.any, &len);
		if (n < 0)
			return;
		if (is_reply(path, msg, (size_t)n, &from)) {
			answered(path, &from);
			return; // the beat sees it
		}
	}
}

// The root's name servers: any server has a reply to that.
static void ask(const struct path *path, const union path_peer *peer)
{
	uint8_t query[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, DNS_TYPE_NS, 0, DNS_CLASS_IN};

	put_u16(query, path->id);
	if (peer->any.sa_family)
		(void)!sendto(
			path->fd, query, sizeof(query), MSG_DONTWAIT, &peer->any, peer_len(peer));
}

static void round_begin(struct recursor_paths *p, unsigned version)
{
	struct path *path = &p->path[version];
	const uint64_t now_ms = clock_mono_ms();

	path->next_ms = now_ms + (path->is_off ? path->each_ms : PATH_DOUBT_EACH_MS);
	path->end_ms = now_ms + PATH_PROBE_MS;
	path->fd = socket(families[version], SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (path->fd < 0)
		return;
	path->readable =
		event_new(loop_base(p->loop), path->fd, EV_READ | EV_PERSIST, on_readable, path);
	if (!path->readable || event_add(path->readable, NULL) < 0
		|| getrandom(&path->id, sizeof(path->id), 0) != sizeof(path->id)) {
		round_end(path);
		return;
	}
	for (unsigned i = 0; i < PATH_PEERS; i++) {
		ask(path, &path->first[i]);
		if (!is_among(path->first, &path->good[i]))
			ask(path, &path->good[i]);
	}
}

static void turn_off(struct path *path)
{
	const uint64_t now_ms = clock_mono_ms(), back = (now_ms - path->on_ms) / PATH_DECAY_MS;

	path->steps -= back < path->steps ? (unsigned)back : path->steps;
	path->each_ms = (uint32_t)PATH_PROBE_EACH_MS << path->steps;
	path->steps += path->steps < PATH_STEPS_MAX;
	path->is_off = true;
	path->next_ms = now_ms + path->each_ms;
}

// No server answered in a round.
static void round_lost(struct recursor_paths *p, unsigned version)
{
	struct path *path = &p->path[version];
	struct path *other = &p->path[1 - version];

	round_end(path);
	if (!path->is_off && other->is_off) // which may be well by now: asked at once
		other->next_ms = 0;
	if (path->is_off || other->is_off || other->answered_ms < path->since_ms
		|| other->answered_ms == 0)
		return;
	turn_off(path);
	log_warning("recursion: no server answers over %s: weir asks over %s alone, and tries %s "
		    "each %u s",
		names[version], names[1 - version], names[version], path->each_ms / 1000);
}

static void path_beat(struct recursor_paths *p, unsigned version)
{
	struct path *path = &p->path[version];
	const uint64_t now_ms = clock_mono_ms();

	if (path->silent == 0 && (path->fd >= 0 || path->is_off))
		turn_on(path, version);
	else if (path->fd >= 0 && now_ms >= path->end_ms)
		round_lost(p, version);
	else if (path->fd < 0 && path->silent >= PATH_SILENT && now_ms >= path->next_ms)
		round_begin(p, version);
}

// Begins and ends rounds of probes: each 100 ms.
static void recursor_paths_beat(struct recursor_paths *p)
{
	for (unsigned version = 0; version < PATHS; version++)
		path_beat(p, version);
}

static void recursor_paths_open(struct recursor_paths *p, struct loop *loop)
{
	*p = (struct recursor_paths){.loop = loop};
	for (unsigned version = 0; version < PATHS; version++)
		p->path[version].fd = -1;
}

// Ends a round of probes, and forgets all.
static void recursor_paths_close(struct recursor_paths *p)
{
	for (unsigned version = 0; version < PATHS; version++)
		round_end(&p->path[version]);
	recursor_paths_open(p, p->loop);
}

enum {
	QUERY_MAX = 1024,
	REPLY_MAX = 65507, // the longest datagram over IPv4
	A_TURN = 64,
	ZONE_LEAST = 8, // questions of a zone, however few sockets are free
};

static struct recursion **chain_of(struct recursor *r, const struct sockaddr_in *peer)
{
	return &r->chain[peer->sin_port % RECURSOR_CHAINS];
}

static bool is_asked(struct recursor *r, const struct sockaddr_in *peer, uint16_t id)
{
	for (const struct recursion *q = *chain_of(r, peer); q; q = q->next)
		if (q->peer.sin_port == peer->sin_port && q->id == id)
			return true;
	return false;
}

// A zone may have as many as are free (Choudhury and Hahne 1998, dynamic thresholds), of the places
// and of the sockets, because each question whose servers are silent holds a socket: a part stays
// free whatever the others have.
static bool zone_is_full(const struct recursor *r, uint32_t zone)
{
	const unsigned all = r->count.questions, left = r->cap - all;
	const unsigned n = zone_count(r->zone, r->touched, zone);
	unsigned sockets = all < RECURSOR_SOCKETS ? RECURSOR_SOCKETS - all : 0;

	if (sockets < ZONE_LEAST)
		sockets = ZONE_LEAST;
	return n >= left || n >= sockets;
}

static struct recursion *question_new(
	struct recursor *r, const struct sockaddr_in *peer, const struct dns_name *name)
{
	struct recursion *q = r->free, **chain = chain_of(r, peer);
	const uint32_t zone = zone_key(name, &r->secret);

	if (zone_is_full(r, zone))
		return NULL;
	if (q)
		r->free = q->next;
	else if (r->touched < r->cap)
		q = &r->question[r->touched++];
	else
		return NULL;
	*q = (struct recursion){.next = *chain, .owner = r, .peer = *peer};
	*chain = q;
	r->zone[q - r->question] = zone;
	age_add(&r->ages, &q->age);
	if (++r->count.questions > r->most)
		r->most = r->count.questions;
	return q;
}

static void question_free(struct recursion *q)
{
	struct recursor *r = q->owner;
	struct recursion **at = chain_of(r, &q->peer);

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	age_remove(&r->ages, &q->age);
	r->zone[q - r->question] = 0;
	r->old_questions -= q->is_old;
	r->count.questions--;
	q->next = r->free;
	r->free = q;
}

// `rest`: what follows the question. A datagram that finds no room is lost: who asked asks again.
static void reply_send(const struct recursor *r, const struct sockaddr_in *peer,
	const uint8_t head[DNS_HEADER_LEN], const uint8_t *question, size_t question_len,
	const uint8_t *rest, size_t rest_len)
{
	struct sockaddr_in to = *peer;
	struct iovec part[] = {
		{.iov_base = (void *)(uintptr_t)head, .iov_len = DNS_HEADER_LEN},
		{.iov_base = (void *)(uintptr_t)question, .iov_len = question_len},
		{.iov_base = (void *)(uintptr_t)rest, .iov_len = rest_len},
	};
	const struct msghdr msg = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = part, .msg_iovlen = 3};
	(void)!sendmsg(r->fd, &msg, MSG_DONTWAIT);
}

static void servfail_send(struct recursor *r, const struct sockaddr_in *peer, uint16_t id,
	uint16_t flags, const uint8_t *question, size_t question_len)
{
	uint8_t head[DNS_HEADER_LEN] = {0};

	put_u16(head, id);
	put_u16(head + 2, DNS_FLAG_QR | DNS_FLAG_RA | (flags & (DNS_FLAG_RD | DNS_FLAG_CD))
				  | DNS_RCODE_SERVFAIL);
	put_u16(head + 4, 1);
	reply_send(r, peer, head, question, question_len, NULL, 0);
	r->count.failed++;
}

// The library writes its own spelling of the question, of the same length; compressed names of the
// answer point into it.
static void answer_send(struct recursion *q, const struct library_answer *a)
{
	const size_t skip = DNS_HEADER_LEN + (size_t)q->question_len;
	uint8_t head[DNS_HEADER_LEN];

	memcpy(head, a->msg, sizeof(head));
	put_u16(head, q->id);
	put_u16(head + 2, DNS_FLAG_QR | DNS_FLAG_RA | (q->flags & (DNS_FLAG_RD | DNS_FLAG_CD))
				  | (get_u16(a->msg + 2) & DNS_FLAG_RCODE));
	reply_send(q->owner, &q->peer, head, q->question, q->question_len, a->msg + skip,
		a->len - skip);
	q->owner->count.answers++;
}

static void on_answer(void *arg, const struct library_answer *a)
{
	struct recursion *q = arg;
	const size_t least = DNS_HEADER_LEN + (size_t)q->question_len;

	if (a->rcode == 0 && a->len >= least && a->len <= REPLY_MAX && get_u16(a->msg + 4) == 1)
		answer_send(q, a);
	else
		servfail_send(q->owner, &q->peer, q->id, q->flags, q->question, q->question_len);
	question_free(q);
}

static void question_ask(struct recursor *r, const struct sockaddr_in *peer, const uint8_t *msg,
	const struct dns_query *query)
{
	const uint8_t *question = msg + DNS_HEADER_LEN;
	char text[DNS_NAME_TEXT_MAX];

	r->count.queries++;
	if (is_asked(r, peer, query->id)) {
		r->count.repeated++;
		return;
	}
	struct recursion *q = question_new(r, peer, &query->name);
	if (!q) {
		r->count.refused++;
		servfail_send(r, peer, query->id, query->flags, question, query->question_len);
		return;
	}
	q->id = query->id;
	q->flags = query->flags;
	q->question_len = query->question_len;
	memcpy(q->question, question, query->question_len);
	dns_name_to_text(&query->name, text);
	r->is_empty = false;
	if (library_ask(r->library, text, query->qtype, on_answer, q) == 0)
		return;
	r->count.broken++;
	servfail_send(r, peer, query->id, query->flags, question, query->question_len);
	question_free(q);
}

// Reads the queries that the socket has.
static void recursor_readable(int fd, short, void *arg)
{
	struct recursor *r = arg;

	for (unsigned i = 0; i < A_TURN; i++) {
		uint8_t msg[QUERY_MAX];
		struct sockaddr_in peer = {0};
		socklen_t peer_len = sizeof(peer);
		struct dns_query q;
		ssize_t n = recvfrom(
			fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&peer, &peer_len);
		if (n < 0)
			return;
		if (dns_query_parse(msg, (size_t)n, &q) != DNS_QUERY_OK
			|| q.question_len > RECURSOR_QUESTION_LEN || q.qclass != DNS_CLASS_IN)
			r->count.malformed++;
		else
			question_ask(r, &peer, msg, &q);
	}
}

enum { RECEIVE_BYTES = 1 << 20, RENEW_EACH_MS = 1000 };

// The port of a recursor that is on; 0 while all are off.
static _Atomic uint16_t any_port;

static struct socket_address address_of(uint16_t port)
{
	return (struct socket_address){
		.ip = {.version = 4, .prefix_len = 32, .bytes = {127, 0, 0, 1}}, .port = port};
}

bool recursor_address_any(struct socket_address *out)
{
	uint16_t port = atomic_load_explicit(&any_port, memory_order_relaxed);

	*out = address_of(port);
	return port != 0;
}

const struct socket_address *recursor_address(const struct recursor *r)
{
	return &r->address;
}

static unsigned off_of(const struct recursor *r, enum recursion_ip ip)
{
	unsigned off = ip == RECURSION_IP_V4   ? 1 << PATH_V6
		       : ip == RECURSION_IP_V6 ? 1 << PATH_V4
					       : 0;

	for (unsigned v = 0; ip == RECURSION_IP_AUTO && v < PATHS; v++)
		off |= (unsigned)r->paths.path[v].is_off << v;
	return off;
}

static int library_make(struct recursor *r, const char *text, unsigned off, struct library **out)
{
	char *all;

	if (asprintf(&all, "%s%s%s", text, off & 1 << PATH_V4 ? "do-ip4: no\n" : "",
		    off & 1 << PATH_V6 ? "do-ip6: no\n" : "")
		< 0)
		return -ENOMEM;
	int rc = library_open(out, loop_base(r->loop), all, strlen(all));
	heap_free(all);
	if (rc == 0)
		library_watch(*out, recursor_paths_met, &r->paths);
	if (rc == 0)
		rc = library_apply(*out);
	if (rc < 0) {
		library_close(*out);
		*out = NULL;
	}
	return rc;
}

static int socket_open(struct recursor *r)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(own);
	const int receive = RECEIVE_BYTES;

	if (r->fd >= 0)
		return 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	// The kernel may grant less.
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive));
	struct event *e = NULL;
	int rc = bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0
				 || getsockname(fd, (struct sockaddr *)&own, &len) < 0
			 ? -errno
			 : 0;
	if (rc == 0) {
		e = event_new(loop_base(r->loop), fd, EV_READ | EV_PERSIST, recursor_readable, r);
		rc = e && event_add(e, NULL) == 0 ? 0 : -ENOMEM;
	}
	if (rc < 0) {
		if (e)
			event_free(e);
		close(fd);
		return rc;
	}
	r->fd = fd;
	r->readable = e;
	r->address = address_of(ntohs(own.sin_port));
	atomic_store_explicit(&any_port, r->address.port, memory_order_relaxed);
	return 0;
}

static void socket_close(struct recursor *r)
{
	uint16_t own = r->address.port;

	if (r->fd < 0)
		return;
	(void)atomic_compare_exchange_strong_explicit(
		&any_port, &own, 0, memory_order_relaxed, memory_order_relaxed);
	event_free(r->readable);
	close(r->fd);
	r->readable = NULL;
	r->fd = -1;
	r->address = address_of(0);
}

int recursor_new(struct recursor **out, struct loop *loop, unsigned questions)
{
	struct recursor *r = heap_calloc(1, sizeof(*r));
	struct recursion *question = heap_calloc(questions, sizeof(*question));
	uint32_t *zone = heap_calloc(questions, sizeof(*zone));
	int rc = r && question && zone ? keyhash_secret_make(&r->secret) : -ENOMEM;

	if (rc < 0) {
		heap_free(zone);
		heap_free(question);
		heap_free(r);
		return rc;
	}
	r->loop = loop;
	r->question = question;
	r->zone = zone;
	r->cap = questions;
	r->fd = -1;
	r->address = address_of(0);
	recursor_paths_open(&r->paths, loop);
	*out = r;
	return 0;
}

void recursor_free(struct recursor *r)
{
	if (!r)
		return;
	library_close(r->old);
	library_close(r->library); // which ends all questions
	recursor_paths_close(&r->paths);
	socket_close(r);
	FREE_AND_NULL(r->zone);
	FREE_AND_NULL(r->question);
	FREE_AND_NULL(r->text);
	heap_free(r);
}

int recursor_configure(struct recursor *r, const struct recursor_settings *settings)
{
	struct library *library = NULL;
	char *text = NULL;
	const bool is_same = r->library && settings->is_on && settings->hash == r->hash
			     && memcmp(settings->range, r->range, sizeof(r->range)) == 0;
	int rc = settings->is_on ? socket_open(r) : 0;
	if (rc == 0 && settings->is_on)
		rc = recursor_config_write(settings, r->cap, &text);
	if (rc == 0 && settings->is_on && !is_same)
		rc = library_make(r, text, off_of(r, settings->ip), &library);
	if (rc < 0) {
		heap_free(text);
		if (!r->library)
			socket_close(r);
		return rc;
	}
	// Files of the same contents may have other names, which the next flush reads.
	FREE_AND_NULL(r->text);
	r->text = text;
	if (is_same)
		return 0;
	r->hash = settings->hash;
	r->ip = settings->ip;
	r->off = off_of(r, r->ip);
	memcpy(r->range, settings->range, sizeof(r->range));
	library_close(r->old);
	r->old = NULL;
	library_close(r->library);
	r->library = library;
	r->is_empty = true;
	r->forgets = false;
	if (!settings->is_on) {
		socket_close(r);
		recursor_paths_close(&r->paths);
	}
	return 0;
}

static void old_end(struct recursor *r)
{
	if (r->old_questions > 0)
		return;
	library_close(r->old);
	r->old = NULL;
}

// -EAGAIN: questions still run in one of before the last one.
static int library_renew(struct recursor *r)
{
	struct library *made = NULL;
	const uint64_t now_ms = clock_mono_ms();
	const unsigned off = off_of(r, r->ip);

	old_end(r);
	if (r->old && now_ms < r->old_until_ms)
		return -EAGAIN;
	int rc = library_make(r, r->text, off, &made);
	if (rc < 0)
		return rc;
	library_close(r->old); // which ends its questions
	r->old = r->library;
	r->old_until_ms = now_ms + RECURSOR_DRAIN_MS;
	r->library = made;
	r->off = off;
	r->is_empty = true;
	r->forgets = false;
	for (unsigned i = 0; i < r->touched; i++)
		r->question[i].is_old = r->zone[i] != 0;
	r->old_questions = r->count.questions;
	old_end(r);
	return 0;
}

int recursor_flush(struct recursor *r)
{
	return !r->library || r->is_empty ? 0 : library_renew(r);
}

void recursor_forget(struct recursor *r)
{
	if (r)
		r->forgets = r->library && !r->is_empty;
}

void recursor_beat(struct recursor *r)
{
	if (!r)
		return;
	old_end(r);
	recursor_paths_beat(&r->paths);
	if (!r->library || (!r->forgets && off_of(r, r->ip) == r->off)
		|| clock_mono_ms() - r->renewed_ms < RENEW_EACH_MS)
		return;
	r->renewed_ms = clock_mono_ms();
	int rc = library_renew(r);
	if (rc == 0 || rc == -EAGAIN)
		return;
	if (r->forgets)
		log_warning("recursion: keeps its caches after a step back of the clock: %s",
			strerror(-rc));
	else
		log_warning("recursion: goes on over the same versions of IP: %s", strerror(-rc));
}

void recursor_status(const struct recursor *r, struct recursor_status *out)
{
	*out = r->count;
	out->ipv4_off = r->off >> PATH_V4 & 1;
	out->ipv6_off = r->off >> PATH_V6 & 1;
}

void recursor_tables(const struct recursor *r, struct table_registry *tables)
{
	table_register(
		tables, &(struct table_info){.name = "recursions",
				.owner = "resolver loop",
				.eviction = "refuse: SERVFAIL to the upstreams",
				.lifetime = "until the library's answer",
				TABLE_WORK_FOR(120000),
				.cap = r->cap,
				.used = r->count.questions,
				.bytes = r->cap * (sizeof(struct recursion) + sizeof(*r->zone)),
				.high = r->most,
				.refused = r->count.refused,
				.oldest_ms = table_age(age_since(&r->ages), clock_mono_ms()),
				.has = TABLE_AGES | TABLE_REFUSES});
	const struct library_memory m = library_memory(r->library);
	table_register(tables, &(struct table_info){.name = "recursor_memory",
				       .owner = "resolver loop",
				       .eviction = "evict the entry that was used longest ago",
				       .lifetime = "TTL of its records, a day at most",
				       .kind = TABLE_CACHE,
				       .cap = RECURSOR_MEMORY,
				       .used = m.bytes,
				       .bytes = m.bytes,
				       .high = m.most});
}
