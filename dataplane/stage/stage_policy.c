// SPDX-License-Identifier: BSD-3-Clause
#include "cookie.h"
#include "frame.h"
#include "reply.h"
#include "stages.h"

#include <weir/bytes.h>

// A word to a client that gets no answer, if its packet is a query at all; with a cookie by which
// its next one may be let through.
static void turn_away(struct batch *b, struct packet *p, enum verdict told, enum verdict dropped)
{
	enum dns_cookie_kind kind;
	if (cookie_parse(b, p, &kind) != DNS_QUERY_OK)
		batch_drop(b, p, dropped);
	else if (told == VERDICT_slip_limited)
		reply_truncated(b, p, told);
	else if (told == VERDICT_servfail_no_policy)
		reply_rcode(b, p, DNS_RCODE_SERVFAIL, DNS_EDE_NOT_READY, told);
	else
		reply_rcode(b, p, DNS_RCODE_REFUSED, DNS_EDE_PROHIBITED, told);
}

// A control plane that allowed few clients may have left the cache, the rules and the settings, so
// no client gets an answer of them. No limits of clients are known either, so few get a reply.
static void turn_all_away(struct batch *b)
{
	for (unsigned i = 0; i < b->count; i++) {
		if (closed_pace_take(&b->w->closed, b->now_ms))
			turn_away(b, b->pkt[i], VERDICT_servfail_no_policy, VERDICT_drop_denied);
		else
			batch_drop(b, b->pkt[i], VERDICT_drop_limited);
	}
	b->count = 0;
}

// A right cookie proves the address, which forged queries cannot have, so its client has a bucket
// of its own beyond the limits.
static bool over_limit(struct batch *b, struct packet *p)
{
	const struct worker_tables *t = b->tables;
	enum dns_cookie_kind cookie = cookie_over_limit(b, p);
	if (cookie == DNS_COOKIE_GOOD
		&& limit_take_proven(b->w->limit, p->ip_version, packet_source(p))) {
		b->proven |= UINT32_C(1) << (p - b->store);
		batch_count(b, COUNTER_cookies_exempt, 1);
		return true;
	}
	if (!limit_slips(b->w->limit, t->policy.limit.slip))
		batch_drop(b, p, VERDICT_drop_limited);
	else if (cookie != DNS_COOKIE_NONE && cookie != DNS_COOKIE_GOOD
		 && t->config.cookies.require == DNS_COOKIE_REQUIRE_OVER_LIMIT)
		reply_rcode(b, p, DNS_RCODE_BADCOOKIE, DNS_EDE_NONE, VERDICT_badcookie);
	else
		turn_away(b, p, VERDICT_slip_limited, VERDICT_drop_limited);
	return false;
}

static bool may_ask(struct batch *b, struct packet *p, unsigned leaf, struct limit_places at)
{
	const struct policy_reader *r = &b->tables->policy;
	switch (policy_access_of(leaf)) {
	case POLICY_ASK:
		return true;
	case POLICY_ASK_LIMITED:
		return likely_(limit_take_at(b->w->limit, at)) || over_limit(b, p);
	default:
		if (r->refuse)
			turn_away(b, p, VERDICT_refused_denied, VERDICT_drop_denied);
		else
			batch_drop(b, p, VERDICT_drop_denied);
		return false;
	}
}

// The first `taken` of the limited clients have been counted already.
static void one_by_one(
	struct batch *b, const uint8_t leaf[], const struct limit_places at[], unsigned taken)
{
	unsigned kept = 0, limited = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		bool is_limited = policy_access_of(leaf[i]) == POLICY_ASK_LIMITED;
		if ((is_limited && limited < taken) || may_ask(b, p, leaf[i], at[limited]))
			b->pkt[kept++] = p;
		limited += is_limited;
	}
	b->count = kept;
}

static uint64_t client_word(const struct packet *p)
{
	uint64_t eight;
	memcpy(&eight, rte_pktmbuf_mtod_offset(p->m, const uint8_t *, p->l3 + LIMIT_BYTES),
		sizeof(eight));
	return limit_word_of(p->ip_version, eight);
}

