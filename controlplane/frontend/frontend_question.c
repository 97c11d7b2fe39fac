// SPDX-License-Identifier: BSD-3-Clause

// The stages of a worker for one message: parse, policy, rules.
#include "frontend_internal.h"
#include "shm/publish.h"

#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/dns_query.h>
#include <weir/dns_reply.h>
#include <weir/rule_reply.h>

void frontend_configure(struct frontend *f, const struct config *config)
{
	f->set = (struct frontend_settings){
		.ttl_cap_s = config->cache.client_ttl_cap_s,
		.stale_ttl_s = config->cache.stale_ttl_s,
		.stale_immediate = config->cache.stale_immediate,
		.udp_reply_size = config->limits.udp_reply_size,
		.any_minimal = config->access.any_minimal,
		.rotate = config->cache.rotate,
	};
	config_identity_take(config, &f->set.identity);
	frontend_log_configure(f, config);
}

static enum verdict reply_rcode(struct frontend *f, const struct frontend_question *q,
	uint16_t rcode, int ede, enum verdict v, uint16_t *len)
{
	uint16_t sum;
	*len = dns_reply_rcode(f->reply, DNS_MESSAGE_MAX, &q->query, rcode, ede, &sum);
	return v;
}

// dns_query_parse for a client of this address, with the check of its cookie, and its reply's NSID.
static enum dns_query_status cookie_parse(struct frontend *f, const union client_address *from,
	const uint8_t *msg, size_t size, struct dns_query *q, enum dns_cookie_kind *kind)
{
	struct dns_cookie_client client;
	struct dns_cookie_terms terms;

	*kind = DNS_COOKIE_NONE;
	enum dns_query_status status = dns_query_parse(msg, size, q);
	if (status == DNS_QUERY_SHORT)
		return status;
	dns_identity_nsid(&f->set.identity, q);
	if (q->cookie_len == 0)
		return status;
	client.address = client_bytes(from, &client.ip_version);
	client.now_s = (uint32_t)time(NULL);
	publisher_cookies(f->publisher, &terms);
	return dns_cookie_settle(&terms, &client, status, q, kind);
}

static void count_cookie(struct frontend_counts *c, enum dns_cookie_kind kind)
{
	c->cookies_good += kind == DNS_COOKIE_GOOD;
	c->cookies_bad += kind == DNS_COOKIE_BAD;
	c->cookies_alone += kind == DNS_COOKIE_ALONE;
}

// VERDICT_miss: a question to go on with.
static enum verdict settle_status(struct frontend *f, const struct frontend_question *q,
	enum dns_query_status status, enum dns_cookie_kind cookie, uint16_t *len)
{
	uint16_t sum;

	switch (status) {
	case DNS_QUERY_OK:
		break;
	case DNS_QUERY_SHORT:
		return VERDICT_drop_dns_short;
	case DNS_QUERY_RESPONSE:
		return VERDICT_drop_dns_response;
	case DNS_QUERY_NOTIMP:
		return reply_rcode(f, q, DNS_RCODE_NOTIMP, DNS_EDE_NONE, VERDICT_notimp, len);
	case DNS_QUERY_BADVERS:
		return reply_rcode(f, q, DNS_RCODE_BADVERS, DNS_EDE_NONE, VERDICT_badvers, len);
	case DNS_QUERY_COOKIE:
		if (cookie == DNS_COOKIE_BAD)
			return reply_rcode(
				f, q, DNS_RCODE_BADCOOKIE, DNS_EDE_NONE, VERDICT_badcookie, len);
		return reply_rcode(f, q, DNS_RCODE_NOERROR, DNS_EDE_NONE, VERDICT_cookie_only, len);
	case DNS_QUERY_FORMERR:
		return reply_rcode(f, q, DNS_RCODE_FORMERR, DNS_EDE_NONE, VERDICT_formerr, len);
	}
	switch (dns_served_question(&q->query)) {
	case DNS_SERVED:
		break;
	case DNS_SERVED_REFUSED:
		*len = dns_identity_reply(
			f->reply, DNS_MESSAGE_MAX, &q->query, &f->set.identity, q->limit, &sum);
		if (*len)
			return VERDICT_identity;
		return reply_rcode(
			f, q, DNS_RCODE_REFUSED, DNS_EDE_NOT_SUPPORTED, VERDICT_refused, len);
	case DNS_SERVED_NOTIMP:
		return reply_rcode(
			f, q, DNS_RCODE_NOTIMP, DNS_EDE_NOT_SUPPORTED, VERDICT_notimp, len);
	}
	return VERDICT_miss;
}

enum verdict frontend_ruled(struct frontend *f, struct frontend_question *q,
	const struct rule_reader *rules, const struct rule_ruling *ruling, uint16_t *len)
{
	const struct rule_decision *d = &ruling->d;
	const struct rule_reply_opts o = {.block = &q->policy->block,
		.hash = ruling->hash,
		.ttl_cap_s = f->set.ttl_cap_s,
		.limit = q->limit};
	uint16_t sum;

	*len = 0;
	q->list = d->matched ? d->list : LOG_NO_LIST;
	if (d->action == RULE_DROP)
		return VERDICT_drop_rule;
	*len = rule_reply_write(f->reply, DNS_MESSAGE_MAX, &q->query, rules, d, &o, &sum);
	if (f->set.rotate && *len)
		dns_rotate(
			f->reply, *len, DNS_HEADER_LEN + (size_t)q->query.question_len, f->turn++);
	if (!ruling->named)
		return VERDICT_blocked_answer;
	return d->rule_class == RULE_CLASS_LOCAL ? VERDICT_local : VERDICT_blocked;
}

