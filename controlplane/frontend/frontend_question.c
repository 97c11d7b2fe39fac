// SPDX-License-Identifier: BSD-3-Clause
// What one message gets, by the stages of a worker: access and group, parser, rules, cache. The
// resolver answers the rest.

#include "frontend_internal.h"
#include "lists/fetch/list_notify.h"
#include "shm/publish.h"

#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/dns_query.h>
#include <weir/dns_reply.h>
#include <weir/heap_site.h>
#include <weir/rule_reply.h>

// The policy image of the workers.

// The file may be gone already: then there is a newer one, which the next look finds.
static bool map(struct frontend_policy *fp, const struct shm_paths *paths, uint64_t word)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX], detail[128] = "";
	struct region region = {0};
	struct policy_reader *reader = heap_malloc(sizeof(*reader));

	shm_name_generation(name, "policy", word >> 1);
	bool is_good =
		reader
		&& region_load(paths, (enum shm_where)(word & 1), name, REGION_POLICY, &region, why)
			   == 0
		&& policy_reader_init(
			   reader, region_data(&region), region_data_size(&region), detail)
			   == 0;
	if (is_good) {
		region_unmap(&fp->region);
		fp->region = region;
		fp->reader = *reader;
		fp->word = word;
	} else {
		region_unmap(&region);
	}
	heap_free(reader);
	return is_good;
}

void frontend_policy_look(struct frontend_policy *fp, struct publisher *publisher, uint64_t now_ms)
{
	uint64_t word = atomic_load_explicit(
		&publisher_directory(publisher)->current[REGION_POLICY], memory_order_acquire);

	if (word == fp->word || now_ms - fp->tried_ms < FRONTEND_POLICY_RETRY_MS)
		return;
	if (!map(fp, publisher_paths(publisher), word))
		fp->tried_ms = now_ms;
}

void frontend_policy_open(struct frontend_policy *fp)
{
	frontend_neighbours_open(&fp->neighbours);
}

void frontend_policy_close(struct frontend_policy *fp)
{
	frontend_neighbours_close(&fp->neighbours);
	region_unmap(&fp->region);
	fp->word = 0;
}

// The leaf of the client's address, which decides its access.
static unsigned leaf_of_address(
	const struct frontend_policy *fp, const union client_address *client)
{
	const struct policy_reader *r = &fp->reader;
	unsigned version;
	const uint8_t *bytes = client_bytes(client, &version);

	if (!policy_has_groups(r) && !r->has_access)
		return 0;
	return version == 4 ? policy_leaf_v4(r, bytes) : policy_leaf_v6(r, bytes);
}

// The client's leaf (policy.h): its group by MAC address, where groups have such, else by the
// lower half of its IPv6 address, else by IP address. An IPv4 address mapped into IPv6 counts as
// IPv4.
static unsigned leaf_of(
	struct frontend_policy *fp, const union client_address *client, uint64_t now_ms)
{
	const struct policy_reader *r = &fp->reader;
	uint8_t mac[FRONTEND_NEIGHBOUR_MAC];
	unsigned leaf = leaf_of_address(fp, client), version;
	unsigned group = policy_group_of(leaf);
	const uint8_t *bytes = client_bytes(client, &version);

	if (r->has_iids && version == 6) {
		leaf = leaf - group + policy_group_iid(r, bytes, group);
		group = policy_group_of(leaf);
	}
	if (r->has_macs && frontend_neighbour_mac(&fp->neighbours, &client->any, now_ms, mac))
		leaf = leaf - group + policy_group_mac(r, mac, group);
	return leaf;
}

static const struct policy_group *policy_of(const struct frontend_policy *fp, unsigned group)
{
	return &fp->reader.group[group & (POLICY_GROUPS_MAX - 1)];
}

static enum verdict reply_rcode(struct frontend *f, const struct frontend_question *q,
	uint16_t rcode, int ede, enum verdict v, uint16_t *len)
{
	uint16_t sum;
	*len = dns_reply_rcode(f->reply, DNS_MESSAGE_MAX, &q->query, rcode, ede, &sum);
	return v;
}

