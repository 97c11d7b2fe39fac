// SPDX-License-Identifier: BSD-3-Clause
// The TCP server of a frontend: its bounds, eviction, start and end, its state and tables.

#include "frontend_tcp.h"

#include "frontend_tcp_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/dns_query.h>
#include <weir/heap_site.h>

enum {
	OPTION_KEEPALIVE = 11,
	OPTION_PADDING = 12,
	OPTION_LEN = 6, // code, length, time-out in units of 100 ms
	OPTION_HEAD_LEN = 4,
	OPT_RDLEN_AT = 9,
};

static unsigned options_known(const uint8_t *rdata, size_t len)
{
	struct rd r = rd_init(rdata, len);
	unsigned known = 0;

	for (unsigned n = 0; n < DNS_QUERY_OPTIONS_MAX && rd_left(&r) >= OPTION_HEAD_LEN; n++) {
		const unsigned code = rd_u16(&r);
		known |= code == OPTION_KEEPALIVE ? TCP_OPTION_KEEPALIVE
			 : code == OPTION_PADDING ? TCP_OPTION_PADDING
						  : 0;
		rd_skip(&r, rd_u16(&r));
	}
	return known;
}

unsigned tcp_options_of(const uint8_t *msg, size_t len)
{
	if (len < DNS_HEADER_LEN)
		return 0;
	struct rd r = rd_init(msg, len);
	// Most queries end with the question. Options count only in a query with one question and
	// nothing before the additional section.
	unsigned additional = get_u16(msg + 10);
	if (get_u16(msg + 4) != 1 || get_u32(msg + 6) != 0 || additional > DNS_QUERY_ADDITIONAL_MAX)
		return 0;
	rd_skip(&r, DNS_HEADER_LEN);
	dns_name_skip(&r);
	rd_skip(&r, 4);
	const uint8_t *rdata = dns_options_find(&r, additional, &len);
	return rdata ? options_known(rdata, len) : 0;
}

void tcp_keepalive_tell(struct frontend_reply *reply, unsigned idle_ms)
{
	static_assert((int)OPTION_LEN <= (int)REPLY_TAILROOM);
	uint8_t *rdlen = reply->msg + reply->opt + OPT_RDLEN_AT;
	uint8_t *at = reply->msg + reply->len;
	unsigned units = idle_ms / 100;

	if (!reply->opt || reply->len + (unsigned)OPTION_LEN > (unsigned)DNS_MESSAGE_MAX)
		return;
	put_u16(at, OPTION_KEEPALIVE);
	put_u16(at + 2, 2);
	put_u16(at + 4, (uint16_t)(units < UINT16_MAX ? units : UINT16_MAX));
	put_u16(rdlen, (uint16_t)(get_u16(rdlen) + OPTION_LEN));
	reply->len += OPTION_LEN;
}

unsigned tcp_padding_of(const struct frontend_reply *reply)
{
	const unsigned bare = reply->len + (unsigned)OPTION_HEAD_LEN;
	const unsigned whole =
		(bare + TCP_PADDING_BLOCK - 1) / TCP_PADDING_BLOCK * TCP_PADDING_BLOCK;

	return reply->opt && whole <= DNS_MESSAGE_MAX ? whole - reply->len : 0;
}

void tcp_padding_put(uint8_t *msg, const struct frontend_reply *reply, unsigned pad)
{
	uint8_t *rdlen = msg + reply->opt + OPT_RDLEN_AT, *at = msg + reply->len;

	put_u16(at, OPTION_PADDING);
	put_u16(at + 2, (uint16_t)(pad - OPTION_HEAD_LEN));
	memset(at + OPTION_HEAD_LEN, 0, pad - OPTION_HEAD_LEN);
	put_u16(rdlen, (uint16_t)(get_u16(rdlen) + pad));
}

enum {
	EVICT_LOOKED_AT = 256, // connections checked for an idle one
	IDLE_FLOOR_MS = 200,
};

const char *const frontend_tcp_end_names[FRONTEND_TCP_END_COUNT] = {
#define X(name, text) [FRONTEND_TCP_END_##name] = #name,
	FRONTEND_TCP_ENDS(X)
#undef X
};

const char *const frontend_tcp_kind_names[FRONTEND_TCP_KINDS] = {
	[FRONTEND_TCP_CLEAR] = "tcp",
	[FRONTEND_TCP_DOT] = "dot",
	[FRONTEND_TCP_DOH] = "doh",
};

const struct tcp_kind *tcp_kind_of(enum frontend_tcp_kind kind)
{
	static const struct tcp_kind *const kinds[FRONTEND_TCP_KINDS] = {
		[FRONTEND_TCP_CLEAR] = &tcp_kind_clear,
		[FRONTEND_TCP_DOT] = &tcp_kind_dot,
		[FRONTEND_TCP_DOH] = &tcp_kind_doh,
	};
	return kinds[kind];
}

