// SPDX-License-Identifier: BSD-3-Clause
#include "list_give.h"

#include "list_name.h"

const char *const list_reject_name[LIST_REJECT_COUNT] = {
#define X(id, name, help) name,
	LIST_REJECTS(X)
#undef X
};

const char *const list_reject_all[LIST_REJECT_COUNT] = {
#define X(id, name, help) "no line is a rule; most are: " help,
	LIST_REJECTS(X)
#undef X
};

enum list_reject list_counts_most(const struct list_counts *c)
{
	enum list_reject most = 0;
	for (unsigned i = 1; i < LIST_REJECT_COUNT; i++)
		if (c->rejected[i] > c->rejected[most])
			most = i;
	return most;
}

uint64_t list_counts_rejected(const struct list_counts *c)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < LIST_REJECT_COUNT; i++)
		sum += c->rejected[i];
	return sum;
}

uint64_t list_counts_rules(const struct list_counts *c)
{
	return c->names + c->patterns + c->addresses;
}

void list_refuse(struct list_parser *p, enum list_reject why)
{
	p->counts.rejected[why]++;
	p->refused = true;
}

void list_give(struct list_parser *p, const struct list_rule *rule)
{
	if (!p->stopped)
		p->stopped = p->take(p->arg, rule);
	if (p->stopped)
		return;
	p->gave = true;
	p->counts.names += rule->what == LIST_RULE_NAME;
	p->counts.patterns += rule->what == LIST_RULE_PATTERN;
	p->counts.addresses += rule->what == LIST_RULE_ADDRESS;
}

enum rule_class list_class(const struct list_parser *p)
{
	return p->options.role == LIST_ROLE_ALLOW ? RULE_CLASS_ALLOW : RULE_CLASS_BLOCK;
}

uint32_t list_line_number(const struct list_parser *p)
{
	return p->counts.lines < UINT32_MAX ? (uint32_t)p->counts.lines : UINT32_MAX;
}

struct list_rule list_rule_make(const struct list_parser *p, enum rule_class rule_class,
	uint8_t covers, enum rule_reply reply)
{
	return (struct list_rule){
		.what = LIST_RULE_NAME,
		.kind = {.rule_class = (uint8_t)rule_class,
			.covers = covers,
			.reply = (uint8_t)reply},
		.line = list_line_number(p),
	};
}

void list_rule_answer(struct list_rule *rule, const struct ip_address *address)
{
	rule->kind.reply = RULE_REPLY_DATA;
	rule->rtype = address->version == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
	rule->rdata_len = address->version == 4 ? 4 : 16;
	rule->rdata = address->bytes;
	rule->ttl_s = LIST_REWRITE_TTL_S;
}

void list_give_name(struct list_parser *p, struct list_text text, struct list_rule *rule)
{
	struct dns_name name;
	const uint8_t covers = rule->kind.covers;
	if (list_text_starts(text, LIST_TEXT("*."))) {
		text = list_text_skip(text, 2);
		rule->kind.covers = RULE_COVERS_ALL; // in an exact list too
	}
	enum list_reject why = list_name_read(text, p->options.force, &name);
	rule->name = &name;
	if (why != LIST_REJECT_COUNT)
		list_refuse(p, why);
	else
		list_give(p, rule);
	rule->kind.covers = covers;
}
