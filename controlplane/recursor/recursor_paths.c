// SPDX-License-Identifier: BSD-3-Clause
#include "recursor_paths.h"

#include "base/loop.h"

#include <event2/event.h>

#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/attr.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
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

void recursor_paths_met(void *paths, const struct sockaddr *server, bool came)
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

void recursor_paths_beat(struct recursor_paths *p)
{
	for (unsigned version = 0; version < PATHS; version++)
		path_beat(p, version);
}

void recursor_paths_open(struct recursor_paths *p, struct loop *loop)
{
	*p = (struct recursor_paths){.loop = loop};
	for (unsigned version = 0; version < PATHS; version++)
		p->path[version].fd = -1;
}

void recursor_paths_close(struct recursor_paths *p)
{
	for (unsigned version = 0; version < PATHS; version++)
		round_end(&p->path[version]);
	recursor_paths_open(p, p->loop);
}
