// SPDX-License-Identifier: BSD-3-Clause
// A set of servers: its start and end, its list and configuration, and its status.

#include "route/host_board.h"
#include "upstream_https.h"
#include "upstream_internal.h"
#include "upstream_stream.h"
#include "upstream_udp.h"

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
	s->tls.logged_ms = u->is_apart ? clock_mono_ms() : 0;
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
static void server_continue(
	const struct upstreams *u, struct upstream *s, struct upstream *old, unsigned count)
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
	if (!s->is_recorded && !s->is_nowhere && !u->is_apart) {
		peer_of(&s->config.address, &configured);
		s->health = upstream_health_acquire(&configured);
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
			upstream_health_release(server[i].health);
	}
}

// Reads from the board which host names are drained.
static void upstreams_drained_read(struct upstreams *u)
{
	struct host_state h;

	for (unsigned i = 0; i < u->count; i++) {
		struct upstream *s = &u->server[i];
		s->host_drained =
			s->config.host[0] && host_board_get(&s->config, &h) && h.is_drained;
	}
}

// Applies the servers of a configuration whose host names have the addresses of `list`.
static void list_apply(struct upstreams *u, const struct config_upstreams *config,
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
		server_continue(u, s, old, old_count);
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
	list_apply(u, config, &list);
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
		list_apply(u, &u->named->config, &list);
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
	u->is_apart = shared->is_apart;
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

enum { DNS_PORT = 53, TLS_PORT = 853, HTTPS_PORT = 443 };

static const char *scheme_of(const struct upstream *s)
{
	return s->is_https ? "https://" : s->is_tls ? "tls://" : "";
}

// The address of "tls://NAME@ADDRESS" and "https://NAME@ADDRESS/PATH", or the text itself.
static void address_cut(
	const struct upstream *s, const char *text, char out[SOCKET_ADDRESS_TEXT_MAX])
{
	const char *scheme = scheme_of(s);
	const char *host =
		strncmp(text, scheme, strlen(scheme)) == 0 ? text + strlen(scheme) : text;
	const char *at = s->is_tls ? strchr(host, '@') : NULL;

	snprintf(out, SOCKET_ADDRESS_TEXT_MAX, "%s", at ? at + 1 : host);
	out[s->is_https ? strcspn(out, "/") : strlen(out)] = '\0';
}

bool upstream_server_is_called(const struct upstream *s, const char *text)
{
	return strcmp(s->name, text) == 0 || upstream_hosts_is(&s->config, text);
}

bool upstream_server_is_at(const struct upstream *s, const char *text)
{
	char host[SOCKET_ADDRESS_TEXT_MAX];
	struct socket_address a;
	const struct socket_address *own = &s->config.address;

	address_cut(s, text, host);
	if (socket_address_parse(host,
		    s->is_https ? HTTPS_PORT
		    : s->is_tls ? TLS_PORT
				: DNS_PORT,
		    &a)
		< 0)
		return false;
	return a.port == own->port && a.ip.version == own->ip.version
	       && memcmp(a.ip.bytes, own->ip.bytes, sizeof(a.ip.bytes)) == 0;
}

unsigned upstreams_drain(struct upstreams *u, const char *server, bool is_drained)
{
	unsigned found = 0;

	for (unsigned i = 0; i < u->count; i++) {
		struct upstream *s = &u->server[i];
		const bool is_called = upstream_server_is_called(s, server);
		const bool by_host = is_called && s->config.host[0];
		if (!is_called && !upstream_server_is_at(s, server))
			continue;
		// An address that is taken back ends the drain of its name. The record may be that
		// of servers by address too, which a drain by name does not concern.
		if (s->config.host[0] && (by_host || !is_drained))
			host_board_drain(&s->config, is_drained);
		if (!by_host || !is_drained)
			upstream_health_set(s->health, is_drained, is_drained);
		found++;
	}
	upstreams_drained_read(u);
	return found;
}

static uint64_t shares_sum(const struct upstreams *u)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < u->count; i++)
		sum += u->server[i].share;
	return sum ? sum : 1;
}

static void address_text(const struct upstream *s, char out[UPSTREAM_ADDRESS_TEXT_MAX])
{
	const char *name = s->config.tls.name;
	char host[CONFIG_HOST_TEXT_MAX], text[SOCKET_ADDRESS_TEXT_MAX];

	if (s->config.is_recursion) { // each resolver has its own address for it
		snprintf(out, UPSTREAM_ADDRESS_TEXT_MAX, "recursion");
		return;
	}
	if (s->is_nowhere) {
		snprintf(out, UPSTREAM_ADDRESS_TEXT_MAX, "%s%s%s", scheme_of(s),
			config_server_text(&s->config, host), s->config.tls.path);
		return;
	}
	socket_address_text(&s->config.address, text);
	snprintf(out, UPSTREAM_ADDRESS_TEXT_MAX, "%s%s%s%s%s", scheme_of(s), name, *name ? "@" : "",
		text, s->config.tls.path);
}

