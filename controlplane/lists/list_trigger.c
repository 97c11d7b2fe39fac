// SPDX-License-Identifier: BSD-3-Clause
#include "list_trigger.h"

#include "list_name.h"
#include "list_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <weir/ascii.h>
#include <weir/rdata_parse.h>

enum { ADDRESS_TEXT_MAX = 64 };

bool list_zone_ttl(struct list_text text, uint32_t *ttl_s)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	uint64_t sum = 0, number = 0;
	bool digits = false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = ascii_lower((uint8_t)text.at[i]);
		if (c >= '0' && c <= '9') {
			number = number * 10 + (c - '0');
			digits = true;
		} else {
			unsigned u = 0;
			while (u < ARRAY_LEN(units) && units[u].unit != (char)c)
				u++;
			if (u == ARRAY_LEN(units) || !digits)
				return false;
			sum += number * units[u].seconds;
			number = 0;
			digits = false;
		}
		if (sum + number > DNS_TTL_MAX)
			return false;
	}
	if (text.len == 0 || (number && !digits))
		return false;
	*ttl_s = (uint32_t)(sum + number);
	return true;
}

static bool read_type(struct list_text text, uint16_t *type)
{
	static const struct {
		struct list_text text;
		uint16_t type;
	} others[] = {{LIST_TEXT("SOA"), DNS_TYPE_SOA}, {LIST_TEXT("NS"), DNS_TYPE_NS},
		{LIST_TEXT("DNAME"), DNS_TYPE_DNAME}, {LIST_TEXT("RRSIG"), DNS_TYPE_RRSIG},
		{LIST_TEXT("NSEC"), DNS_TYPE_NSEC}, {LIST_TEXT("NSEC3"), DNS_TYPE_NSEC3},
		{LIST_TEXT("DNSKEY"), DNS_TYPE_DNSKEY}, {LIST_TEXT("DS"), DNS_TYPE_DS}};
	char copy[16];
	if (list_text_is(text, LIST_TEXT("CNAME"))) { // nearly all records of a list
		*type = DNS_TYPE_CNAME;
		return true;
	}
	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.at, 0, text.len))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = 0;
	if (rdata_parse_type(copy, type))
		return true;
	*type = 0;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (list_text_is(text, others[i].text))
			*type = others[i].type;
	return *type || strncasecmp(copy, "TYPE", 4) == 0;
}

bool list_record_read(struct list_text rest, struct list_record *record)
{
	for (unsigned word = 0; word < 3; word++) {
		struct list_text token = list_zone_token(&rest);
		if (read_type(token, &record->type)) {
			record->type_text = token;
			record->data = list_text_trim(rest);
			return true;
		}
		if (!list_text_is(token, LIST_TEXT("IN")) && !list_zone_ttl(token, &record->ttl_s))
			return false;
	}
	return false;
}

bool list_trigger_to_ascii(struct list_text *owner, char ascii[LIST_OWNER_TEXT_MAX])
{
	bool below = list_text_starts(*owner, LIST_TEXT("*.")), international = false;
	char name[LIST_IDN_TEXT_MAX];
	for (size_t i = 0; i < owner->len; i++)
		international = international || (uint8_t)owner->at[i] > 127;
	if (!international)
		return true;
	if (!list_name_to_ascii(list_text_skip(*owner, below ? 2 : 0), name))
		return false;
	int len = snprintf(ascii, LIST_OWNER_TEXT_MAX, "%s%s", below ? "*." : "", name);
	*owner = (struct list_text){ascii, (size_t)len};
	return true;
}

// The owner without the apex. False: it is not below it.
static bool relative_to_apex(const struct list_zone *z, struct dns_name *out)
{
	if (!dns_name_is_under(&z->owner, &z->apex))
		return false;
	*out = z->owner;
	out->len = (uint8_t)(out->len - z->apex.len + 1);
	out->labels = (uint8_t)(out->labels - z->apex.labels);
	out->wire[out->len - 1] = 0;
	return true;
}

