// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// reply_answer in line, for stage_lookup, which does little else (reply.h).

#include "core/dns/dns_reply_fast.h"
#include "frame_fast.h"
#include "reply.h"

#include <weir/bytes.h>

// A longer reply takes more than to be sent (reply_more).
ATTR_INLINE uint32_t reply_fast_plain_most(const struct batch *b)
{
	const struct worker_tables *t = b->tables;
	if (unlikely_(t->config.rotate))
		return 0;
	return t->has_access && t->policy.limit.reply_octets ? t->policy.limit.reply_octets
							     : UINT32_MAX;
}

ATTR_INLINE void reply_fast_finish(
	struct batch *b, struct packet *p, uint16_t len, uint16_t sum, enum verdict v)
{
	if (unlikely_(len == 0)) {
		batch_drop(b, p, VERDICT_drop_no_room);
		return;
	}
	uint16_t flags = get_u16(packet_dns(p) + 2);
	stats_add(&b->w->stats->rcode[flags % STATS_RCODES], 1);
	if (unlikely_(flags & DNS_FLAG_TC))
		batch_count(b, COUNTER_reply_truncated, 1);
	if (unlikely_(len > reply_fast_plain_most(b)))
		reply_more(b, p, len);
	frame_fast_reply(p, packet_dns(p), len, csum_widen(sum));
	batch_tx(b, p, v);
}

// How what is blocked is answered, to the packet's client.
ATTR_INLINE const struct dns_block *reply_block_of(const struct batch *b, const struct packet *p)
{
	const struct worker_tables *t = b->tables;
	return unlikely_(t->has_groups) ? &t->policy.group[p->group].block : &t->config.block;
}

// limits.udp_reply_size may be raised at run time; the size of a frame is fixed at start.
ATTR_INLINE uint16_t reply_fast_limit(const struct batch *b)
{
	uint16_t limit = b->tables->config.udp_limit;
	return limit < b->port->dns_most ? limit : b->port->dns_most;
}

// The wide sum of the question's bytes: stage_net's, where nothing stands behind the question.
ATTR_INLINE uint64_t reply_fast_question_sum(const struct packet *p)
{
	if (likely_(p->rest_sum && p->dns_len == DNS_HEADER_LEN + p->q.question_len))
		return p->rest_sum;
	return csum_wide(packet_dns(p) + DNS_HEADER_LEN, p->q.question_len);
}

ATTR_INLINE void reply_fast_answer(
	struct batch *b, struct packet *p, const struct l0_view *view, bool stale)
{
	const struct dp_config *config = &b->tables->config;
	uint64_t age_ms = b->now_ms > view->created_ms ? b->now_ms - view->created_ms : 0;
	bool nxdomain = view->answer.rcode == DNS_RCODE_NXDOMAIN;
	struct dns_reply_opts o = {
		.age_s = (uint32_t)(age_ms / 1000),
		.ttl_cap_s = config->client_ttl_cap_s,
		.ttl_fixed_s = config->stale_ttl_s,
		.has_ttl_fixed = stale,
		.ede = !stale     ? DNS_EDE_NONE
		       : nxdomain ? DNS_EDE_STALE_NXDOMAIN
				  : DNS_EDE_STALE_ANSWER,
		.limit = reply_fast_limit(b),
	};
	uint16_t sum = 0;
	uint16_t len =
		dns_reply_fast(packet_dns(p), packet_dns_room(p), &p->q, &view->answer, &o, &sum);
	if (b->logs && stale)
		reply_note_ede(b, p, len, o.ede);
	reply_fast_finish(b, p, len, sum, stale ? VERDICT_hit_stale : VERDICT_hit);
}
