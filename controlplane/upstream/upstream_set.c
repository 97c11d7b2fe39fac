// SPDX-License-Identifier: BSD-3-Clause
// A set of servers: its life and its list.

#include "route/host_board.h"
#include "upstream_internal.h"
#include "upstream_port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

static socklen_t peer_of(const struct socket_address *a, union upstream_peer *out)
{
	struct sockaddr_storage address;
	socklen_t len = 0;

	memset(out, 0, sizeof(*out));
	if (socket_address_to_sockaddr(a, &address, &len))
		memcpy(out, &address, sizeof(*out));
	return len;
}

static void server_set(struct upstreams *u, struct upstream *s, const struct config_upstream *c,
	const char *ca_file)
{
	char text[CONFIG_HOST_TEXT_MAX];

	memset(s, 0, sizeof(*s));
	s->config = *c;
	s->is_nowhere = upstream_hosts_is_nowhere(c);
	snprintf(s->name, sizeof(s->name), "%s",
		c->name && c->name[0] ? c->name : config_server_text(c, text));
	s->config.name = NULL;
	s->address_len =
		peer_of(c->is_recursion && u->recursion ? u->recursion : &c->address, &s->address);
	upstream_tls_open(u, s, ca_file);
}

static void sockets_configure(struct upstreams *u)
{
	union upstream_peer peer[CONFIG_UPSTREAMS_MAX];
	socklen_t len[CONFIG_UPSTREAMS_MAX];
	struct tls_peer *tls[CONFIG_UPSTREAMS_MAX];

	for (unsigned i = 0; i < u->count; i++) {
		peer[i] = u->server[i].address;
		len[i] = u->server[i].is_tls ? 0 : u->server[i].address_len;
		tls[i] = u->server[i].tls.peer;
	}
	upstream_sockets_configure(u->sockets, peer, len, u->count);
	upstream_streams_configure(u->streams, peer, tls, u->count);
}

// The server keeps its state and its record, or gets a record.
static void server_continue(struct upstream *s, struct upstream *old, unsigned count)
{
	const struct upstream fresh = *s;
	union upstream_peer configured;

	for (unsigned k = 0; k < count && !s->is_nowhere; k++) {
		if (old[k].is_nowhere || !upstream_same_address(&old[k].address, &s->address))
			continue;
		*s = old[k];
		s->config = fresh.config;
		s->is_tls = fresh.is_tls;
		s->is_https = fresh.is_https;
		s->tls = fresh.tls;
		memcpy(s->name, fresh.name, sizeof(s->name));
		old[k].is_recorded = false;
		upstream_tls_continue(s, &old[k].tls);
		break;
	}
	if (!s->is_recorded && !s->is_nowhere) {
		peer_of(&s->config.address, &configured);
		s->health = upstream_health_take(&configured);
		s->is_recorded = s->health != NULL;
	}
	if (!s->is_recorded)
		s->health = &s->own;
}

static void servers_release(struct upstream *server, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		upstream_tls_close(&server[i]);
		if (server[i].is_recorded)
			upstream_health_give(server[i].health);
	}
}

void upstreams_drained_read(struct upstreams *u)
{
	struct host_state h;

	for (unsigned i = 0; i < u->count; i++) {
		struct upstream *s = &u->server[i];
		s->host_drained =
			s->config.host[0] && host_board_get(&s->config, &h) && h.is_drained;
	}
}

// The servers of a configuration whose host names have the addresses of `list`.
static void list_take(struct upstreams *u, const struct config_upstreams *config,
	const struct upstream_list *list)
{
	upstream_sockets_uses(u->sockets, config->socket_uses);
	upstream_streams_uses(u->streams, config->socket_uses);
	upstream_checks_stop(u->checks);
	upstreams_try_stop(u);
	struct upstream *old = heap_malloc(sizeof(u->server));
	unsigned old_count = old ? u->count : 0;

	if (old)
		memcpy(old, u->server, sizeof(u->server));
	else
		servers_release(u->server, u->count);
	u->generation++;
	u->count = list->count;
	u->unknown = list->unknown;
	u->first_timeout_ms = config->first_timeout_ms;
	u->max_sends = config->max_sends;
	u->backoff_s = config->backoff_s;
	u->policy = config->policy;
	u->race = config->race;
	u->subnet = config->subnet;
	u->check = config->check;
	memset(&u->turn, 0, sizeof(u->turn));
	for (unsigned i = 0; i < u->count; i++) {
		struct upstream *s = &u->server[i];
		server_set(u, s, &list->server[i], config->ca_file);
		server_continue(s, old, old_count);
		s->number = upstream_book_number(u->book, s->name);
	}
	if (old)
		servers_release(old, old_count);
	heap_free(old);
	upstreams_drained_read(u);
	sockets_configure(u);
	upstream_checks_configure(u->checks, config);
}

