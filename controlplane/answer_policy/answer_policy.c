// SPDX-License-Identifier: BSD-3-Clause
#include "answer_policy.h"

#include "answer_rank.h"
#include "answer_records.h"
#include "base/nat64.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/policy.h>
#include <weir/rule_data.h>
#include <weir/rule_reply.h>

struct answer_policy {
	struct rule_reader image;
	struct answer_rank rank;
	struct answer_patterns *patterns;
	struct answer_pattern_scratch *scratch[ANSWER_POLICY_LOOPS];
	struct answer_prefixes *prefixes;
	// The names of questions need a check, too: patterns may allow what a list blocks by name,
	// or it leads elsewhere. The image decides, as for workers: even if all of these patterns
	// were refused.
	bool names_too, image_names_too; // the image's alone
	struct answer_policy_counts counts;
};

static bool is_own(const struct answer_policy *j, unsigned list)
{
	static const uint8_t own[] = {
		RULE_CLASS_OPERATOR_DENY, RULE_CLASS_OPERATOR_ALLOW, RULE_CLASS_LOCAL};
	uint64_t in = 0;

	for (unsigned i = 0; i < ARRAY_LEN(own); i++)
		in |= j->image.of_class[own[i]][list / 64] >> list % 64;
	return in & 1;
}

static int patterns_open(struct answer_policy *j, unsigned loops)
{
	uint32_t count = j->image.pattern_count, n = 0;
	struct answer_pattern *pattern = heap_calloc(count ? count : 1, sizeof(*pattern));
	if (!pattern)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct rule_pattern p;
		if (rule_pattern_at(&j->image, i, &p))
			pattern[n++] = (struct answer_pattern){
				p.list, p.text, p.len, is_own(j, p.list), p.inverts};
	}
	int rc = answer_patterns_new(&j->patterns, pattern, n, NULL, &j->counts.patterns);
	heap_free(pattern);
	for (unsigned i = 0; rc == 0 && j->patterns && i < loops; i++)
		rc = answer_pattern_scratch_new(j->patterns, &j->scratch[i]);
	return rc;
}

static int prefixes_open(struct answer_policy *j)
{
	uint32_t count = j->image.prefix_count, n = 0;
	struct answer_prefix *prefix = heap_calloc(count ? count : 1, sizeof(*prefix));
	if (!prefix)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct rule_prefix_row row;
		if (!rule_prefix_at(&j->image, i, &row))
			continue;
		struct answer_prefix *p = &prefix[n++];
		p->list = row.list;
		p->prefix = (struct ip_address){.version = row.version, .prefix_len = row.length};
		memcpy(p->prefix.bytes, row.bytes, sizeof(p->prefix.bytes));
	}
	int rc = answer_prefixes_new(&j->prefixes, prefix, n, &j->counts.prefixes);
	heap_free(prefix);
	return rc;
}

int answer_policy_new(
	struct answer_policy **out, const struct rule_reader *image, unsigned resolvers)
{
	struct answer_policy *j = heap_calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->image = *image;
	answer_rank_init(&j->rank, &j->image);
	uint64_t left_to_us = 0;
	for (unsigned w = 0; w < 4; w++)
		left_to_us |= j->image.pattern_allows[w] | j->image.leads[w];
	j->names_too = j->image_names_too = left_to_us != 0;
	int rc = patterns_open(j, ANSWER_POLICY_ON_RESOLVER + resolvers);
	if (rc == 0)
		rc = prefixes_open(j);
	if (rc < 0) {
		answer_policy_free(j);
		return rc;
	}
	*out = j;
	return 0;
}

void answer_policy_follow(struct answer_policy *j, const struct answer_policy *before)
{
	j->names_too |= before && before->image_names_too;
}

void answer_policy_free(struct answer_policy *j)
{
	if (!j)
		return;
	for (unsigned i = 0; i < ANSWER_POLICY_LOOPS; i++)
		answer_pattern_scratch_free(j->scratch[i]);
	answer_patterns_free(j->patterns);
	answer_prefixes_free(j->prefixes);
	heap_free(j);
}

