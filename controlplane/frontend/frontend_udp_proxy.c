// SPDX-License-Identifier: BSD-3-Clause

// Datagrams of balancers (proxy_protocol.from): a header of PROXY protocol v2, and a query of the
// client that it names. As in a worker (dataplane/stage/stage_proxy.c), the client counts for
// access, limits, group and log, and the reply goes to the balancer without a header.
#include "frontend_udp_internal.h"

#include <weir/clock.h>
#include <weir/heap_site.h>

struct udp_forwarded {
	struct frontend_session session; // of this question alone
	TAILQ_ENTRY(udp_forwarded) entry;
	struct udp_socket *socket;
	union client_address balancer;
	uint64_t since_ms;
};

static void forwarded_free(struct udp_forwarded *f)
{
	struct frontend_udp *u = f->socket->owner;

	frontend_session_end(u->frontend, &f->session);
	TAILQ_REMOVE(&u->forwarded, f, entry);
	u->forwarded_count--;
	if (u->forwarded_spare)
		heap_free(f);
	else
		u->forwarded_spare = f;
}

static void on_reply(struct frontend_session *s, const union client_address *,
	const struct frontend_reply *reply)
{
	struct udp_forwarded *f = (struct udp_forwarded *)s; // its first member

	udp_reply_put_later(f->socket->owner, f->socket->fd, &f->balancer, reply);
	forwarded_free(f);
}

// One that no question has: most answers come at once, and the next question takes it too. NULL: no
// memory.
static struct udp_forwarded *forwarded_new(struct udp_socket *s, const union client_address *sender)
{
	struct frontend_udp *u = s->owner;
	struct udp_forwarded *f = u->forwarded_spare;

	if (!f)
		f = u->forwarded_spare = heap_calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->session.reply = on_reply;
	f->session.transport = FRONTEND_UDP;
	f->session.service = s->session.service;
	f->socket = s;
	f->balancer = *sender;
	f->since_ms = clock_mono_ms();
	frontend_session_begin(&f->session);
	return f;
}

// Its question waits. Too many do: nobody hears of this one's answer, and the client asks again.
static void forwarded_keep(struct frontend_udp *u, struct udp_forwarded *f)
{
	if (u->forwarded_count == FRONTEND_UDP_FORWARDED) {
		u->status.forwarded_full++;
		frontend_session_end(u->frontend, &f->session);
		return;
	}
	u->forwarded_spare = NULL;
	TAILQ_INSERT_TAIL(&u->forwarded, f, entry);
	u->forwarded_count++;
}

static void ask_for(
	struct udp_socket *s, const struct udp_query *q, const union client_address *client)
{
	struct frontend_udp *u = s->owner;
	struct udp_forwarded *f = forwarded_new(s, q->sender);
	struct frontend_reply reply;

	if (!f) {
		u->status.forwarded_full++;
		return;
	}
	switch (frontend_ask(u->frontend, &f->session, client, q->msg, q->len, &reply)) {
	case FRONTEND_REPLY:
		udp_reply_put(u, s->fd, q->sender, &reply);
		break;
	case FRONTEND_LATER:
		forwarded_keep(u, f);
		break;
	default:
		break;
	}
}

void udp_forwarded_take(struct udp_socket *s, const struct udp_query *q)
{
	struct frontend_udp *u = s->owner;
	struct proxy_header header;
	struct udp_query behind = *q;
	union client_address client;

	switch (proxy_header_read(q->msg, q->len, &header)) {
	case PROXY_HEADER_CLIENT:
		behind.msg += header.len;
		behind.len -= header.len;
		client = frontend_proxy_client(&header);
		u->status.proxied++;
		ask_for(s, &behind, &client);
		break;
	case PROXY_HEADER_SENDER:
		behind.msg += header.len;
		behind.len -= header.len;
		udp_query_ask(s, &behind);
		break;
	case PROXY_HEADER_PART:
	case PROXY_HEADER_BAD:
		u->status.bad_proxy++;
		break;
	}
}

void udp_forwarded_end(struct frontend_udp *u)
{
	struct udp_forwarded *f = TAILQ_FIRST(&u->forwarded), *next;

	for (; f; f = next) {
		next = TAILQ_NEXT(f, entry);
		forwarded_free(f);
	}
	FREE_AND_NULL(u->forwarded_spare);
}

void udp_forwarded_tables(const struct frontend_udp *u, struct table_registry *tables)
{
	const struct udp_forwarded *oldest = u ? TAILQ_FIRST(&u->forwarded) : NULL;

	table_register(tables,
		&(struct table_info){.name = "frontend_udp_proxied",
			.owner = "frontend loop",
			.eviction = "drop the query",
			.lifetime = "until its answer, at most 6 s",
			TABLE_WORK_FOR(FRONTEND_LIFE_MS + 1000),
			.cap = FRONTEND_UDP_FORWARDED,
			.used = u ? u->forwarded_count : 0,
			.bytes = u ? (u->forwarded_count + (u->forwarded_spare != NULL))
						 * sizeof(struct udp_forwarded)
				   : 0,
			.refused = u ? u->status.forwarded_full : 0,
			.oldest_ms = table_age(oldest ? oldest->since_ms : 0, clock_mono_ms()),
			.has = TABLE_AGES | TABLE_REFUSES});
}