// Parses the query of a client at this address, checks its cookie, and sets the NSID of the reply.
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

// VERDICT_miss: the question is to be answered.
static enum verdict check_status(struct frontend *f, const struct frontend_question *q,
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

// What a rule decides: its verdict, with the length of its reply in *len (0: no reply is sent).
static enum verdict reply_by_rule(struct frontend *f, struct frontend_question *q,
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

// The cache, as a worker's stage_lookup.c reads it; and the marks by which resolvers see what
// clients want.

// False: the record's mask does not block the answer for this group, or an allow rule or the
// operator's own data decides the question.
static bool is_blocked(const struct frontend *f, const struct frontend_question *q,
	const struct l0_view *v, struct rule_ruling *out)
{
	const struct rule_reader *rules = mapped_rules_reader(&f->rules);
	const uint64_t *lists = q->policy->lists, *allowing = f->rules.allowing;
	struct rule_verdict of;

	if (!v->masked || !q->blocks || !rules || !rule_mask_blocks(&v->mask, allowing, lists))
		return false;
	rule_decide(rules, &q->query.name, q->query.qtype, lists, &of);
	if (rule_decision_is_last(rules, lists, &of.d))
		return false;
	out->named = of.d.matched && rule_mask_has(&v->mask, of.d.list);
	out->hash = of.hash;
	const struct rule_set by = rule_mask_lists(&v->mask, allowing, lists);
	out->d = rule_decision_checked(
		rules, &of.d, out->named, &by, v->mask.lists[0] & RULE_MASK_TYPED);
	return true;
}

// Counts the hit, and requests a renewal that is due: once, until the resolver clears the mark.
static void mark(struct frontend *f, const struct frontend_question *q, uint32_t record, bool renew)
{
	_Atomic uint8_t *mark = &f->cache.marks[record];
	const uint8_t old = atomic_load_explicit(mark, memory_order_relaxed);
	unsigned next = (old < MARK_HITS ? old + MARK_HIT : old) | MARK_VISITED;

	if (renew && !(old & MARK_REFRESH) && frontend_send(f, q, NULL))
		next |= MARK_REFRESH;
	if (next != old)
		atomic_store_explicit(mark, (uint8_t)next, memory_order_relaxed);
}

static uint16_t answer_write(
	struct frontend *f, const struct frontend_question *q, const struct l0_view *v, bool stale)
{
	struct dns_reply_opts opts = {.age_s = stale ? 0 : q->age_s,
		.ttl_cap_s = f->set.ttl_cap_s,
		.ede = DNS_EDE_NONE,
		.limit = q->limit};
	uint16_t sum;

	if (stale) {
		opts.has_ttl_fixed = true;
		opts.ttl_fixed_s = f->set.stale_ttl_s;
		opts.ede = v->answer.rcode == DNS_RCODE_NXDOMAIN ? DNS_EDE_STALE_NXDOMAIN
								 : DNS_EDE_STALE_ANSWER;
	}
	uint16_t len =
		dns_reply_answer(f->reply, DNS_MESSAGE_MAX, &q->query, &v->answer, &opts, &sum);
	if (f->set.rotate && len)
		dns_rotate(
			f->reply, len, DNS_HEADER_LEN + (size_t)q->query.question_len, f->turn++);
	return len;
}

static enum verdict answer(struct frontend *f, struct frontend_question *q, uint32_t record,
	uint64_t now_ms, uint16_t *len)
{
	struct rule_ruling ruling;
	struct l0_view v;

	if (!l0_record_read(&f->cache.l0, record, &v))
		return VERDICT_miss;
	const enum l0_age age = l0_age_of(&v, now_ms);
	const uint64_t age_ms = now_ms > v.created_ms ? now_ms - v.created_ms : 0;
	const bool stale = age == L0_SOFT_EXPIRED, stamped = age_ms < v.stale_until_ms;
	const bool takes_stale = stamped || f->set.stale_immediate || q->takes_stale;
	if (age == L0_HARD_EXPIRED || (stale && !takes_stale))
		return VERDICT_miss;
	q->age_s = (uint32_t)(age_ms / 1000);
	const bool blocked = is_blocked(f, q, &v, &ruling);
	if (blocked && ruling.d.action == RULE_RESOLVE)
		return VERDICT_miss; // the resolver carries out the rule
	const bool is_due = !stamped && (stale || age_ms >= v.refresh_ms);
	mark(f, q, record, !blocked && is_due && !q->takes_stale);
	if (blocked)
		return reply_by_rule(f, q, mapped_rules_reader(&f->rules), &ruling, len);
	q->validation = (uint8_t)resolver_log_validation(&v.answer);
	*len = answer_write(f, q, &v, stale);
	return stale ? VERDICT_hit_stale : VERDICT_hit;
}

// The answer of the cache; VERDICT_miss: the cache has no answer that may be used.
static enum verdict cache_look_up(
	struct frontend *f, struct frontend_question *q, uint64_t now_ms, uint16_t *len)
{
	const struct l0_reader *l0 = &f->cache.l0;
	enum verdict v = VERDICT_miss;
	struct l0_key key;

	l0_key_of_query(l0, &q->query, q->view, &key);
	q->resolver = l0_resolver_of(l0, key.hash);
	q->takes_stale |= publisher_resolver_hangs(f->publisher, q->resolver);
	epoch_online(&f->cache.epoch);
	uint32_t record =
		l0_find(l0, &key, l0_candidate(l0, key.hash), &f->status.record_anomalies);
	if (record != L0_NONE)
		v = answer(f, q, record, now_ms, len);
	epoch_offline(&f->cache.epoch);
	return v;
}

enum verdict frontend_settle_full(struct frontend *f, struct frontend_question *q, uint16_t *len)
{
	q->takes_stale = true;
	return cache_look_up(f, q, clock_mono_ms(), len);
}

static void make_safe(struct frontend_question *q)
{
	if (q->policy->safe_view)
		q->view = q->policy->safe_view;
}

// Applies the rules to the name. *d is their decision.
static enum verdict apply_rules(struct frontend *f, struct frontend_question *q,
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
		return reply_by_rule(f, q, rules, &ruling, len);
	if (v.d.safe && v.d.action != RULE_RESOLVE)
		make_safe(q);
	return VERDICT_miss;
}

// `typed`: a rule for some types may allow another type.
static enum verdict block_all(struct frontend *f, struct frontend_question *q,
	const struct rule_reader *rules, bool typed, uint16_t *len)
{
	const struct rule_ruling all = {.d = {.action = RULE_BLOCK,
						.reply = RULE_REPLY_GROUP,
						.rule_class = RULE_CLASS_OPERATOR_DENY,
						.typed = typed},
		.named = true};
	return reply_by_rule(f, q, rules, &all, len);
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
		return true; // the client's queries get SERVFAIL
	unsigned leaf = leaf_of_address(&f->policy, client);
	return policy_access_of(leaf) != POLICY_DENIED || (f->policy.reader.refuse && !over_tls);
}

// No policy image says which clients may ask. Over UDP few get a reply, as from a worker.
static enum verdict reply_closed(struct frontend *f, const struct frontend_session *s,
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

// Answers a query over UDP that exceeds its client's limits, as stage_policy.c does. VERDICT_miss:
// the client may ask all the same.
static enum verdict reply_over_limit(struct frontend *f, const struct frontend_session *s,
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
		cookie = DNS_COOKIE_NONE; // no question for which a cookie could help
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

// Checks access as stage_policy.c does, except that a client over TCP has proven its address.
// VERDICT_miss: the client may ask.
static enum verdict check_access(struct frontend *f, const struct frontend_session *s,
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
		return reply_over_limit(f, s, client, msg, size, q, len);
	const bool over_tls = s->transport == FRONTEND_DOT || s->transport == FRONTEND_DOH;
	if (!p->refuse || over_tls
		|| cookie_parse(f, client, msg, size, &q->query, &cookie) != DNS_QUERY_OK)
		return VERDICT_drop_denied;
	memcpy(f->reply, msg, DNS_HEADER_LEN + (size_t)q->query.question_len);
	return reply_rcode(
		f, q, DNS_RCODE_REFUSED, DNS_EDE_PROHIBITED, VERDICT_refused_denied, len);
}

// Answers a NOTIFY (RFC 1996) from a server of a policy zone, which makes the list of the zone due.
// VERDICT_miss: the message is no such NOTIFY, or no list takes NOTIFY.
static enum verdict reply_to_notify(struct frontend *f, const union client_address *client,
	const uint8_t *msg, size_t size, struct frontend_question *q, uint16_t *len)
{
	struct list_notify_message m = {.msg = msg, .len = size, .query = &q->query};
	m.client = client_bytes(client, &m.ip_version);
	return list_notify_answer(f->notify, &m, f->reply, len);
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
	q->takes_stale = false;
	frontend_policy_look(&f->policy, f->publisher, now_ms);
	mapped_rules_look(&f->rules, f->publisher, now_ms);
	const struct rule_reader *rules = mapped_rules_reader(&f->rules);
	if (frontend_policy_is_closed(&f->policy))
		return reply_closed(f, s, client, msg, size, q, now_ms, len);
	unsigned leaf = leaf_of(&f->policy, client, now_ms);
	q->group = s->group ? s->group : (uint8_t)policy_group_of(leaf);
	enum verdict v = check_access(f, s, client, leaf, msg, size, q, len);
	if (v != VERDICT_miss)
		return v;
	enum dns_cookie_kind cookie;
	enum dns_query_status status = cookie_parse(f, client, msg, size, &q->query, &cookie);
	count_cookie(&f->status.of[s->transport], cookie);
	if (status != DNS_QUERY_SHORT)
		memcpy(f->reply, msg, DNS_HEADER_LEN + (size_t)q->query.question_len);
	q->limit = s->transport != FRONTEND_UDP ? DNS_MESSAGE_MAX : f->set.udp_reply_size;
	v = status == DNS_QUERY_NOTIMP ? reply_to_notify(f, client, msg, size, q, len)
				       : VERDICT_miss;
	if (v == VERDICT_miss)
		v = check_status(f, q, status, cookie, len);
	if (v != VERDICT_miss)
		return v;
	q->policy = policy_of(&f->policy, q->group);
	q->view = q->policy->view;
	bool all = q->policy->block_all && publisher_blocks_all(f->publisher, now_ms);
	q->blocks = publisher_blocks(f->publisher, now_ms);
	bool blocks = all || q->blocks;
	if (rules) {
		v = apply_rules(f, q, rules, blocks, &d, len);
		if (v != VERDICT_miss)
			return v;
	}
	if (!rules && publisher_closes(f->publisher, now_ms))
		return reply_rcode(f, q, DNS_RCODE_SERVFAIL, DNS_EDE_NOT_READY,
			VERDICT_servfail_no_rules, len);
	if (all && !d.allowed && !rule_decision_is_alias(&d))
		return block_all(f, q, rules, d.typed, len);
	v = cache_look_up(f, q, now_ms, len);
	bool is_any = q->query.qtype == DNS_TYPE_ANY && f->set.any_minimal;
	return v == VERDICT_miss && is_any ? reply_any(f, q, len) : v;
}

void frontend_charge(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, bool proven, uint16_t len)
{
	const struct policy_reader *p = &f->policy.reader;
	uint32_t bytes = p->limit.reply_octets;
	unsigned version;

	if (s->transport != FRONTEND_UDP || !p->has_access || bytes == 0 || len <= bytes)
		return;
	unsigned leaf = leaf_of_address(&f->policy, client);
	const uint8_t *ip = client_bytes(client, &version);
	if (policy_access_of(leaf) == POLICY_ASK_LIMITED)
		limit_take_more(f->limits, version, ip, proven, limit_reply_more(len, bytes));
}
