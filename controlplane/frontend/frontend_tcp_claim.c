// SPDX-License-Identifier: BSD-3-Clause

// A new connection for which only another frontend can make room: its client has as many as it may,
// or all places are taken, and none of this frontend's own connections is idle.
//
// A claim goes from loop to loop: first each other frontend closes an idle connection if it has
// one, then each, this one too, one that has stalled. The closed connection's places become those
// of the claim, so no bound is passed meanwhile. The client's socket waits unread until the claim
// is back, CLAIM_MS at most; after that no connection is closed for it, where it may still be.
// FRONTEND_TCP_CLAIMS of a frontend wait, one more is refused.
#include "frontend_tcp_conn.h"

#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { CLAIM_MS = 1000 };

struct tcp_claim {
	struct loop_return hop;
	struct wheel_timer timer; // the origin's
	struct frontend_tcp *origin;
	struct tcp_client *client;  // the origin's
	struct tcp_arrival arrival; // its fd -1: the client has waited too long; the origin's
	enum conn_place asked;      // what was missing at first
	enum conn_place place;      // and is now
	unsigned step;              // loops that it has been to
	uint64_t begun_ms;
	bool got;
};

static bool claim_is_late(const struct tcp_claim *k)
{
	return clock_mono_ms() - k->begun_ms >= CLAIM_MS;
}

// One may have ended since.
static bool claim_serve(struct tcp_claim *k, struct frontend_tcp *t, bool idle_only)
{
	struct frontend_tcp_shared *s = t->shared;
	const uint8_t *key = k->client->shared->key;

	if (k->place == CONN_CLIENT_FULL
		&& tcp_place_take(&k->client->shared->open, t->set.per_client))
		k->place = CONN_FULL;
	if (k->place == CONN_FULL)
		return tcp_place_take(&s->open, tcp_connections_cap(t))
		       || tcp_evict(t, NULL, FRONTEND_TCP_END_evicted, idle_only, true);
	struct tcp_client *client = tcp_client_find(t->clients, key);
	return client && tcp_evict(t, client, FRONTEND_TCP_END_evicted_client, idle_only, true);
}

// The origin's loop.
static void claim_back(void *arg)
{
	struct tcp_claim *k = arg;
	struct frontend_tcp *t = k->origin;

	t->claims--;
	wheel_stop(&k->timer);
	const int fd = k->arrival.fd;
	if (k->got && fd >= 0 && t->serves[k->arrival.kind].enabled) {
		conn_start(t, &k->arrival, k->client);
	} else {
		if (k->got)
			tcp_place_give(&t->shared->open);
		if (fd >= 0)
			conn_refuse_count(t, k->asked);
		conn_refuse(t, fd, k->client, k->got || k->place == CONN_FULL);
	}
	heap_free(k);
}

static void claim_go(struct tcp_claim *k);

// The loop of the frontend that it has come to.
static void claim_look(void *arg)
{
	struct tcp_claim *k = arg;
	const unsigned frontends = k->origin->shared->frontends;
	struct frontend_tcp *t =
		k->origin->shared->one[(k->origin->engine.number + k->step) % frontends];

	k->got = !claim_is_late(k) && claim_serve(k, t, k->step < frontends);
	claim_go(k);
}

static void claim_go(struct tcp_claim *k)
{
	const struct frontend_tcp_shared *s = k->origin->shared;

	if (k->got || ++k->step == 2 * s->frontends) {
		loop_call_back(k->origin->loop, &k->hop, claim_back, k);
		return;
	}
	const struct frontend_tcp *next =
		s->one[(k->origin->engine.number + k->step) % s->frontends];
	loop_call_back(next->loop, &k->hop, claim_look, k);
}

// The other loop hangs, or has a lot to do.
static void on_late(void *arg)
{
	struct tcp_claim *k = arg;

	close(k->arrival.fd);
	k->arrival.fd = -1;
	conn_refuse_count(k->origin, k->asked);
}

bool tcp_claim_begin(struct frontend_tcp *t, const struct tcp_arrival *a, struct tcp_client *client,
	enum conn_place place)
{
	if (t->shared->frontends == 1)
		return false;
	struct tcp_claim *k = t->claims < FRONTEND_TCP_CLAIMS ? heap_calloc(1, sizeof(*k)) : NULL;
	if (!k) {
		t->claims_refused++;
		return false;
	}
	k->origin = t;
	k->client = client;
	k->arrival = *a;
	k->asked = k->place = place;
	k->timer.fn = on_late;
	k->timer.arg = k;
	k->begun_ms = clock_mono_ms();
	t->claims++;
	wheel_start(loop_wheel(t->loop), &k->timer, CLAIM_MS, k->begun_ms);
	claim_go(k);
	return true;
}

void tcp_claim_tables(const struct frontend_tcp *t, struct table_registry *tables)
{
	table_register(tables, &(struct table_info){.name = "tcp_claims",
				       .owner = "frontend loop",
				       .eviction = "refuse the connection",
				       .lifetime = "1 s",
				       .kind = TABLE_WORK,
				       .cap = FRONTEND_TCP_CLAIMS,
				       .descriptors = t->claims,
				       .used = t->claims,
				       .refused = t->claims_refused,
				       .has = TABLE_REFUSES,
				       .bytes = t->claims * sizeof(struct tcp_claim)});
}