const struct answer_policy_counts *answer_policy_counts(const struct answer_policy *j)
{
	return &j->counts;
}

bool answer_policy_concerns_names(const struct answer_policy *j)
{
	return j->patterns || j->names_too;
}

const uint64_t *answer_policy_allowing(const struct answer_policy *j)
{
	return j->rank.allowing;
}

// One answer being checked.
struct hearing {
	const struct answer_policy *answer_policy;
	const struct dns_name *question;
	uint16_t qtype;
	const struct ip_address *nat64;
	unsigned targets;          // names that it leads to, so far
	struct rule_set addresses; // lists that hold one of those of the record
	struct rule_set taken;     // lists of addresses that do not count for the question
	bool has_taken;            // that is known
	struct answer_match led;   // what the names and addresses of the answer match
};

// Lists with a pattern for the name and the type; false if no list has one. *typed becomes true
// where some are for other types.
static bool patterns_of(const struct answer_policy *j, enum answer_policy_loop loop,
	const struct dns_name *name, uint16_t qtype, struct rule_set *lists, bool *typed)
{
	char text[DNS_NAME_TEXT_MAX];

	*lists = (struct rule_set){{0}};
	if (!j->patterns)
		return false;
	dns_name_to_text(name, text);
	answer_patterns_match(j->patterns, j->scratch[loop], text, strlen(text), lists);
	*typed |= rule_has_typed(&j->image, lists);
	rule_keep_types(&j->image, lists, qtype);
	return (lists->lists[0] | lists->lists[1] | lists->lists[2] | lists->lists[3]) != 0;
}

static void rank(const struct answer_policy *j, const struct dns_name *name, uint16_t qtype,
	const struct rule_set *patterns, struct answer_match *out)
{
	struct rule_match match[RULE_LABELS_MAX];
	const unsigned n = rule_matches(&j->image, name, qtype, match);

	if (n || !answer_set_empty(patterns))
		answer_rank_name(&j->rank, match, n, patterns, out);
	if (out->count && !out->typed)
		out->typed = rule_name_is_typed(&j->image, name);
}

static void answer_policy_name(const struct answer_policy *j, enum answer_policy_loop loop,
	const struct dns_name *name, uint16_t qtype, struct answer_match *out)
{
	struct rule_set patterns;

	(void)patterns_of(j, loop, name, qtype, &patterns, &out->typed);
	rank(j, name, qtype, &patterns, out);
}

static void answer_policy_target(
	struct hearing *h, enum answer_policy_loop loop, const struct dns_name *target)
{
	static const struct rule_set none;
	const struct answer_policy *j = h->answer_policy;

	if (h->targets++ < ANSWER_TARGETS_MAX)
		answer_policy_name(j, loop, target, h->qtype, &h->led);
	else
		rank(j, target, h->qtype, &none, &h->led);
}

static void on_address(void *arg, const uint8_t *address, unsigned bytes)
{
	struct hearing *h = arg;
	const struct answer_prefixes *prefixes = h->answer_policy->prefixes;
	uint8_t ipv4[4];

	if (bytes == 4) {
		answer_prefixes_find_v4(prefixes, address, &h->addresses);
		return;
	}
	answer_prefixes_find_v6(prefixes, address, &h->addresses);
	if (h->nat64 && h->nat64->version && nat64_extract(h->nat64, address, ipv4))
		answer_prefixes_find_v4(prefixes, ipv4, &h->addresses);
}

static void answer_policy_addresses(
	struct hearing *h, const struct answer_records *r, const struct answer_record *record)
{
	const struct answer_policy *j = h->answer_policy;
	struct rule_match match[RULE_LABELS_MAX];

	h->addresses = (struct rule_set){{0}};
	answer_record_addresses(r, record, on_address, h);
	if (answer_set_empty(&h->addresses))
		return;
	if (!h->has_taken)
		answer_rank_taken(&j->rank, match,
			rule_matches(&j->image, h->question, h->qtype, match), &h->taken);
	h->has_taken = true;
	for (unsigned w = 0; w < 4; w++)
		h->addresses.lists[w] &= ~h->taken.lists[w];
	h->led.typed = true; // the rule is for one type
	answer_rank_address(&j->rank, &h->addresses, &h->led);
}

