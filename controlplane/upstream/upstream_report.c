// SPDX-License-Identifier: BSD-3-Clause
// What a set of servers says of itself, and servers by their names and addresses.

#include "route/host_board.h"
#include "upstream_internal.h"

#include <stdio.h>
#include <string.h>
#include <weir/clock.h>

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

	if (s->config.is_recursion) { // its address is its resolver's own affair
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

// Of one that is down: its back-off still to run, which no check ends.
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
