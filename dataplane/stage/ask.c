// SPDX-License-Identifier: BSD-3-Clause
#include "ask.h"

#include "frame.h"
#include "stages.h"

#include <weir/gong.h>
#include <weir/shm_msg.h>

static uint32_t arrival_more_us(const struct batch *b)
{
	if (!b->logs)
		return 0;
	uint64_t us = stage_log_clock_us(&b->w->log_clock, b->start_tsc, b->now_ms);
	return us > b->now_ms * 1000 ? (uint32_t)(us - b->now_ms * 1000) : 0;
}

// For the query log, which records it together with the answer; and for who verifies its TSIG.
static uint16_t whole_len(const struct batch *b, const struct packet *p, uint8_t kind)
{
	if (unlikely_(kind == MISS_NOTIFY))
		return p->dns_len;
	return likely_(!b->logs) || kind != MISS_WAITER || p->dns_len > MSG_WHOLE_MAX
			       || b->tables->config.log_detail != LOG_DETAIL_MESSAGES
		       ? 0
		       : p->dns_len;
}

unsigned ask_resolver(const struct batch *b, const struct packet *p)
{
	return b->tables->has_l0 ? l0_resolver_of(&b->tables->l0, p->hash) : 0;
}

// Replies of upstream servers use the same ring and end the wait of clients, so the last sixteenth
// of the ring is theirs alone.
static bool is_for_replies(const struct batch *b, struct ring_producer *miss)
{
	return b->tables->hops.has_servers
	       && ring_is_fuller(miss, miss->units - miss->units / ASK_REPLIES_SHARE);
}

bool ask_control(struct batch *b, const struct packet *p, uint8_t kind, uint32_t ticket)
{
	struct worker *w = b->w;
	const uint32_t cookie = p->q.has_opt & DNS_OPT_COOKIE ? DNS_COOKIE_LEN : 0;
	const uint16_t whole = whole_len(b, p, kind);
	uint32_t len = (uint32_t)sizeof(struct msg_miss) + p->q.question_len + cookie + whole;
	const unsigned resolver = ask_resolver(b, p);
	struct ring_producer *miss = &w->miss[resolver];
	struct msg_miss *msg = is_for_replies(b, miss) ? NULL : ring_reserve(miss, MSG_MISS, len);
	if (!msg)
		return false;
	*msg = (struct msg_miss){
		.dp_incarnation = w->dp_incarnation,
		.arrival_ms = b->now_ms,
		.id = p->q.id,
		.flags = p->q.flags,
		.udp_size = p->q.udp_size,
		.has_opt = p->q.has_opt,
		.dnssec_ok = p->q.dnssec_ok,
		.view = packet_key(p).view,
		.kind = kind,
		.group = b->tables->has_groups ? p->group : 0,
		.policy = (uint16_t)b->tables->policy_generation,
		.question_len = p->q.question_len,
		.query_len = p->dns_len,
		.arrival_more_us = arrival_more_us(b),
		.whole_len = whole,
		.trace = unlikely_(b->logs) && kind == MISS_WAITER ? watch_trace(b, p) : 0,
	};
	const struct return_path *forwarded = batch_forwarded(b, p);
	if (unlikely_(forwarded))
		msg->path = *forwarded;
	else
		frame_return_path(p, (uint16_t)(b->port - w->port), (uint16_t)w->index, &msg->path);
	frame_note_put(msg->path.note, (struct path_note){ticket, batch_is_proven(b, p)});
	memcpy(msg + 1, packet_dns(p) + DNS_HEADER_LEN, p->q.question_len);
	memcpy((uint8_t *)(msg + 1) + p->q.question_len, p->q.cookie, cookie);
	memcpy((uint8_t *)(msg + 1) + p->q.question_len + cookie, packet_dns(p), whole);
	static_assert(SHM_RESOLVERS_MAX <= 8 * sizeof(b->asked));
	b->asked |= (uint8_t)(1u << resolver);
	return true;
}

bool ask_notify(struct batch *b, struct packet *p)
{
	enum { OPCODE_NOTIFY = 4 };
	const struct dns_query *q = &p->q;
	if (likely_(!b->tables->config.takes_notify) || !b->control_alive
		|| (q->flags & DNS_FLAG_OPCODE) != OPCODE_NOTIFY << 11 || !q->question_len
		|| q->qtype != DNS_TYPE_SOA || q->qclass != DNS_CLASS_IN
		|| p->dns_len > MSG_WHOLE_MAX)
		return false;
	p->hash = p->key_word = 0; // a NOTIFY has no question, so any resolver will do
	bool goes = closed_pace_take(&b->w->notify, b->now_ms) && ask_control(b, p, MISS_NOTIFY, 0);
	batch_drop(b, p, goes ? VERDICT_notify : VERDICT_drop_notify);
	return true;
}

void ask_publish(struct worker *w, unsigned resolvers)
{
	for (; resolvers; resolvers &= resolvers - 1)
		ring_publish(&w->miss[__builtin_ctz(resolvers)]);
}

void ask_wake(struct worker *w, unsigned resolvers)
{
	for (; resolvers; resolvers &= resolvers - 1) {
		const int r = __builtin_ctz(resolvers);
		if (ring_wants_wake(&w->miss[r]) && w->gong[r] > 0)
			gong_strike(w->gong[r]);
	}
}