// The last label, cut off *name, if it is one of RPZ's own.
static bool cut_marker(struct dns_name *name, const char *marker)
{
	size_t len = strlen(marker);
	const uint8_t *wire = name->wire;
	unsigned at = 0, label = 0;
	for (; wire[at]; at += 1u + wire[at])
		label = at;
	if (name->labels == 0 || wire[label] != len || memcmp(wire + label + 1, marker, len) != 0)
		return false;
	name->wire[label] = 0;
	name->len = (uint8_t)(label + 1);
	name->labels--;
	return true;
}

// `24.0.2.0.192`, `48.zz.1.db8.2001`: the prefix's length, then the address from its end on; zz
// stands for the zeros that :: does.
static bool read_address(const struct dns_name *name, struct ip_address *out)
{
	char text[ADDRESS_TEXT_MAX] = "";
	uint8_t offset[DNS_LABELS_MAX + 1];
	unsigned count = 0;
	for (unsigned at = 0; name->wire[at]; at += 1u + name->wire[at])
		offset[count++] = (uint8_t)at;
	bool v4 = count == 5;
	if (count < 2 || count > 9)
		return false;
	for (unsigned i = 1; i < count && v4; i++)
		v4 = name->wire[offset[i]] != 2 || memcmp(name->wire + offset[i] + 1, "zz", 2) != 0;
	size_t len = 0;
	bool zeros = false; // the text ends in ::
	for (unsigned i = count; i-- > 0;) {
		const uint8_t *label = name->wire + offset[i];
		bool zz = !v4 && i && label[0] == 2 && memcmp(label + 1, "zz", 2) == 0;
		const char *separator = i == 0 ? "/" : v4 ? "." : ":";
		if (i == count - 1 || (zeros && i) || zz)
			separator = zz ? "::" : "";
		if (label[0] > 4 || len + label[0] + 4u > sizeof(text))
			return false;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", separator,
			zz ? 0 : label[0], (const char *)label + 1);
		zeros = zz;
	}
	return list_prefix_read((struct list_text){text, len}, out) && out->version == (v4 ? 4 : 6);
}

static bool is_name(const struct dns_name *name, const char *wire)
{
	return name->len == strlen(wire) + 1 && memcmp(name->wire, wire, name->len) == 0;
}

// To another name: the question is answered as if it were for that one. An address has no name that
// could lead there.
static void lead_on(const struct dns_name *target, const struct list_record *record,
	struct list_rule *rule, uint8_t *rdata)
{
	if (rule->what == LIST_RULE_ADDRESS)
		return;
	rule->kind.reply = RULE_REPLY_RESOLVE;
	rule->rtype = DNS_TYPE_CNAME;
	rule->ttl_s = record->ttl_s;
	rule->rdata = memcpy(rdata, target->wire, target->len);
	rule->rdata_len = target->len;
}

// The action of a CNAME. LIST_REJECT_COUNT: it is in *rule.
static enum list_reject read_cname(const struct list_parser *p, const struct list_record *record,
	const struct dns_name *trigger, struct list_rule *rule, uint8_t *rdata)
{
	struct rule_kind *kind = &rule->kind;
	struct dns_name target;
	struct list_text rest = record->data, word = list_zone_token(&rest);
	if (list_zone_token(&rest).len || !list_zone_name(&p->zone, word, &target))
		return LIST_REJECT_ZONE_SYNTAX;
	if (is_name(&target, ""))
		kind->reply = RULE_REPLY_NXDOMAIN;
	else if (is_name(&target, "\1*"))
		kind->reply = RULE_REPLY_NODATA;
	else if (is_name(&target, "\10rpz-drop"))
		kind->reply = RULE_REPLY_DROP;
	else if (is_name(&target, "\14rpz-passthru") || dns_name_equal(&target, trigger))
		kind->rule_class = RULE_CLASS_ALLOW;
	else if (is_name(&target, "\14rpz-tcp-only"))
		return LIST_REJECT_ZONE_ACTION;
	else
		lead_on(&target, record, rule, rdata);
	return LIST_REJECT_COUNT;
}

// Is it a type of the zone itself, as its signer adds them?
static bool is_of_zone(uint16_t type)
{
	static const uint16_t types[] = {DNS_TYPE_SOA, DNS_TYPE_RRSIG, DNS_TYPE_NSEC,
		DNS_TYPE_NSEC3, DNS_TYPE_DNSKEY, DNS_TYPE_DS};
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i] == type)
			return true;
	return false;
}

