// SPDX-License-Identifier: BSD-3-Clause
#include "miss.h"
#include "resolver_client.h"
#include "resolver_trace.h"

#include <string.h>
#include <weir/shm_ring.h>

// A frontend's questions have a bound; one that finds no room is refused. With one resolver all of
// them can be answered in one turn, at two to four units each.
enum { MISS_UNITS = 16384, ANSWER_UNITS = 65536, SHORT_LEN = 320 };

int resolver_client_mesh(struct ring_mesh **out, unsigned frontends, unsigned resolvers)
{
	const struct ring_mesh_side side[2] = {
		[CLIENT_FRONTENDS] = {.threads = frontends,
			.units = resolvers == 1 ? ANSWER_UNITS : ANSWER_UNITS / 2},
		[CLIENT_RESOLVERS] = {.threads = resolvers, .units = MISS_UNITS},
	};
	static_assert(ANSWER_UNITS / 8 * RING_UNIT
		      >= sizeof(struct ring_unit) + sizeof(struct client_answer) + DNS_MESSAGE_MAX);
	return ring_mesh_new(out, side, sizeof(struct client_answer) + DNS_MESSAGE_MAX);
}

// Two steps, which no question follows.
static void settled_take(struct resolver *r, const struct client_settled *s)
{
	static const struct {
		enum trace_step step;
		enum answer_kind kind;
	} of[VERDICT_COUNT] = {
		[VERDICT_hit] = {TRACE_l0_hit, ANSWER_CACHED},
		[VERDICT_hit_stale] = {TRACE_l0_stale, ANSWER_STALE},
		[VERDICT_blocked_answer] = {TRACE_l0_hit, ANSWER_BLOCKED},
	};
	const enum trace_step step = of[s->verdict].step;
	struct trace t = {.worker = TRACE_OF_FRONTEND,
		.is_tcp = s->is_tcp,
		.verdict = s->verdict,
		.client_port = client_port(&s->address),
		.qtype = s->qtype,
		.name_len = s->name_len,
		.arrival_us = s->arrival_us};
	unsigned version;
	const uint8_t *bytes = client_bytes(&s->address, &version);

	t.ip_version = (uint8_t)version;
	memcpy(t.client, bytes, version == 4 ? 4 : 16);
	memcpy(t.name, s->name, s->name_len);
	trace_handle h = traces_start(r->traces, &t);
	if (!h)
		return;
	resolver_trace_note(r, h, step ? step : TRACE_settled, step ? s->age_s : 0);
	if (step)
		traces_answered(r->traces, h, of[s->verdict].kind, s->rcode);
	traces_settle(r->traces, h);
}

static bool settled_fits(const uint8_t *msg, uint32_t len, struct client_settled *out)
{
	if (len != sizeof(*out))
		return false;
	memcpy(out, msg, sizeof(*out));
	static_assert(sizeof(out->name) >= UINT8_MAX);
	return out->verdict < VERDICT_COUNT;
}

static bool miss_fits(const uint8_t *msg, uint32_t len, struct client_miss *out)
{
	if (len < sizeof(*out))
		return false;
	memcpy(out, msg, sizeof(*out));
	const unsigned cookie_len = out->m.has_opt & DNS_OPT_COOKIE ? DNS_COOKIE_LEN : 0;
	return !out->m.whole_len && out->m.question_len + cookie_len == len - sizeof(*out);
}

void resolver_client_take(
	void *resolver, unsigned frontend, uint16_t type, uint8_t *msg, uint32_t len)
{
	struct resolver *r = resolver;
	struct client_settled settled;
	struct client_miss c;

	if (type == MSG_MISS && miss_fits(msg, len, &c)) {
		c.ticket.frontend = frontend;
		resolver_miss_of_client(r, &c, msg + sizeof(c));
	} else if (type == CLIENT_SETTLED && settled_fits(msg, len, &settled)) {
		settled_take(r, &settled);
	} else {
		r->count.foreign_messages++;
	}
}

bool resolver_client_fits(struct resolver *r, const struct waiter *w, uint16_t len)
{
	return len <= SHORT_LEN || !ring_mesh_is_half_full(r->clients, w->ticket.frontend);
}

bool resolver_client_answer(struct resolver *r, const struct waiter *w, const uint8_t *msg,
	uint16_t len, const struct answer_source *source)
{
	const struct client_answer head = {.ticket = w->ticket, .source = *source, .dns_len = len};
	uint8_t *p = ring_mesh_reserve(
		r->clients, w->ticket.frontend, MSG_ANSWER, (uint32_t)sizeof(head) + len);
	if (!p)
		return false;
	memcpy(p, &head, sizeof(head));
	memcpy(p + sizeof(head), msg, len);
	return true;
}
