// SPDX-License-Identifier: BSD-3-Clause

// Upstream servers that workers ask through AF_XDP ports.

#include "steering.h"

#include <string.h>
#include <weir/log.h>

static_assert(2 * (int)HOPS_SERVERS_MAX <= (int)STEER_SERVERS_MAX);

void steering_bind(const struct steering *s, struct worker *w)
{
	static const _Atomic uint64_t never;
	for (unsigned i = 0; i < s->count; i++) {
		const struct steering_port *p = &s->port[i];
		struct worker_port *port = &w->port[p->index];
		port->steers_until_ms = p->spare_queues ? &never : &s->until_ms;
		port->steered = (struct asked_ports *)p->asked;
	}
}

static unsigned servers_of(const struct hops_reader *r, struct steer_server out[HOPS_SERVERS_MAX])
{
	unsigned count = 0;
	for (unsigned i = 0; i < HOPS_SLOTS && count < HOPS_SERVERS_MAX; i++) {
		if (!r->slot[i])
			continue;
		const struct hops_server *server = &r->server[r->slot[i] - 1];
		struct steer_server *s = &out[count++];
		*s = (struct steer_server){.port = rte_cpu_to_be_16(server->port)};
		xdp_address(&s->server, server->ip, server->ip_version);
		xdp_address(&s->local, server->ip_version == 4 ? r->source_v4 : r->source_v6,
			server->ip_version);
	}
	return count;
}

void steering_servers(void *steering, const struct hops_reader *hops)
{
	struct steering *s = steering;
	struct steer_server server[HOPS_SERVERS_MAX];
	const unsigned count = servers_of(hops, server);
	for (unsigned i = 0; i < s->count; i++) {
		struct steering_port *p = &s->port[i];
		int rc = p->open ? xdp_steer_servers(&p->maps, server, count) : 0;
		if (rc)
			log_warning("port %s: replies of upstream servers are lost, because the "
				    "steering program does not take the servers: %s; set "
				    "upstreams.via to kernel",
				p->interface, strerror(-rc));
	}
}