static bool leads_on(uint16_t type)
{
	return type == DNS_TYPE_CNAME || type == DNS_TYPE_HTTPS || type == DNS_TYPE_SVCB;
}

static bool has_address(uint16_t type)
{
	return type == DNS_TYPE_A || type == DNS_TYPE_AAAA || type == DNS_TYPE_HTTPS
	       || type == DNS_TYPE_SVCB;
}

bool answer_policy_concerns(const struct answer_policy *j, const struct dns_answer_view *answer)
{
	static const struct dns_name root = {.len = 1}; // no name is read
	struct answer_records r = answer_records_of(&root, answer);
	struct answer_record record;

	if (answer_policy_concerns_names(j))
		return true;
	while (answer_records_next(&r, &record))
		if (leads_on(record.type) || (j->prefixes && has_address(record.type)))
			return true;
	return false;
}

void answer_policy_question(const struct answer_policy *j, enum answer_policy_loop loop,
	const struct dns_name *name, uint16_t qtype, struct answer_match *out)
{
	struct rule_match match[RULE_LABELS_MAX];
	struct rule_set lists;

	out->count = 0;
	out->typed = out->cut = false;
	if (j->names_too)
		answer_policy_name(j, loop, name, qtype, out);
	else if (patterns_of(j, loop, name, qtype, &lists, &out->typed))
		answer_rank_patterns(
			&j->rank, match, rule_matches(&j->image, name, qtype, match), &lists, out);
}

// Groups with a list that allows the question skip what its answer leads to. Where patterns may
// block such a question all the same, they are looked up, and the clauses say so.
static void join_led(const struct hearing *h, struct answer_match *out)
{
	const struct rule_reader *image = &h->answer_policy->image;
	struct rule_match match[RULE_LABELS_MAX];
	struct rule_set allows = {{0}};

	if (h->led.count && rule_patterns_insist(image))
		for (unsigned n = rule_matches(image, h->question, h->qtype, match); n; n--)
			for (unsigned w = 0; w < 4; w++)
				allows.lists[w] |=
					match[n - 1].set.lists[w]
					& (image->of_class[RULE_CLASS_ALLOW][w]
						| image->of_class[RULE_CLASS_IMPORTANT_ALLOW][w]);
	// An alias is one for all types; where a service is, only its own records say.
	if (h->led.count)
		out->typed |=
			h->led.typed || h->qtype == DNS_TYPE_HTTPS || h->qtype == DNS_TYPE_SVCB;
	for (unsigned i = 0; i < h->led.count; i++) {
		struct answer_policy_clause c = h->led.clause[i];
		answer_set_join(&c.unless, &allows);
		answer_match_add(out, &c.block, &c.unless);
	}
}

void answer_policy_answer(const struct answer_policy *j, enum answer_policy_loop loop,
	const struct dns_name *question, uint16_t qtype, const struct dns_answer_view *answer,
	const struct ip_address *nat64, struct answer_match *out)
{
	struct hearing h = {
		.answer_policy = j, .question = question, .qtype = qtype, .nat64 = nat64};
	struct answer_records r = answer_records_of(question, answer);
	struct answer_record record;
	struct dns_name target;

	answer_policy_question(j, loop, question, qtype, out);
	while (answer_records_next(&r, &record)) {
		if (leads_on(record.type) && answer_record_target(&r, &record, &target))
			answer_policy_target(&h, loop, &target);
		if (j->prefixes && has_address(record.type))
			answer_policy_addresses(&h, &r, &record);
	}
	join_led(&h, out);
	out->cut = j->patterns && h.targets > ANSWER_TARGETS_MAX;
}