void upstreams_configure(struct upstreams *u, const struct config_upstreams *config)
{
	const uint64_t turn = host_board_turn();
	struct upstream_list list;

	FREE_AND_NULL(u->named);
	u->named = upstream_named_new(config);
	if (u->named)
		u->named->turn = turn;
	upstream_hosts_expand(config, &list);
	list_take(u, config, &list);
}

static bool same_places(const struct upstreams *u, const struct upstream_list *list)
{
	bool same = u->count == list->count && u->unknown == list->unknown;

	for (unsigned i = 0; same && i < list->count; i++) {
		const struct config_upstream *a = &u->server[i].config, *b = &list->server[i];
		same = a->address.port == b->address.port && strcmp(a->host, b->host) == 0
		       && a->address.ip.version == b->address.ip.version
		       && memcmp(a->address.ip.bytes, b->address.ip.bytes,
				  sizeof(a->address.ip.bytes))
				  == 0;
	}
	return same;
}

void upstreams_follow_hosts(struct upstreams *u)
{
	const uint64_t turn = host_board_turn();
	struct upstream_list list;

	if (!u->named || u->named->turn == turn)
		return;
	u->named->turn = turn;
	upstream_hosts_expand(&u->named->config, &list);
	if (!same_places(u, &list))
		list_take(u, &u->named->config, &list);
	else
		upstreams_drained_read(u);
}

void upstreams_one_of(struct upstreams *u, unsigned sets)
{
	upstream_sockets_one_of(u->sockets, sets);
	sockets_configure(u);
}

void upstreams_for_zones(struct upstreams *u)
{
	u->is_for_zones = true;
}

int upstreams_new(struct upstreams **out, const struct upstream_shared *shared,
	const struct config_upstreams *config)
{
	struct upstreams *u = heap_calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->loop = shared->loop;
	u->book = shared->book;
	u->port = shared->port;
	u->recursion = shared->recursion;
	rng_bytes(&u->rng, u->secret.bytes, sizeof(u->secret.bytes));
	int rc = upstream_sockets_new(&u->sockets, u->loop, &u->rng, upstream_leg_readable);
	if (rc == 0 && u->port)
		upstream_port_share(u->port, u->sockets);
	if (rc == 0)
		rc = upstream_streams_new(&u->streams, u->loop, &u->rng, u, &upstream_tcp_calls);
	if (rc == 0)
		rc = upstream_checks_new(&u->checks, u);
	if (rc < 0) {
		upstreams_free(u);
		return rc;
	}
	upstreams_configure(u, config);
	*out = u;
	return 0;
}

void upstreams_free(struct upstreams *u)
{
	if (!u)
		return;
	upstream_checks_free(u->checks);
	upstreams_try_stop(u);
	upstream_sockets_free(u->sockets);
	upstream_streams_free(u->streams);
	servers_release(u->server, u->count);
	FREE_AND_NULL(u->named);
	upstream_https_end(u);
	heap_free(u);
}

bool upstreams_trust_ad(const struct upstreams *u)
{
	bool any = false;
	for (unsigned i = 0; i < u->count; i++)
		any |= u->server[i].config.trust_ad;
	return any;
}

static bool any_takes_subnet(const struct upstreams *u)
{
	const uint64_t now_ms = clock_mono_ms();
	bool any = false;
	for (unsigned i = 0; i < u->count; i++)
		any |= upstream_takes_subnet(&u->server[i], now_ms);
	return any;
}

struct ip_address upstreams_subnet(
	const struct upstreams *u, unsigned version, const uint8_t *address)
{
	static const uint8_t none[16];
	const unsigned bits = version == 6 ? u->subnet.ipv6 : u->subnet.ipv4;

	if ((!u->subnet.ipv4 && !u->subnet.ipv6) || !any_takes_subnet(u))
		return (struct ip_address){0};
	return upstream_subnet_cut(version, address ? address : none, address ? bits : 0);
}