static void make_safe(struct frontend_question *q)
{
	if (q->policy->safe_view)
		q->view = q->policy->safe_view;
}

// Applies the rules to the name. *d is their decision.
static enum verdict settle_rules(struct frontend *f, struct frontend_question *q,
	const struct rule_reader *rules, bool blocks, struct rule_decision *d, uint16_t *len)
{
	const uint64_t *lists = q->policy->lists;
	uint64_t kept[4];
	struct rule_verdict v;

	if (!blocks)
		rule_lists_unblocked(rules, lists, kept);
	rule_decide(rules, &q->query.name, q->query.qtype, blocks ? lists : kept, &v);
	*d = v.d;
	bool answers = v.d.action != RULE_PASS && v.d.action != RULE_RESOLVE;
	const struct rule_ruling ruling = {.d = v.d, .named = true, .hash = v.hash};
	if (answers && !rule_pattern_may_allow(rules, lists, &v.d))
		return frontend_ruled(f, q, rules, &ruling, len);
	if (v.d.safe && v.d.action != RULE_RESOLVE)
		make_safe(q);
	return VERDICT_miss;
}

// `typed`: a rule for some types may allow another one.
static enum verdict block_all(struct frontend *f, struct frontend_question *q,
	const struct rule_reader *rules, bool typed, uint16_t *len)
{
	const struct rule_ruling all = {.d = {.action = RULE_BLOCK,
						.reply = RULE_REPLY_GROUP,
						.rule_class = RULE_CLASS_OPERATOR_DENY,
						.typed = typed},
		.named = true};
	return frontend_ruled(f, q, rules, &all, len);
}

static enum verdict reply_any(struct frontend *f, const struct frontend_question *q, uint16_t *len)
{
	uint16_t sum;
	*len = dns_reply_any(f->reply, DNS_MESSAGE_MAX, &q->query, q->limit, &sum);
	return VERDICT_any_minimal;
}

bool frontend_admits(struct frontend *f, const union client_address *client, bool over_tls)
{
	frontend_policy_look(&f->policy, f->publisher, clock_mono_ms());
	if (frontend_policy_is_closed(&f->policy))
		return true; // to be reported
	unsigned leaf = frontend_policy_leaf_of_address(&f->policy, client);
	return policy_access_of(leaf) != POLICY_DENIED || (f->policy.reader.refuse && !over_tls);
}

// No policy image says which clients may ask. Over UDP few get a reply, as from a worker.
static enum verdict settle_closed(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const uint8_t *msg, size_t size,
	struct frontend_question *q, uint64_t now_ms, uint16_t *len)
{
	enum dns_cookie_kind cookie;
	if (s->transport == FRONTEND_UDP && !closed_pace_take(&f->closed, now_ms))
		return VERDICT_drop_limited;
	if (cookie_parse(f, client, msg, size, &q->query, &cookie) != DNS_QUERY_OK)
		return VERDICT_drop_denied;
	memcpy(f->reply, msg, DNS_HEADER_LEN + (size_t)q->query.question_len);
	return reply_rcode(
		f, q, DNS_RCODE_SERVFAIL, DNS_EDE_NOT_READY, VERDICT_servfail_no_policy, len);
}

// A query over UDP that is over its limits, as stage_policy.c's. VERDICT_miss: may ask all the
// same.
static enum verdict settle_over_limit(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const uint8_t *msg, size_t size,
	struct frontend_question *q, uint16_t *len)
{
	const struct policy_reader *p = &f->policy.reader;
	struct limit_table *limits = f->limits;
	struct dns_cookie_terms terms;
	enum dns_cookie_kind cookie;
	unsigned version;
	uint16_t sum;

	const uint8_t *bytes = client_bytes(client, &version);

	enum dns_query_status status = cookie_parse(f, client, msg, size, &q->query, &cookie);
	if (status == DNS_QUERY_NOTIMP)
		cookie = DNS_COOKIE_NONE; // no question that it could be of use to
	if (cookie == DNS_COOKIE_GOOD && limit_take_proven(limits, version, bytes)) {
		q->proven = true;
		f->status.of[s->transport].cookies_exempt++;
		return VERDICT_miss;
	}
	publisher_cookies(f->publisher, &terms);
	bool is_bad = cookie != DNS_COOKIE_NONE && cookie != DNS_COOKIE_GOOD
		      && terms.require == DNS_COOKIE_REQUIRE_OVER_LIMIT;
	if (!limit_slips(limits, p->limit.slip) || (status != DNS_QUERY_OK && !is_bad))
		return VERDICT_drop_limited;
	memcpy(f->reply, msg, DNS_HEADER_LEN + (size_t)q->query.question_len);
	if (is_bad)
		return reply_rcode(f, q, DNS_RCODE_BADCOOKIE, DNS_EDE_NONE, VERDICT_badcookie, len);
	*len = dns_reply_truncated(f->reply, DNS_MESSAGE_MAX, &q->query, &sum);
	return VERDICT_slip_limited;
}

