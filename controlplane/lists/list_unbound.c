// SPDX-License-Identifier: BSD-3-Clause

// unbound's options as lists use them (unbound.conf(5)): local-zone and local-data, one a line,
// behind `server:` or not.

#include "list_name.h"
#include "list_parse.h"
#include "list_trigger.h"

#include <weir/rdata_parse.h>

// The first word without its colon; of len 0: the line does not begin as an option does.
static struct list_text cut_option(struct list_text *line)
{
	size_t i = 0;
	while (i < line->len && ((line->at[i] >= 'a' && line->at[i] <= 'z') || line->at[i] == '-'))
		i++;
	if (i == 0 || i == line->len || line->at[i] != ':')
		return (struct list_text){0};
	const struct list_text option = {line->at, i}, rest = list_text_skip(*line, i + 1);
	if (rest.len && !list_is_blank(rest.at[0]) && rest.at[0] != '"' && rest.at[0] != '\'')
		return (struct list_text){0};
	*line = list_text_trim(rest);
	return option;
}

bool list_unbound_is(struct list_text line)
{
	return cut_option(&line).len > 0;
}

// The next value, in quotes or a word. False: there is no value, or its quote does not end.
static bool cut_value(struct list_text *rest, struct list_text *out)
{
	*rest = list_text_trim(*rest);
	if (rest->len == 0)
		return false;
	const char quote = rest->at[0];
	if (quote != '"' && quote != '\'') {
		*out = list_text_word(rest);
		return true;
	}
	*rest = list_text_skip(*rest, 1);
	const char *end = rest->len ? memchr(rest->at, quote, rest->len) : NULL;
	if (!end)
		return false;
	*out = (struct list_text){rest->at, (size_t)(end - rest->at)};
	*rest = list_text_skip(*rest, out->len + 1);
	return true;
}

static const struct zone_type {
	struct list_text word;
	enum rule_reply reply;
	bool passes;    // names below it are answered as if no zone above it were there
	bool redirects; // data of the zone's name are those of all names below it
	uint16_t rtype; // that it is for; 0: for all
} zone_types[] = {
	{.word = LIST_TEXT("always_nxdomain"), .reply = RULE_REPLY_NXDOMAIN},
	{.word = LIST_TEXT("static"), .reply = RULE_REPLY_NXDOMAIN},
	{.word = LIST_TEXT("always_nodata"), .reply = RULE_REPLY_NODATA},
	{.word = LIST_TEXT("always_null"), .reply = RULE_REPLY_NULL},
	{.word = LIST_TEXT("always_refuse"), .reply = RULE_REPLY_REFUSED},
	{.word = LIST_TEXT("refuse"), .reply = RULE_REPLY_REFUSED},
	{.word = LIST_TEXT("always_deny"), .reply = RULE_REPLY_DROP},
	{.word = LIST_TEXT("deny"), .reply = RULE_REPLY_DROP},
	{.word = LIST_TEXT("inform_deny"), .reply = RULE_REPLY_DROP},
	{.word = LIST_TEXT("redirect"), .redirects = true},
	{.word = LIST_TEXT("inform_redirect"), .redirects = true},
	{.word = LIST_TEXT("block_a"), .reply = RULE_REPLY_NODATA, .rtype = DNS_TYPE_A},
	{.word = LIST_TEXT("transparent"), .passes = true},
	{.word = LIST_TEXT("typetransparent"), .passes = true},
	{.word = LIST_TEXT("always_transparent"), .passes = true},
	{.word = LIST_TEXT("inform"), .passes = true},
};

static const struct zone_type *zone_type_find(struct list_text word)
{
	for (size_t i = 0; i < ARRAY_LEN(zone_types); i++)
		if (list_text_is(word, zone_types[i].word))
			return &zone_types[i];
	return NULL;
}

static bool allows(const struct list_parser *p)
{
	return p->options.role == LIST_ROLE_ALLOW;
}