// The rest of the back-off of a server that is down; 0: a check ends the back-off.
static uint32_t down_for_ms(const struct upstreams *u, const struct upstream *s, uint64_t now)
{
	const uint64_t until_ms = upstream_health_get(s->health, down_until_ms);

	return u->check == UPSTREAM_CHECK_OFF && until_ms > now ? (uint32_t)(until_ms - now) : 0;
}

unsigned upstreams_status(
	const struct upstreams *u, struct upstream_status out[CONFIG_UPSTREAMS_MAX])
{
	uint64_t now = clock_mono_ms();

	for (unsigned i = 0; i < u->count; i++) {
		const struct upstream *s = &u->server[i];
		const struct upstream_health *h = s->health;
		bool down = upstream_server_down(u, s, now);
		bool failing = !down && upstream_server_failing(s, now);
		out[i] = (struct upstream_status){
			.up = !down && !s->is_nowhere,
			.is_nowhere = s->is_nowhere,
			.sent = s->sent,
			.answered = s->answered,
			.timeouts = s->timeouts,
			.bad_replies = s->bad_replies,
			.tcp_retries = s->tcp_retries,
			.send_errors = s->send_errors,
			.failures = s->failures,
			.case_changed = s->case_changed,
			.mixed_case = upstream_server_mixes_case(s, now),
			.edns = s->no_edns.until_ms <= now,
			.sends_subnet =
				(u->subnet.ipv4 || u->subnet.ipv6) && upstream_takes_subnet(s, now),
			.subnet = u->subnet,
			.tcp_opened = s->tcp_opened,
			.tcp_open = upstream_streams_to(u->streams, &s->address)
				    + upstream_https_open(s->tls.https),
			.tcp_limit = upstream_limit_known(&s->tcp_limit, now),
			.refused = s->refused,
			.srtt_us = s->srtt_us,
			.took = s->took,
			.down_for_ms = down ? down_for_ms(u, s, now) : 0,
			.drained = upstream_is_drained(s),
			.share = (uint16_t)(s->share * UINT64_C(65535) / shares_sum(u)),
			.set_sent = u->totals.sent,
			.suspect = !down && !failing && upstream_server_avoid(u, s, now),
			.failing = failing,
			.checks = upstream_health_get(h, checks),
			.checks_failed = upstream_health_get(h, checks_failed),
			.sent_port = s->sent_port,
			.way = s->config.is_recursion ? ROUTE_own
			       : s->is_nowhere        ? ROUTE_kernel
					       : (uint16_t)route_board_way(&s->config.address),
			.is_tls = s->is_tls,
			.is_https = s->is_https,
			.https = s->https,
			.tls_about_ms = s->tls.about_ms,
			.tls_why_ms = s->tls.why_ms,
			.tls_handshakes = s->tls.handshakes,
			.tls_resumed = s->tls.resumed,
			.tls_sessions = s->tls.peer ? tls_peer_sessions(s->tls.peer) : 0,
		};
		memcpy(out[i].name, s->name, sizeof(out[i].name));
		memcpy(out[i].tls_failed, s->tls.failed, sizeof(out[i].tls_failed));
		memcpy(out[i].tls_about, s->tls.about, sizeof(out[i].tls_about));
		memcpy(out[i].tls_why, s->tls.why, sizeof(out[i].tls_why));
		address_text(s, out[i].address);
	}
	return u->count;
}

void upstreams_totals(const struct upstreams *u, struct upstream_totals *out)
{
	uint64_t now = clock_mono_ms();
	unsigned up = 0;

	*out = u->totals;
	for (unsigned i = 0; i < u->count; i++)
		up += !u->server[i].is_nowhere && !upstream_server_down(u, &u->server[i], now);
	out->sets = 1;
	out->sets_down = u->count > 0 && up == 0;
	upstream_sockets_stats(u->sockets, &out->sockets);
	upstream_streams_stats(u->streams, &out->streams);
	upstream_https_stats(u, &out->https);
}

void upstream_totals_add(struct upstream_totals *sum, const struct upstream_totals *t)
{
	sum->sent += t->sent;
	sum->replies += t->replies;
	sum->mismatched += t->mismatched;
	sum->subnet_sent += t->subnet_sent;
	sum->subnet_mismatched += t->subnet_mismatched;
	sum->tcp_again += t->tcp_again;
	sum->sets += t->sets;
	sum->sets_down += t->sets_down;
	counts_merge(upstream_stream_rows(), &sum->streams, &t->streams);
	counts_merge(upstream_https_rows(), &sum->https, &t->https);
	counts_merge(upstream_socket_rows(), &sum->sockets, &t->sockets);
}

void upstream_totals_end(struct upstream_totals *t)
{
	t->streams.open = t->streams.queries = t->streams.waiting = 0;
	t->streams.bytes = 0;
	t->streams.since_ms = 0;
	t->https.open = t->https.queries = 0;
	t->https.bytes = 0;
	t->sets = t->sets_down = 0;
	t->sockets.since_ms = 0;
	t->sockets.idle = t->sockets.open = 0;
	t->sockets.bytes = 0;
}
