// SPDX-License-Identifier: BSD-3-Clause
#include "judge.h"

#include "judge_rank.h"
#include "judge_records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/rule_data.h>

struct judge {
	struct rule_reader image;
	struct judge_rank rank;
	struct judge_patterns *patterns;
	struct judge_pattern_scratch *scratch[JUDGE_LOOPS];
	struct judge_prefixes *prefixes;
	// Of the names asked: patterns may allow what a list blocks by name. By the image, as
	// workers go by it: even if all of these patterns were refused.
	bool names_too, image_names_too; // the image's alone
	struct judge_counts counts;
};

static int patterns_open(struct judge *j)
{
	uint32_t count = j->image.pattern_count, n = 0;
	struct judge_pattern *pattern = calloc(count ? count : 1, sizeof *pattern);
	if (!pattern)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct rule_pattern p;
		if (rule_pattern_at(&j->image, i, &p))
			pattern[n++] = (struct judge_pattern){p.list, p.text, p.len};
	}
	int rc = judge_patterns_new(&j->patterns, pattern, n, NULL, &j->counts.patterns);
	free(pattern);
	for (unsigned i = 0; rc == 0 && j->patterns && i < JUDGE_LOOPS; i++)
		rc = judge_pattern_scratch_new(j->patterns, &j->scratch[i]);
	return rc;
}

static int prefixes_open(struct judge *j)
{
	uint32_t count = j->image.prefix_count, n = 0;
	struct judge_prefix *prefix = calloc(count ? count : 1, sizeof *prefix);
	if (!prefix)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct rule_prefix_row row;
		if (!rule_prefix_at(&j->image, i, &row))
			continue;
		struct judge_prefix *p = &prefix[n++];
		p->list = row.list;
		p->prefix = (struct ip_address){.version = row.version, .prefix_len = row.length};
		memcpy(p->prefix.bytes, row.bytes, sizeof p->prefix.bytes);
	}
	int rc = judge_prefixes_new(&j->prefixes, prefix, n, &j->counts.prefixes);
	free(prefix);
	return rc;
}

int judge_new(struct judge **out, const struct rule_reader *image)
{
	struct judge *j = calloc(1, sizeof *j);
	if (!j)
		return -ENOMEM;
	j->image = *image;
	judge_rank_init(&j->rank, &j->image);
	const uint64_t *allows = j->image.pattern_allows;
	j->names_too = j->image_names_too = (allows[0] | allows[1] | allows[2] | allows[3]) != 0;
	int rc = patterns_open(j);
	if (rc == 0)
		rc = prefixes_open(j);
	if (rc < 0) {
		judge_free(j);
		return rc;
	}
	*out = j;
	return 0;
}

void judge_follow(struct judge *j, const struct judge *before)
{
	j->names_too |= before && before->image_names_too;
}

void judge_free(struct judge *j)
{
	if (!j)
		return;
	for (unsigned i = 0; i < JUDGE_LOOPS; i++)
		judge_pattern_scratch_free(j->scratch[i]);
	judge_patterns_free(j->patterns);
	judge_prefixes_free(j->prefixes);
	free(j);
}

const struct judge_counts *judge_counts(const struct judge *j)
{
	return &j->counts;
}

const struct rule_reader *judge_image(const struct judge *j)
{
	return &j->image;
}

bool judge_concerns_names(const struct judge *j)
{
	return j->patterns || j->names_too;
}

const uint64_t *judge_allowing(const struct judge *j)
{
	return j->rank.allowing;
}

// One answer being judged.
struct hearing {
	const struct judge *judge;
	const struct dns_name *question;
	uint16_t qtype;
	struct rule_set addresses; // lists that hold one of those of the record
	struct judge_finding *out;
};

// Lists with a pattern for the name and the type; false: none.
static bool patterns_of(const struct judge *j, enum judge_loop loop, const struct dns_name *name,
	uint16_t qtype, struct rule_set *lists)
{
	char text[DNS_NAME_TEXT_MAX];

	*lists = (struct rule_set){{0}};
	if (!j->patterns)
		return false;
	dns_name_to_text(name, text);
	judge_patterns_match(j->patterns, j->scratch[loop], text, strlen(text), lists);
	rule_keep_types(&j->image, lists, qtype);
	return (lists->lists[0] | lists->lists[1] | lists->lists[2] | lists->lists[3]) != 0;
}

static void judge_name(const struct judge *j, enum judge_loop loop, const struct dns_name *name,
	uint16_t qtype, struct judge_finding *out)
{
	struct rule_match match[RULE_LABELS_MAX];
	struct rule_set lists;
	unsigned n = rule_matches(&j->image, name, qtype, match);
	bool has = patterns_of(j, loop, name, qtype, &lists);

	if (n || has)
		judge_rank_name(&j->rank, match, n, has ? &lists : NULL, out);
}

static void on_address(void *arg, const uint8_t *address, unsigned octets)
{
	struct hearing *h = arg;
	if (octets == 4)
		judge_prefixes_find_v4(h->judge->prefixes, address, &h->addresses);
	else
		judge_prefixes_find_v6(h->judge->prefixes, address, &h->addresses);
}

static void judge_addresses(
	struct hearing *h, const struct judge_records *r, const struct judge_record *record)
{
	struct rule_match match[RULE_LABELS_MAX];

	h->addresses = (struct rule_set){{0}};
	judge_record_addresses(r, record, on_address, h);
	const uint64_t *lists = h->addresses.lists;
	if (!(lists[0] | lists[1] | lists[2] | lists[3]))
		return;
	unsigned n = rule_matches(&h->judge->image, h->question, h->qtype, match);
	judge_rank_address(&h->judge->rank, match, n, &h->addresses, h->out);
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

bool judge_concerns(const struct judge *j, const struct dns_answer_view *answer)
{
	static const struct dns_name root = {.len = 1}; // no name is read
	struct judge_records r = judge_records_of(&root, answer);
	struct judge_record record;

	if (judge_concerns_names(j))
		return true;
	while (judge_records_next(&r, &record))
		if (leads_on(record.type) || (j->prefixes && has_address(record.type)))
			return true;
	return false;
}

void judge_question(const struct judge *j, enum judge_loop loop, const struct dns_name *name,
	uint16_t qtype, struct judge_finding *out)
{
	struct rule_set lists;

	out->count = 0;
	if (j->names_too)
		judge_name(j, loop, name, qtype, out);
	else if (patterns_of(j, loop, name, qtype, &lists))
		judge_rank_patterns(&j->rank, &lists, out);
}

void judge_answer(const struct judge *j, enum judge_loop loop, const struct dns_name *question,
	uint16_t qtype, const struct dns_answer_view *answer, struct judge_finding *out)
{
	struct hearing h = {.judge = j, .question = question, .qtype = qtype, .out = out};
	struct judge_records r = judge_records_of(question, answer);
	struct judge_record record;
	struct dns_name target;

	judge_question(j, loop, question, qtype, out);
	while (judge_records_next(&r, &record)) {
		if (leads_on(record.type) && judge_record_target(&r, &record, &target))
			judge_name(j, loop, &target, qtype, out);
		if (j->prefixes && has_address(record.type))
			judge_addresses(&h, &r, &record);
	}
}

bool judge_allows(const struct judge *j, const struct dns_name *question, uint16_t qtype,
	const uint64_t group_lists[4])
{
	struct rule_verdict v;
	rule_decide(&j->image, question, qtype, group_lists, &v);
	return v.d.allowed || (v.d.matched && v.d.rule_class == RULE_CLASS_LOCAL);
}