unsigned tcp_connections_cap(const struct frontend_tcp *t)
{
	return t->set.connections < t->files ? t->set.connections : t->files;
}

unsigned tcp_idle_ms(const struct frontend_tcp *t)
{
	uint64_t cap = tcp_connections_cap(t), whole_ms = UINT64_C(1000) * t->set.idle_timeout_s;
	uint64_t last = cap / 4 + 1;
	uint64_t open = atomic_load_explicit(&t->shared->open, memory_order_relaxed);

	if (open + last <= cap)
		return (unsigned)whole_ms;
	uint64_t above = open + last - cap < last ? open + last - cap : last;
	uint64_t ms = whole_ms - whole_ms * 9 / 10 * above / last;
	return (unsigned)(ms > IDLE_FLOOR_MS ? ms : IDLE_FLOOR_MS);
}

static bool conn_is_idle(const struct frontend_conn *c)
{
	return c->pending == 0 && c->out_len == 0 && !c->held && !conn_owes(c);
}

// Among all connections of this frontend: the one that was idle longest; if no connection is idle,
// the one that stalled longest.
static struct frontend_conn *victim_of_all(struct frontend_tcp *t, bool idle_only)
{
	struct frontend_conn *c;
	unsigned looked = 0;

	TAILQ_FOREACH (c, &t->by_use, by_use) {
		if (conn_is_idle(c))
			return c;
		if (++looked == EVICT_LOOKED_AT)
			break;
	}
	return idle_only ? NULL : TAILQ_FIRST(&t->stalled);
}

static struct frontend_conn *victim_of_client(struct tcp_client *client, bool idle_only)
{
	struct frontend_conn *c, *stalled = NULL;
	unsigned looked = 0;

	TAILQ_FOREACH (c, &client->conns, by_client) {
		if (conn_is_idle(c))
			return c;
		if (!stalled && c->stalled)
			stalled = c;
		if (++looked == EVICT_LOOKED_AT)
			break;
	}
	return idle_only ? NULL : stalled;
}

bool tcp_evict(struct frontend_tcp *t, struct tcp_client *client, enum frontend_tcp_end why,
	bool idle_only, bool keeps)
{
	struct frontend_conn *c =
		client ? victim_of_client(client, idle_only) : victim_of_all(t, idle_only);

	if (!c)
		return false;
	c->gave_place = keeps;
	c->gave_client_place = keeps && client;
	conn_close(c, why);
	return true;
}

bool tcp_buffer_take(struct frontend_conn *c, size_t n)
{
	struct frontend_tcp *t = c->tcp;
	uint64_t most = UINT64_C(1024) * t->set.buffer_kb;

	while (!share_take(&t->buffered, most, n)) {
		struct frontend_conn *longest = TAILQ_FIRST(&t->stalled);
		if (!longest || longest == c || !share_could(&t->buffered, most, n))
			return false;
		conn_close(longest, FRONTEND_TCP_END_evicted_memory);
	}
	return true;
}

void tcp_buffer_give(struct frontend_conn *c, size_t n)
{
	struct frontend_tcp *t = c->tcp;

	share_give(&t->buffered, UINT64_C(1024) * t->set.buffer_kb, n);
}

void frontend_tcp_settings_of(const struct config *c, struct frontend_tcp_settings *out)
{
	*out = (struct frontend_tcp_settings){.tcp = c->tcp, .balancers = c->proxy_protocol};
	out->serves[FRONTEND_TCP_CLEAR] = (struct frontend_tcp_port){c->tcp.enabled, FRONTEND_PORT};
	out->serves[FRONTEND_TCP_DOT] = (struct frontend_tcp_port){c->dot.enabled, c->dot.port};
	out->serves[FRONTEND_TCP_DOH] = (struct frontend_tcp_port){c->doh.enabled, c->doh.port};
	out->doh = (struct doh_settings){.streams = c->tcp.pipelined,
		.request_ms = c->tcp.query_timeout_s * 1000,
		.drain_ms = CONN_DRAIN_MS};
	(void)snprintf(out->doh.path, sizeof(out->doh.path), "%s", c->doh.path);
}

static void on_resume(evutil_socket_t, short, void *arg)
{
	conn_resume_some(arg);
}

static int shared_open(struct frontend_tcp *t)
{
	int rc = t->engine.shared ? 0 : frontend_tcp_shared_new(&t->own_shared, 1);
	if (rc < 0)
		return rc;
	t->shared = t->engine.shared ? t->engine.shared : t->own_shared;
	t->shared->one[t->engine.number] = t;
	t->pending.pool = &t->shared->pending;
	t->buffered.pool = &t->shared->buffered;
	return tcp_clients_new(&t->clients, t->shared);
}

