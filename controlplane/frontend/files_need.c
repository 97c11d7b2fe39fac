// SPDX-License-Identifier: BSD-3-Clause
#include "files_need.h"

#include "frontend_tcp.h"
#include "recursor/recursor.h"
#include "upstream/upstream.h"
#include "upstream/views.h"
#include "validator/validator.h"

enum {
	FILES_REST = 256,    // rings, lists, the control socket, connections to Redis
	FILES_RESOLVER = 64, // each further resolver: its loop, bell and connections to Redis
	FILES_FRONTEND = 16, // each further frontend: its loop, bell and rtnetlink socket
};

// Sets of servers that are counted already.
struct seen {
	unsigned count;
	uint64_t hash[CONFIG_FORWARD_ZONES_MAX];
};

static void need_servers(
	struct files_need *out, const struct config_upstream *server, unsigned count)
{
	out->sets++;
	out->servers += config_servers_most(server, count);
}

static void need_zones(struct files_need *out, struct seen *seen,
	const struct config_forward_zone *zone, unsigned count)
{
	for (unsigned i = 0; i < count && seen->count < CONFIG_FORWARD_ZONES_MAX; i++) {
		uint64_t hash = views_servers_hash(&zone[i]);
		unsigned k = 0;
		while (k < seen->count && seen->hash[k] != hash)
			k++;
		if (k < seen->count)
			continue;
		seen->hash[seen->count++] = hash;
		need_servers(out, zone[i].servers, zone[i].server_count);
	}
}

// Questions for addresses of host names, which the first resolver asks.
static unsigned need_lookups(const struct config *c, struct files_need *out)
{
	const struct config_upstream *hosts[CONFIG_HOSTS_MAX];
	const unsigned count = config_hosts(c, hosts);

	if (count > 0) {
		out->sets++;
		out->servers += c->upstreams.bootstrap_count;
	}
	return 2 * count; // questions for A and AAAA of each name
}

void files_need(const struct config *c, struct files_need *out)
{
	struct seen seen = {0};

	*out = (struct files_need){0};
	need_servers(out, c->upstreams.server, c->upstreams.count);
	need_zones(out, &seen, c->forwards, c->forward_count);
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		if (g->upstream_count)
			need_servers(out, g->upstreams, g->upstream_count);
		need_zones(out, &seen, g->forwards, g->forward_count);
	}
	// Each resolver has sockets and connections of its own; the questions are divided.
	const uint64_t resolvers = config_resolvers(c, NULL), frontends = config_frontends(c, NULL),
		       others = (resolvers - 1) * out->servers, lookups = need_lookups(c, out),
		       servers = others + out->servers;
	uint64_t fixed = FILES_REST + lookups + (resolvers - 1) * FILES_RESOLVER
			 + UPSTREAM_STREAMS_EACH * servers + (frontends - 1) * FILES_FRONTEND
			 + (frontends > 1 ? frontends * FRONTEND_TCP_CLAIMS : 0)
			 + (c->proxy_protocol.from_count ? frontends * FRONTEND_PROXY_WAITS : 0)
			 + frontends * (2U + c->dot.enabled + c->doh.enabled)
				   * (uint64_t)c->dataplane.address_count;
	fixed += (uint64_t)c->control.listen_count * (1U + c->control.connections);
	// The validator's library opens a socket for each of its queries.
	if (c->dnssec.validate)
		fixed += resolvers * (VALIDATOR_FETCHES + VALIDATOR_CONTEXTS);
	if (c->upstreams.mode != UPSTREAM_FORWARD)
		fixed += resolvers * (RECURSOR_SOCKETS + RECURSOR_TCP + 1);
	out->least = fixed + c->limits.inflight;
	// A question may have UPSTREAM_LEGS tries at one time, each with a socket of its own.
	out->all = fixed + (uint64_t)c->limits.inflight * UPSTREAM_LEGS
		   + lookups * (UPSTREAM_LEGS - 1) + servers * UPSTREAM_SOCKETS_AHEAD;
}

unsigned files_for_questions(const struct config *c, const struct files_need *need, uint64_t limit)
{
	uint64_t fixed = need->least - c->limits.inflight;
	if (limit < fixed + FILES_QUESTIONS_MIN + FILES_TCP_MIN)
		return 0;
	uint64_t left = limit - fixed, tcp = config_has_streams(c) ? c->tcp.connections : 0;
	if (tcp > left / 2)
		tcp = left / 2;
	if (tcp < FILES_TCP_MIN)
		tcp = FILES_TCP_MIN;
	return left - tcp < c->limits.inflight ? (unsigned)(left - tcp) : c->limits.inflight;
}

void files_questions_lower(struct config *c, unsigned fit)
{
	c->limits.inflight = fit;
	if (c->limits.zone_inflight > fit / 4)
		c->limits.zone_inflight = fit / 4;
	if (c->tcp.queries > fit / 4)
		c->tcp.queries = fit / 4;
}

unsigned files_for_tcp(const struct files_need *need, uint64_t limit)
{
	if (limit < need->least + FILES_TCP_MIN)
		return 0;
	uint64_t left = limit - need->least;
	return left < FRONTEND_TCP_FILES_ALL ? (unsigned)left : FRONTEND_TCP_FILES_ALL;
}
