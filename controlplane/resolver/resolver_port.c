// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_port.h"

#include <errno.h>
#include <weir/clock.h>

// A worker without room is passed over.
static int port_send(
	void *arg, const struct msg_send *m, const uint8_t *dns, uint64_t allowed, unsigned *worker)
{
	struct resolver *r = arg;
	int rc = -ENOLINK;

	for (unsigned i = 0; i < SHM_WORKERS_MAX && rc < 0; i++) {
		r->port_worker = (r->port_worker + 1) % SHM_WORKERS_MAX;
		if (!(allowed >> r->port_worker & 1))
			continue;
		rc = worker_rings_send(r->worker_rings, r->port_worker, m, dns);
		*worker = r->port_worker;
	}
	return rc;
}

static uint64_t port_live(void *arg, uint64_t *incarnation)
{
	const struct resolver *r = arg;

	*incarnation = worker_rings_incarnation(r->worker_rings);
	return worker_rings_live(r->worker_rings, clock_mono_ms(), UPSTREAM_PORT_DEAD_MS);
}

static void port_heard(void *arg, const struct msg_heard *m, const uint8_t *dns)
{
	struct resolver *r = arg;
	upstream_port_heard(r->port, m, dns);
}

void resolver_port_open(struct resolver *r)
{
	const struct upstream_port_calls calls = {.send = port_send, .live = port_live, .arg = r};

	upstream_port_serve(r->port, &calls);
	worker_rings_hear(r->worker_rings, port_heard, r);
}