static void listeners_make(struct frontend_tcp *t, const struct ip_address *address, unsigned count)
{
	for (unsigned kind = 0; kind < FRONTEND_TCP_KINDS; kind++)
		for (unsigned i = 0; i < count; i++)
			t->listener[t->listener_count++] = (struct tcp_listener){.tcp = t,
				.kind = (enum frontend_tcp_kind)kind,
				.address = {.ip = address[i], .port = t->serves[kind].port},
				.fd = -1};
}

int frontend_tcp_open(struct frontend_tcp **out, struct loop *loop,
	const struct frontend_tcp_engine *engine, const struct frontend_tcp_settings *set,
	const struct ip_address *address, unsigned count, unsigned files)
{
	struct frontend_tcp *t = heap_calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->loop = loop;
	t->engine = *engine;
	int rc = shared_open(t);
	if (rc == 0)
		rc = doh_new(&t->doh, &set->doh);
	if (rc < 0) {
		tcp_clients_free(t->clients);
		frontend_tcp_shared_free(t->own_shared);
		heap_free(t);
		return rc;
	}
	t->set = set->tcp;
	memcpy(t->serves, set->serves, sizeof(t->serves));
	t->balancers = set->balancers;
	t->files = files;
	t->turn_left = TCP_MESSAGES_A_TURN;
	t->accepts_left = TCP_ACCEPTS_A_TURN;
	TAILQ_INIT(&t->by_use);
	TAILQ_INIT(&t->stalled);
	TAILQ_INIT(&t->starved);
	TAILQ_INIT(&t->ready);
	TAILQ_INIT(&t->shaking);
	TAILQ_INIT(&t->proxied);
	event_assign(&t->resume, loop_base(loop), -1, 0, on_resume, t);
	listeners_make(t, address, count < CONFIG_ADDRESSES_MAX ? count : CONFIG_ADDRESSES_MAX);
	tcp_listen(t);
	*out = t;
	return 0;
}

static void all_close(struct frontend_tcp *t)
{
	struct frontend_conn *c;

	tcp_listen_end(t);
	tcp_proxied_end(t, true);
	while ((c = TAILQ_FIRST(&t->by_use)))
		conn_close(c, FRONTEND_TCP_END_stopped);
}

void frontend_tcp_close(struct frontend_tcp *t)
{
	if (!t)
		return;
	assert(t->claims == 0);
	all_close(t);
	event_del(&t->resume);
	doh_free(t->doh);
	tcp_clients_free(t->clients);
	frontend_tcp_shared_free(t->own_shared);
	heap_free(t);
}

void frontend_tcp_files(struct frontend_tcp *t, unsigned files)
{
	t->files = files;
}

void frontend_tcp_configure(struct frontend_tcp *t, const struct frontend_tcp_settings *set)
{
	const uint16_t clear = t->serves[FRONTEND_TCP_CLEAR].port;
	struct frontend_conn *c;

	t->set = set->tcp;
	memcpy(t->serves, set->serves, sizeof(t->serves));
	t->balancers = set->balancers;
	t->serves[FRONTEND_TCP_CLEAR].port = clear;
	doh_configure(t->doh, &set->doh);
	tcp_listen(t);
	tcp_proxied_end(t, false);
	TAILQ_FOREACH (c, &t->by_use, by_use) {
		if (!t->serves[c->kind].enabled) // each connection has its turn to end,
			c->turn_ms = 0;          // no check of its reader
		conn_arm(c);                     // a new limit may have changed its deadline
		conn_hold(c);                    // a new limit may free what it waits for
	}
	conn_feed(t);
}

void frontend_tcp_drain(struct frontend_tcp *t)
{
	const enum frontend_tcp_drain drain =
		(enum frontend_tcp_drain)atomic_load(&t->shared->drain);
	const bool begins = t->drain == FRONTEND_TCP_STAYS, ends = drain == FRONTEND_TCP_STAYS;
	struct frontend_conn *c;

	if (drain == t->drain)
		return;
	t->drain = drain;
	if (begins || ends)
		t->count.leaving = begins ? t->count.open : 0;
	TAILQ_FOREACH (c, &t->by_use, by_use) {
		c->is_leaving = begins || (c->is_leaving && !ends);
		c->is_late = (begins && c->shaking) || (c->is_late && !ends);
		c->turn_ms = 0; // each has its turn to end, no check of its reader
		conn_arm(c);
	}
}

// State and tables.

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

// `used` is what is taken of the bounds themselves, so a place that is never returned shows.
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
	if (t->drain == FRONTEND_TCP_STAYS
		&& atomic_load_explicit(&t->shared->drain, memory_order_relaxed))
		out->leaving = t->count.open; // the drain has not reached this loop yet
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