// Where the buckets of the limited clients are; how many of those there are.
static unsigned find_buckets(const struct batch *b, const uint8_t leaf[], struct limit_places at[])
{
	struct limit_table *t = b->w->limit;
	uint64_t word[WORKER_BATCH];
	unsigned limited = 0;
	for (unsigned i = 0; i < b->count; i++) {
		word[limited] = client_word(b->pkt[i]);
		limited += policy_access_of(leaf[i]) == POLICY_ASK_LIMITED;
	}
	for (unsigned i = 0; i < limited; i++) {
		at[i] = limit_places(t, word[i]);
		limit_prefetch(t, at[i]);
	}
	return limited;
}

// Counts the clients with budget left, up to the first without. In registers of its own.
static __attribute__((noinline)) unsigned take_until(
	struct limit_table *t, const struct limit_places at[], unsigned count)
{
	const struct limit_places *next = at, *end = at + count;
	while (next < end && likely_(limit_take_at(t, *next)))
		next++;
	return (unsigned)(next - at);
}

// Prefetches all buckets before it reads the first. Nearly always each has budget left; from the
// first without, clients are handled one by one.
static void by_access(struct batch *b, const uint8_t leaf[], unsigned any)
{
	struct limit_places at[WORKER_BATCH + 1]; // one_by_one reads one entry behind the last
	const unsigned limited = find_buckets(b, leaf, at);
	const unsigned taken = take_until(b->w->limit, at, limited);
	if (unlikely_(taken < limited || policy_access_of(any) == POLICY_DENIED))
		one_by_one(b, leaf, at, taken);
}

// The clients of a batch are looked up a step at a time, all through one before any goes on: so
// that lines of many clients load from the second cache at once. Returns the bits of all leaves
// together.

struct four {
	unsigned count;
	uint8_t at[WORKER_BATCH]; // place in the batch
	uint16_t block[WORKER_BATCH];
	uint32_t whole[WORKER_BATCH];
};

// Not inlined, so that it has all registers, as find_six.
static __attribute__((noinline)) unsigned find_four(
	const struct policy_reader *r, struct four *s, uint8_t leaf[])
{
	const unsigned count = s->count;
	unsigned any = 0;
	for (unsigned i = 0; i < count; i++)
		s->block[i] = (uint16_t)policy_upper_v4(r, s->whole[i]);
	for (unsigned i = 0; i < count; i++) {
		const unsigned found = policy_lower_v4(r, s->block[i], s->whole[i]);
		leaf[s->at[i]] = (uint8_t)found;
		any |= found;
	}
	return any;
}

struct six {
	unsigned count;
	uint8_t at[WORKER_BATCH]; // place in the batch
	uint64_t whole[WORKER_BATCH][2], leaf[WORKER_BATCH];
};

static unsigned find_six(const struct policy_reader *r, struct six *s, uint8_t leaf[])
{
	const unsigned count = s->count;
	unsigned any = 0;
	unsigned length = 0;
	for (; length < r->v6_narrow_count; length++) {
		const struct policy_v6_reader t = r->v6[length];
		for (unsigned i = 0; i < count; i++)
			s->leaf[i] = policy_look_narrow(&t, s->whole[i][0], s->leaf[i]);
	}
	for (; length < r->v6_length_count; length++) {
		const struct policy_v6_reader t = r->v6[length];
		for (unsigned i = 0; i < count; i++)
			s->leaf[i] = policy_look_wide(&t, s->whole[i], s->leaf[i]);
	}
	for (unsigned i = 0; i < count; i++) {
		unsigned found = (unsigned)s->leaf[i] & (POLICY_LEAVES - 1);
		leaf[s->at[i]] = (uint8_t)found;
		any |= found;
	}
	return any;
}

// The leaf of each client by the full lookup, in the same steps for all.
ATTR_INLINE unsigned find_whole(const struct batch *b, uint8_t leaf[])
{
	const struct policy_reader *r = &b->tables->policy;
	struct four four;
	struct six six;
	unsigned any = 0;
	four.count = six.count = 0;
	for (unsigned i = 0; i < b->count; i++) {
		const struct packet *p = b->pkt[i];
		const uint8_t *source = packet_source(p);
		if (p->ip_version == 4) {
			const unsigned n = four.count++;
			four.whole[n] = get_u32(source);
			four.at[n] = (uint8_t)i;
		} else {
			const unsigned n = six.count++;
			memcpy(six.whole[n], source, sizeof(six.whole[n]));
			six.leaf[n] = policy_first_v6(r, source);
			six.at[n] = (uint8_t)i;
		}
	}
	if (four.count)
		any |= find_four(r, &four, leaf);
	if (six.count)
		any |= find_six(r, &six, leaf);
	return any;
}