static enum list_reject take_zone(struct list_parser *p, struct list_text value)
{
	struct list_text text, word;
	struct dns_name name;
	if (!cut_value(&value, &text) || !cut_value(&value, &word) || list_text_trim(value).len)
		return LIST_REJECT_UNBOUND;
	const struct zone_type *type = zone_type_find(word);
	if (!type || (type->passes && allows(p)))
		return LIST_REJECT_UNBOUND;
	const enum list_reject why = list_name_read(text, p->options.force, &name);
	if (why != LIST_REJECT_COUNT)
		return why;
	if (type->redirects)
		p->redirect = name;
	struct list_rule rule = list_rule_make(p, type->passes ? RULE_CLASS_EXCEPT : list_class(p),
		RULE_COVERS_ALL, allows(p) ? RULE_REPLY_GROUP : type->reply);
	rule.name = &name;
	rule.kind.types.count = type->rtype != 0;
	rule.kind.types.type[0] = type->rtype;
	list_give(p, &rule);
	return LIST_REJECT_COUNT;
}

struct data {
	uint16_t type, rdata_len;
	uint32_t ttl_s;
	uint8_t rdata[RDATA_PARSE_MAX];
};

// `[TTL] [IN] TYPE DATA`, behind the name.
static bool read_data(struct list_text rest, struct data *out)
{
	const char *ignored;
	struct dns_name target;
	struct list_record record = {.ttl_s = LIST_REWRITE_TTL_S};
	if (!list_record_read(rest, &record))
		return false;
	const struct list_text text = record.data;
	out->type = record.type;
	out->ttl_s = record.ttl_s;
	if (out->type != DNS_TYPE_CNAME)
		return rdata_parse(
			       out->type, text.at, text.len, out->rdata, &out->rdata_len, &ignored)
		       == 0;
	if (list_name_read(text, true, &target) != LIST_REJECT_COUNT)
		return false;
	out->rdata_len = target.len;
	memcpy(out->rdata, target.wire, target.len);
	return true;
}

// An address by which hosts files block.
static bool is_sink(const struct data *d)
{
	static const uint8_t none[16], own[16] = {[15] = 1};
	if (d->type == DNS_TYPE_A)
		return memcmp(d->rdata, none, 4) == 0 || d->rdata[0] == 127;
	return d->type == DNS_TYPE_AAAA
	       && (memcmp(d->rdata, none, 16) == 0 || memcmp(d->rdata, own, 16) == 0);
}

// The record is the name's alone, as unbound has it without a zone for the name; names below have
// it too where the zone that came last redirects them.
static enum list_reject take_data(struct list_parser *p, struct list_text value)
{
	struct list_text text;
	struct dns_name name;
	struct data data;
	if (!cut_value(&value, &text) || list_text_trim(value).len)
		return LIST_REJECT_UNBOUND;
	const struct list_text owner = list_text_word(&text);
	const enum list_reject why = list_name_read(owner, p->options.force, &name);
	if (why != LIST_REJECT_COUNT)
		return why;
	if (!read_data(text, &data))
		return LIST_REJECT_UNBOUND;
	const bool redirects = p->redirect.len && dns_name_equal(&p->redirect, &name);
	struct list_rule rule = list_rule_make(
		p, list_class(p), redirects ? RULE_COVERS_ALL : RULE_COVERS_SELF, RULE_REPLY_GROUP);
	rule.name = &name;
	if (!allows(p) && !is_sink(&data)) {
		rule.kind.reply =
			data.type == DNS_TYPE_CNAME ? RULE_REPLY_RESOLVE : RULE_REPLY_DATA;
		rule.rtype = data.type;
		rule.rdata = data.rdata;
		rule.rdata_len = data.rdata_len;
		rule.ttl_s = data.ttl_s;
	}
	list_give(p, &rule);
	return LIST_REJECT_COUNT;
}

void list_unbound_line(struct list_parser *p, struct list_text line)
{
	enum list_reject why = LIST_REJECT_UNBOUND;
	struct list_text option = cut_option(&line);
	if (list_text_is(option, LIST_TEXT("server"))) {
		p->in_view = false;
		if (line.len == 0)
			return;
		option = cut_option(&line);
	}
	p->in_view = p->in_view || list_text_is(option, LIST_TEXT("view"));
	if (!p->in_view && list_text_is(option, LIST_TEXT("local-zone")))
		why = take_zone(p, line);
	else if (!p->in_view && list_text_is(option, LIST_TEXT("local-data")))
		why = take_data(p, line);
	if (why != LIST_REJECT_COUNT)
		list_refuse(p, why);
}
