// SPDX-License-Identifier: BSD-3-Clause
// The state of the TCP server, and its tables.
#include "frontend_tcp_conn.h"

#include <weir/clock.h>

// How long the connection that stalled longest has kept its bytes.
static uint64_t stalled_age(const struct frontend_tcp *t, uint64_t now_ms)
{
	const struct frontend_conn *c = TAILQ_FIRST(&t->stalled);
	return c ? table_age(c->in ? c->message_ms : c->drain_ms, now_ms) : 0;
}

// A bound that all frontends share is shown once.
static uint64_t of_all(const struct frontend_tcp *t, uint64_t cap)
{
	return t->engine.number == 0 ? cap : 0;
}

// Used is what is taken of the bounds themselves: a place that is not given back shows.
static void bounds_tables(
	const struct frontend_tcp *t, struct table_registry *tables, uint64_t now_ms)
{
	const struct frontend_tcp_status *s = &t->count;
	const uint64_t since_ms = t->engine.since_ms ? t->engine.since_ms(t->engine.frontend) : 0;

	table_register(tables, &(struct table_info){.name = "tcp_questions",
				       .owner = "frontend loop",
				       .eviction = "refuse: the connection is not read until later",
				       .lifetime = "limits.answer_deadline_ms",
				       TABLE_WORK_FOR(5000),
				       .cap = of_all(t, t->set.queries),
				       .used = t->pending.own,
				       .high = s->pending_max,
				       .refused = s->held,
				       .oldest_ms = table_age(since_ms, now_ms),
				       .has = TABLE_AGES | TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "tcp_buffers",
				       .owner = "frontend loop",
				       .eviction = "close the connection that stalled longest",
				       .lifetime = "10 s without progress",
				       TABLE_WORK_FOR(10000),
				       .cap = of_all(t, UINT64_C(1024) * t->set.buffer_kb),
				       .used = t->buffered.own,
				       .bytes = t->buffered.own,
				       .evicted = s->ended[FRONTEND_TCP_END_evicted_memory],
				       .oldest_ms = stalled_age(t, now_ms),
				       .grown = t->growth.grown,
				       .shrunk = t->growth.shrunk,
				       .has = TABLE_AGES | TABLE_EVICTS | TABLE_GROWS});
}

void frontend_tcp_tables(const struct frontend_tcp *t, struct table_registry *tables)
{
	const struct frontend_tcp_status *s = &t->count;
	uint64_t now_ms = clock_mono_ms();

	table_register(tables,
		&(struct table_info){.name = "tcp_connections",
			.owner = "frontend loop",
			.eviction = "close the connection idle longest; none is idle: refuse",
			.lifetime = "tcp.idle_timeout after its last question",
			.kind = TABLE_WORK,
			.cap = of_all(t, tcp_connections_cap(t)),
			.descriptors = s->open,
			.used = s->open,
			.bytes = s->open * sizeof(struct frontend_conn) + sizeof(*t),
			.high = s->open_max,
			.evicted = s->ended[FRONTEND_TCP_END_evicted]
				   + s->ended[FRONTEND_TCP_END_evicted_client],
			.refused = s->refused_full + s->refused_client,
			.oldest_ms = table_age(age_since(&t->ages), now_ms),
			.has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "tcp_clients",
				       .owner = "frontend loop",
				       .eviction = "cannot be full: bounded by connections",
				       .lifetime = "life of its connections",
				       .kind = TABLE_WORK,
				       .cap = of_all(t, tcp_connections_cap(t)),
				       .used = tcp_clients_count(t->clients),
				       .bytes = tcp_clients_memory(t->clients)
						+ of_all(t, tcp_shared_memory(t->shared))});
	bounds_tables(t, tables, now_ms);
	table_register(tables,
		&(struct table_info){.name = "tls_connections",
			.owner = "frontend loop",
			.eviction = "close the connection that began its handshake first",
			.lifetime = "life of its connection; a handshake's tcp.query_timeout",
			.kind = TABLE_WORK,
			.cap = of_all(t, tcp_connections_cap(t)),
			.used = s->tls.open,
			.bytes = s->tls.open * tls_conn_memory(),
			.evicted = s->ended[FRONTEND_TCP_END_evicted_handshake],
			.has = TABLE_EVICTS});
	doh_tables(t->doh, of_all(t, tcp_connections_cap(t)), tables);
	tcp_claim_tables(t, tables);
	tcp_proxied_tables(t, tables);
}

static void certificates_tell(struct frontend_tcp_shared *shared, struct frontend_tls_status *out)
{
	struct tls_server *server = tcp_shared_tls(shared);

	out->certificates = server ? tls_server_certificates(server) : 0;
	for (unsigned i = 0; i < out->certificates; i++)
		tls_server_about(server, i, &out->certificate[i]);
	tls_server_free(server);
	frontend_tcp_shared_tls_why(shared, out->why);
}

void frontend_tcp_status(const struct frontend_tcp *t, struct frontend_tcp_status *out)
{
	*out = t->count;
	out->pending = (unsigned)t->pending.own;
	out->buffered = t->buffered.own;
	certificates_tell(t->shared, &out->tls);
	doh_status(t->doh, &out->doh);
	out->enabled = t->set.enabled;
	out->cap = tcp_connections_cap(t);
	out->clients = atomic_load_explicit(&t->shared->clients, memory_order_relaxed);
	out->per_client = t->set.per_client;
	out->busiest_open = tcp_clients_busiest(t->clients, &out->busiest);
	out->pending_cap = t->set.queries;
	out->buffered_cap = UINT64_C(1024) * t->set.buffer_kb;
	out->idle_ms = tcp_idle_ms(t);
	out->listener_count = 0;
	for (unsigned i = 0; i < t->listener_count; i++)
		if (t->serves[t->listener[i].kind].enabled)
			out->listener[out->listener_count++] =
				(struct frontend_tcp_listener_status){t->listener[i].kind,
					t->listener[i].address, t->listener[i].err};
}