// The first load gives most leaves where there are no groups, such as those of private networks.
// One branch for the batch: if any client needs more, all get the full lookup.
ATTR_INLINE unsigned find_leaves(const struct batch *b, uint8_t leaf[])
{
	const struct policy_reader *r = &b->tables->policy;
	unsigned any = 0;
	if (b->tables->has_groups)
		return find_whole(b, leaf);
	for (unsigned i = 0; i < b->count; i++) {
		const struct packet *p = b->pkt[i];
		unsigned found = p->ip_version == 4 ? policy_first_v4(r, packet_source(p))
						    : policy_first_v6(r, packet_source(p));
		leaf[i] = (uint8_t)found;
		any |= found;
	}
	return likely_(any < POLICY_LEAVES) ? any : find_whole(b, leaf);
}

// A MAC address beats the interface identifier, that beats the IP address, and the IP address the
// VLAN. `leaf` (policy.h) comes
// with the group by IP address.

// A client in the table of MAC addresses is in that group, whatever its IP address.
ATTR_INLINE void group_by_mac(const struct batch *b, uint8_t leaf[])
{
	enum { MAC_SOURCE = 6 };
	for (unsigned i = 0; i < b->count; i++) {
		const struct packet *p = b->pkt[i];
		const uint8_t *mac = rte_pktmbuf_mtod_offset(p->m, const uint8_t *, MAC_SOURCE);
		unsigned was = leaf[i], by_address = policy_group_of(was);
		unsigned group = policy_group_mac(&b->tables->policy, mac, by_address);
		leaf[i] = (uint8_t)(was - by_address + group);
	}
}

// A client whose interface identifier is in the table is in that group, whatever its prefix.
static __attribute__((noinline)) void group_by_iid(const struct batch *b, uint8_t leaf[])
{
	const struct policy_reader *r = &b->tables->policy;
	for (unsigned i = 0; i < b->count; i++) {
		const struct packet *p = b->pkt[i];
		if (p->ip_version != 6)
			continue;
		unsigned was = leaf[i], before = policy_group_of(was);
		unsigned group = policy_group_iid(r, packet_source(p), before);
		leaf[i] = (uint8_t)(was - before + group);
	}
}

// A client that is in no group by its addresses is in that of its VLAN. The upper bits of a tag are
// its priority.
static __attribute__((noinline)) void group_by_vlan(const struct batch *b, uint8_t leaf[])
{
	const struct policy_reader *r = &b->tables->policy;
	for (unsigned i = 0; i < b->count; i++) {
		const struct packet *p = b->pkt[i];
		if (!p->has_vlan)
			continue;
		const uint8_t *tci =
			rte_pktmbuf_mtod_offset(p->m, const uint8_t *, FRAME_ETHER_LEN);
		unsigned was = leaf[i], before = policy_group_of(was);
		leaf[i] = (uint8_t)(was - before + policy_group_vlan(r, get_u16(tci), before));
	}
}

// The counters have a pass of their own: the place of one is known only at the end of a lookup, and
// the loads of later lookups would wait for that.
static void by_group(struct batch *b, uint8_t leaf[])
{
	_Atomic uint64_t *counters = b->w->stats->group;
	const unsigned count = b->count;
	if (unlikely_(b->tables->policy.has_iids))
		group_by_iid(b, leaf);
	if (b->tables->policy.has_macs)
		group_by_mac(b, leaf);
	if (unlikely_(b->tables->policy.has_vlans))
		group_by_vlan(b, leaf);
	for (unsigned i = 0; i < count; i++) {
		unsigned group = policy_group_of(leaf[i]);
		b->pkt[i]->group = (uint8_t)group;
		stats_add(&counters[group], 1);
	}
}

// Before the parser, which hashes the question with the view of its client's group.
void stage_policy(struct batch *b)
{
	const struct worker_tables *t = b->tables;
	uint8_t leaf[WORKER_BATCH];

	if (!t->has_groups && !t->has_access) {
		if (unlikely_(t->is_closed))
			turn_all_away(b);
		return;
	}
	const unsigned any = find_leaves(b, leaf);
	if (t->has_groups)
		by_group(b, leaf);
	// Only leaves of limited and denied clients have these bits.
	if (t->has_access && unlikely_(any >> POLICY_ACCESS_SHIFT))
		by_access(b, leaf, any);
}