// As stage_policy.c, but that whoever came over TCP has proven their address. VERDICT_miss: may
// ask.
static enum verdict settle_access(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, unsigned leaf, const uint8_t *msg, size_t size,
	struct frontend_question *q, uint16_t *len)
{
	const struct policy_reader *p = &f->policy.reader;
	struct limit_table *limits = f->limits;
	enum dns_cookie_kind cookie;
	unsigned version;

	enum policy_access access = policy_access_of(leaf);
	const uint8_t *bytes = client_bytes(client, &version);
	if (access == POLICY_ASK
		|| (access == POLICY_ASK_LIMITED
			&& (s->transport != FRONTEND_UDP || limit_take(limits, version, bytes))))
		return VERDICT_miss;
	if (access != POLICY_DENIED)
		return settle_over_limit(f, s, client, msg, size, q, len);
	if (!p->refuse || cookie_parse(f, client, msg, size, &q->query, &cookie) != DNS_QUERY_OK)
		return VERDICT_drop_denied;
	memcpy(f->reply, msg, DNS_HEADER_LEN + (size_t)q->query.question_len);
	return reply_rcode(
		f, q, DNS_RCODE_REFUSED, DNS_EDE_PROHIBITED, VERDICT_refused_denied, len);
}

enum verdict frontend_settle(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const uint8_t *msg, size_t size,
	struct frontend_question *q, uint16_t *len)
{
	uint64_t now_ms = clock_mono_ms();
	struct rule_decision d = {.action = RULE_PASS};

	*len = 0;
	q->list = LOG_NO_LIST;
	q->validation = LOG_VALIDATION_NONE;
	q->group = 0;
	q->age_s = 0;
	q->proven = false;
	frontend_policy_look(&f->policy, f->publisher, now_ms);
	mapped_rules_look(&f->rules, f->publisher, now_ms);
	const struct rule_reader *rules = mapped_rules_reader(&f->rules);
	if (frontend_policy_is_closed(&f->policy))
		return settle_closed(f, s, client, msg, size, q, now_ms, len);
	unsigned leaf = frontend_policy_leaf(&f->policy, client, now_ms);
	q->group = s->group ? s->group : (uint8_t)policy_group_of(leaf);
	enum verdict v = settle_access(f, s, client, leaf, msg, size, q, len);
	if (v != VERDICT_miss)
		return v;
	enum dns_cookie_kind cookie;
	enum dns_query_status status = cookie_parse(f, client, msg, size, &q->query, &cookie);
	count_cookie(&f->status.of[s->transport], cookie);
	if (status != DNS_QUERY_SHORT)
		memcpy(f->reply, msg, DNS_HEADER_LEN + (size_t)q->query.question_len);
	q->limit = s->transport != FRONTEND_UDP ? DNS_MESSAGE_MAX : f->set.udp_reply_size;
	v = status == DNS_QUERY_NOTIMP ? frontend_notify(f, client, msg, size, q, len)
				       : VERDICT_miss;
	if (v == VERDICT_miss)
		v = settle_status(f, q, status, cookie, len);
	if (v != VERDICT_miss)
		return v;
	q->policy = frontend_policy_of(&f->policy, q->group);
	q->view = q->policy->view;
	bool all = q->policy->block_all && publisher_blocks_all(f->publisher, now_ms);
	q->blocks = publisher_blocks(f->publisher, now_ms);
	bool blocks = all || q->blocks;
	if (rules) {
		v = settle_rules(f, q, rules, blocks, &d, len);
		if (v != VERDICT_miss)
			return v;
	}
	if (!rules && publisher_closes(f->publisher, now_ms))
		return reply_rcode(f, q, DNS_RCODE_SERVFAIL, DNS_EDE_NOT_READY,
			VERDICT_servfail_no_rules, len);
	if (all && !d.allowed && !rule_decision_is_alias(&d))
		return block_all(f, q, rules, d.typed, len);
	bool is_any = q->query.qtype == DNS_TYPE_ANY && f->set.any_minimal;
	return is_any ? reply_any(f, q, len) : frontend_look_up(f, q, now_ms, len);
}

void frontend_charge(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, bool proven, uint16_t len)
{
	const struct policy_reader *p = &f->policy.reader;
	uint32_t bytes = p->limit.reply_octets;
	unsigned version;

	if (s->transport != FRONTEND_UDP || !p->has_access || bytes == 0 || len <= bytes)
		return;
	unsigned leaf = frontend_policy_leaf_of_address(&f->policy, client);
	const uint8_t *ip = client_bytes(client, &version);
	if (policy_access_of(leaf) == POLICY_ASK_LIMITED)
		limit_take_more(f->limits, version, ip, proven, limit_reply_more(len, bytes));
}