bool answer_policy_knows_local(
	const struct answer_policy *j, const struct dns_name *name, uint16_t qtype)
{
	struct rule_verdict v;
	rule_decide(&j->image, name, qtype, j->image.of_class[RULE_CLASS_LOCAL], &v);
	return v.d.matched;
}

static bool local_decides(const struct answer_policy *j, const struct dns_name *name,
	uint16_t qtype, const uint64_t group_lists[4], struct rule_verdict *v)
{
	uint64_t lists[4];
	for (unsigned w = 0; w < 4; w++)
		lists[w] = group_lists[w] & j->image.local[w];
	rule_decide(&j->image, name, qtype, lists, v);
	return v->d.matched && (v->d.action == RULE_DATA || v->d.action == RULE_BLOCK);
}

bool answer_policy_is_local(const struct answer_policy *j, const struct dns_name *name,
	uint16_t qtype, const uint64_t group_lists[4])
{
	struct rule_verdict v;
	return local_decides(j, name, qtype, group_lists, &v);
}

uint16_t answer_policy_local(const struct answer_policy *j, const struct dns_query *q,
	const struct policy_group *group, uint8_t *msg, size_t cap)
{
	struct rule_verdict v;
	uint16_t sum;
	if (!local_decides(j, &q->name, q->qtype, group->lists, &v))
		return 0;
	const struct rule_reply_opts o = {
		.block = &group->block, .hash = v.hash, .limit = DNS_MESSAGE_MAX};
	return rule_reply_write(msg, cap, q, &j->image, &v.d, &o, &sum);
}

bool answer_policy_blocks(const struct answer_policy *j, const struct answer_match *finding,
	const struct dns_name *question, uint16_t qtype, const uint64_t group_lists[4],
	struct rule_ruling *out)
{
	struct rule_verdict v;
	struct rule_set by;

	if (!answer_match_lists(finding, group_lists, &by))
		return false;
	rule_decide(&j->image, question, qtype, group_lists, &v);
	if (rule_decision_is_last(&j->image, group_lists, &v.d))
		return false;
	out->named = v.d.matched && answer_match_has(finding, v.d.list, group_lists);
	out->hash = v.hash;
	out->d = rule_decision_checked(&j->image, &v.d, out->named, &by, finding->typed);
	return true;
}

// The target of a wildcard, `*.garden.`, begins with the name itself.
static bool target_expand(const struct dns_name *name, struct dns_name *target)
{
	uint8_t wire[2 * DNS_NAME_MAX];
	const size_t front = name->len - 1U;

	if (target->labels < 2 || memcmp(target->wire, "\1*", 2) != 0)
		return true;
	memcpy(wire, name->wire, front);
	memcpy(wire + front, target->wire + 2, target->len - 2U);
	struct rd rd = rd_init(wire, front + target->len - 2U);
	return dns_name_read(&rd, target) == 0;
}

bool answer_policy_lead(const struct answer_policy *j, const struct rule_ruling *ruling,
	const struct dns_name *name, struct dns_alias *out)
{
	struct dns_answer_view v;
	struct answer_record record;

	if (!ruling->named || ruling->d.action != RULE_RESOLVE
		|| !rule_data_find(&j->image, ruling->hash, ruling->d.list, DNS_TYPE_CNAME, &v))
		return false;
	struct answer_records records = answer_records_of(name, &v);
	if (!answer_records_next(&records, &record) || record.type != DNS_TYPE_CNAME
		|| !answer_record_target(&records, &record, &out->target)
		|| !target_expand(name, &out->target))
		return false;
	memcpy(out->spelling, out->target.wire, out->target.len);
	out->ttl_s = get_u32(v.bytes + record.rdata - 6);
	return true;
}

uint16_t answer_policy_reply(const struct answer_policy *j, const struct rule_ruling *ruling,
	uint8_t *msg, size_t cap, const struct dns_query *q, const struct rule_reply_opts *opts,
	uint16_t *sum)
{
	struct rule_reply_opts o = *opts;

	o.hash = ruling->hash;
	return rule_reply_write(msg, cap, q, &j->image, &ruling->d, &o, sum);
}