static enum list_reject read_action(const struct list_parser *p, const struct list_record *record,
	const struct dns_name *trigger, struct list_rule *rule, uint8_t rdata[RDATA_PARSE_MAX])
{
	const char *ignored;
	enum list_reject why = LIST_REJECT_COUNT;
	if (record->type == DNS_TYPE_CNAME) {
		why = read_cname(p, record, trigger, rule, rdata);
	} else if (is_of_zone(record->type)) {
		why = LIST_REJECT_ZONE_ACTION;
	} else if (rule->what == LIST_RULE_ADDRESS || !*rdata_parse_type_text(record->type)) {
		// weir gives no records of that type, so the name has none.
		rule->kind.reply = RULE_REPLY_NODATA;
	} else if (rdata_parse(record->type, record->data.at, record->data.len, rdata,
			   &rule->rdata_len, &ignored)
		   != 0) {
		why = LIST_REJECT_ZONE_SYNTAX;
	} else {
		rule->kind.reply = RULE_REPLY_DATA;
		rule->rtype = record->type;
		rule->ttl_s = record->ttl_s;
		rule->rdata = rdata;
	}
	if (p->options.role == LIST_ROLE_ALLOW || rule->kind.rule_class == RULE_CLASS_ALLOW) {
		rule->kind.rule_class = RULE_CLASS_ALLOW;
		rule->kind.reply = RULE_REPLY_GROUP;
		rule->rtype = rule->rdata_len = 0;
		rule->ttl_s = 0;
		rule->rdata = NULL;
	}
	return why;
}

// A name of the zone file's may hold any bytes; a list's only those of host names.
static enum list_reject answer_policy_trigger(
	const struct list_parser *p, const struct dns_name *name)
{
	if (name->labels == 0)
		return LIST_REJECT_SINGLE_LABEL;
	return list_name_is_host(name) ? list_name_check(name, p->options.force)
				       : LIST_REJECT_CHARACTER;
}

static enum list_reject read_trigger(
	const struct list_parser *p, struct dns_name *name, struct list_rule *rule)
{
	static const char *const unsupported[] = {"rpz-client-ip", "rpz-nsip", "rpz-nsdname"};
	for (size_t i = 0; i < ARRAY_LEN(unsupported); i++)
		if (cut_marker(name, unsupported[i]))
			return LIST_REJECT_ZONE_TRIGGER;
	if (cut_marker(name, "rpz-ip")) {
		rule->what = LIST_RULE_ADDRESS;
		rule->kind.covers = RULE_COVERS_ALL;
		return read_address(name, &rule->prefix) ? LIST_REJECT_COUNT : LIST_REJECT_PREFIX;
	}
	if (name->labels && memcmp(name->wire, "\1*", 2) == 0) {
		rule->kind.covers = RULE_COVERS_BELOW;
		name->len = (uint8_t)(name->len - 2);
		name->labels--;
		memmove(name->wire, name->wire + 2, name->len);
	}
	return answer_policy_trigger(p, name);
}

void list_trigger_take(struct list_parser *p, const struct list_record *record)
{
	uint8_t rdata[RDATA_PARSE_MAX];
	struct dns_name owner, name;
	struct list_rule rule =
		list_rule_make(p, list_class(p), RULE_COVERS_SELF, RULE_REPLY_GROUP);
	if (p->options.role == LIST_ROLE_BLOCK)
		rule.kind.zone = p->options.passes_any ? RULE_ZONE_ANY : RULE_ZONE_FIRST;
	if (!relative_to_apex(&p->zone, &owner)) {
		list_refuse(p, LIST_REJECT_ZONE_OWNER);
		return;
	}
	if (owner.labels == 0)
		return;
	name = owner;
	enum list_reject why = read_trigger(p, &name, &rule);
	if (why == LIST_REJECT_COUNT)
		why = read_action(p, record, &owner, &rule, rdata);
	if (why != LIST_REJECT_COUNT) {
		list_refuse(p, why);
		return;
	}
	rule.line = record->line;
	rule.name = rule.what == LIST_RULE_NAME ? &name : NULL;
	list_give(p, &rule);
}
