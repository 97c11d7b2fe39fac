// SPDX-License-Identifier: BSD-3-Clause
#include "server_send.h"

#include "frame.h"
#include "server_hear.h"

#include <weir/csum.h>

static void count(struct worker *w, enum counter c)
{
	stats_add(&w->stats->counter[c], 1);
}

// Whether there is a message for the resolver.
static bool refuse(struct worker *w, unsigned resolver, const struct msg_send *m, enum counter c)
{
	struct msg_heard heard = {.dp_incarnation = w->dp_incarnation,
		.arrival_ms = w->now_ms,
		.server_port = m->server_port,
		.local_port = m->local_port,
		.ip_version = m->ip_version,
		.kind = HEARD_REFUSED};
	memcpy(heard.server_ip, m->server_ip, sizeof(heard.server_ip));
	count(w, c);
	return server_tell(w, resolver, &heard, NULL);
}

// Right numbers, for this life, and bytes that are those of the resolver.
static bool is_sound(struct worker *w, struct msg_send *m, const void *msg, size_t len)
{
	if (!msg_send_read(m, msg, len)) {
		count(w, COUNTER_upstream_bad);
		return false;
	}
	if (m->dp_incarnation != w->dp_incarnation) {
		count(w, COUNTER_upstream_foreign);
		return false;
	}
	const uint16_t sum = csum_partial((const uint8_t *)msg + sizeof(*m), m->dns_len);
	if (!csum_agree(sum, m->sum)) {
		count(w, COUNTER_upstream_bad);
		return false;
	}
	m->sum = sum;
	return true;
}

// Back and forth are those of a client's, seen from the server.
static void path_of(const struct hops_reader *r, const struct msg_send *m,
	const struct hops_hop *hop, struct return_path *out)
{
	*out = (struct return_path){
		.port = hop->port,
		.vlan_tci = hop->vlan,
		.has_vlan = hop->vlan != 0,
		.ip_version = m->ip_version,
		.client_udp = rte_cpu_to_be_16(m->server_port),
		.service_udp = rte_cpu_to_be_16(m->local_port),
	};
	memcpy(out->client_mac, hop->destination, sizeof(out->client_mac));
	memcpy(out->service_mac, hop->source, sizeof(out->service_mac));
	memcpy(out->client_ip, m->server_ip, sizeof(out->client_ip));
	if (m->ip_version == 4)
		memcpy(out->service_ip, r->source_v4, sizeof(r->source_v4));
	else
		memcpy(out->service_ip, r->source_v6, sizeof(r->source_v6));
}

static bool fits(const struct worker *w, const struct hops_hop *hop, const struct return_path *path,
	uint16_t dns_len)
{
	const unsigned link = FRAME_ETHER_LEN + (path->has_vlan ? FRAME_VLAN_LEN : 0u);
	return frame_headers_len(path) - link + dns_len <= hop->mtu
	       && dns_len <= w->port[hop->port].dns_most;
}

static struct rte_mbuf *make_frame(
	struct worker *w, const struct return_path *path, const struct msg_send *m, const void *dns)
{
	const unsigned headers = frame_headers_len(path);
	struct rte_mbuf *f = rte_pktmbuf_alloc(w->pool);
	if (!f)
		return NULL;
	mbuf_own(f, mbuf_mark(MBUF_OWNER_answer, w->now_ms));
	uint8_t *at = (uint8_t *)rte_pktmbuf_append(f, (uint16_t)(headers + m->dns_len));
	if (!at) {
		rte_pktmbuf_free(f);
		return NULL;
	}
	memcpy(at + headers, dns, m->dns_len);
	frame_build(at, path, m->dns_len, m->sum);
	return f;
}

// Would a worker get the reply?
static bool hears(const struct worker *w, const struct worker_port *port)
{
	return !port->steers_until_ms
	       || w->now_ms < atomic_load_explicit(port->steers_until_ms, memory_order_relaxed);
}

// The steering programs of all AF_XDP ports get the port, too: the reply comes in by any of them.
static void note(const struct worker *w, const struct worker_port *port, uint16_t local_port)
{
	asked_ports_note(w->asked_ports, local_port, w->now_ms);
	for (unsigned i = 0; port->steered && i < w->port_count; i++)
		if (w->port[i].steered)
			asked_ports_note(w->port[i].steered, local_port, w->now_ms);
}

struct rte_mbuf *server_send_frame(struct worker *w, unsigned resolver, const void *msg, size_t len,
	unsigned *port, bool *reported)
{
	const struct hops_reader *r = &w->tables->hops;
	const struct hops_server *server = NULL;
	struct msg_send m;
	*reported = false;
	if (!is_sound(w, &m, msg, len))
		return NULL;
	if (hops_port_is_ours(r, m.local_port))
		server = hops_server_find(r, m.ip_version, m.server_ip, m.server_port);
	if (!server || r->hop[server->hop].port >= w->port_count) {
		*reported = refuse(w, resolver, &m, COUNTER_upstream_unknown);
		return NULL;
	}
	const struct hops_hop *hop = &r->hop[server->hop];
	if (!hears(w, &w->port[hop->port])) {
		*reported = refuse(w, resolver, &m, COUNTER_upstream_shut);
		return NULL;
	}
	struct return_path path;
	path_of(r, &m, hop, &path);
	if (!fits(w, hop, &path, m.dns_len)) {
		*reported = refuse(w, resolver, &m, COUNTER_upstream_large);
		return NULL;
	}
	struct rte_mbuf *f = make_frame(w, &path, &m, (const uint8_t *)msg + sizeof(m));
	if (!f) {
		*reported = refuse(w, resolver, &m, COUNTER_upstream_nombuf);
		return NULL;
	}
	note(w, &w->port[hop->port], m.local_port);
	count(w, COUNTER_upstream_sent);
	*port = hop->port;
	return f;
}
