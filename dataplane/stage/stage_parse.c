// SPDX-License-Identifier: BSD-3-Clause
#include "ask.h"
#include "cookie.h"
#include "core/dns/dns_query_fast.h"
#include "frame.h"
#include "question_fast.h"
#include "record_fast.h"
#include "reply.h"
#include "stages.h"

#include <weir/dns_query.h>

// Settles by the parser's status alone. True: a question to go on with.
static bool settle_status(struct batch *b, struct packet *p, enum dns_query_status status,
	enum dns_cookie_kind cookie)
{
	switch (status) {
	case DNS_QUERY_OK:
		return true;
	case DNS_QUERY_SHORT:
		batch_drop(b, p, VERDICT_drop_dns_short);
		return false;
	case DNS_QUERY_RESPONSE:
		batch_drop(b, p, VERDICT_drop_dns_response);
		return false;
	case DNS_QUERY_NOTIMP:
		if (!ask_notify(b, p))
			reply_rcode(b, p, DNS_RCODE_NOTIMP, DNS_EDE_NONE, VERDICT_notimp);
		return false;
	case DNS_QUERY_BADVERS:
		reply_rcode(b, p, DNS_RCODE_BADVERS, DNS_EDE_NONE, VERDICT_badvers);
		return false;
	case DNS_QUERY_COOKIE:
		if (cookie == DNS_COOKIE_BAD)
			reply_rcode(b, p, DNS_RCODE_BADCOOKIE, DNS_EDE_NONE, VERDICT_badcookie);
		else
			reply_rcode(b, p, DNS_RCODE_NOERROR, DNS_EDE_NONE, VERDICT_cookie_only);
		return false;
	case DNS_QUERY_FORMERR:
		break;
	}
	reply_rcode(b, p, DNS_RCODE_FORMERR, DNS_EDE_NONE, VERDICT_formerr);
	return false;
}

// Class IN and a type below the meta range, but for OPT.
ATTR_INLINE bool question_is_plain(const struct dns_query *q)
{
	const uint32_t in = (uint32_t)DNS_CLASS_IN << 16;
	uint32_t both; // type and class
	memcpy(&both, (const uint8_t *)q + offsetof(struct dns_query, qtype), sizeof(both));
	return both - (in | 1) < 127 && both != (in | DNS_TYPE_OPT);
}

static bool settle_question(struct batch *b, struct packet *p)
{
	switch (dns_served_question(&p->q)) {
	case DNS_SERVED:
		return true;
	case DNS_SERVED_REFUSED:
		if (!reply_identity(b, p))
			reply_rcode(
				b, p, DNS_RCODE_REFUSED, DNS_EDE_NOT_SUPPORTED, VERDICT_refused);
		return false;
	case DNS_SERVED_NOTIMP:
		break;
	}
	reply_rcode(b, p, DNS_RCODE_NOTIMP, DNS_EDE_NOT_SUPPORTED, VERDICT_notimp);
	return false;
}

static uint16_t view_of(const struct batch *b, const struct packet *p)
{
	const struct worker_tables *t = b->tables;
	return unlikely_(t->has_groups) ? t->policy.group[p->group].view : 0;
}

// Parses a query that is not plain. True: a question to go on with.
static __attribute__((noinline)) bool parse_whole(struct batch *b, struct packet *p)
{
	enum dns_cookie_kind cookie;
	enum dns_query_status status = cookie_parse(b, p, &cookie);
	cookie_count(b, cookie);
	if (!settle_status(b, p, status, cookie) || !settle_question(b, p))
		return false;
	question_hash(b->tables, p, view_of(b, p));
	return true;
}

// A question to go on with is known by its hash then.
ATTR_INLINE bool parse(struct batch *b, struct packet *p)
{
	const struct worker_tables *t = b->tables;
	uint64_t name_hash;
	if (unlikely_(!t->has_l0))
		return parse_whole(b, p);
	const enum dns_query_kind kind =
		dns_query_fast(packet_dns(p), p->dns_len, &t->l0.secret, &p->q, &name_hash);
	if (unlikely_(kind == DNS_QUERY_ODD) || unlikely_(!question_is_plain(&p->q)))
		return parse_whole(b, p);
	if (unlikely_(kind == DNS_QUERY_PLAIN_COOKIE))
		cookie_take_plain(b, p);
	question_hash_behind(t, p, view_of(b, p), name_hash);
	return true;
}

static void hash_suffixes(const struct batch *b, struct packet *p)
{
	rule_probe_hash(&b->tables->rules, &p->q, &p->probe);
}

// The suffixes of a name are hashed one packet later: just stored, it would be read in other pieces
// than it was stored in, and the core would wait. Not in a loop of their own: the prefetches need
// work between them.
void stage_parse(struct batch *b)
{
	const bool looks = batch_looks_early(b), rules = b->rules;
	const unsigned count = b->count;
	_Atomic uint64_t *types = b->w->stats->type;
	unsigned kept = 0;
	b->cookies.any = false;
	b->looked_home = b->looked_other = 0;
	for (unsigned i = 0; i < count; i++) {
		struct packet *p = b->pkt[i];
		if (unlikely_(!parse(b, p)))
			continue;
		b->pkt[kept] = p;
		stats_add(&types[stats_type(p->q.qtype)], 1);
		if (rules && kept > 0)
			hash_suffixes(b, b->pkt[kept - 1]);
		kept++;
		if (looks)
			record_look_behind(b, kept);
	}
	b->count = kept;
	if (rules && kept > 0)
		hash_suffixes(b, b->pkt[kept - 1]);
	if (unlikely_(b->cookies.any))
		cookie_settle_plain(b);
}
