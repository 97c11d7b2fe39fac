// SPDX-License-Identifier: BSD-3-Clause
#include "list_modifier.h"

#include "list_name.h"

enum { TYPE_TEXT_MAX = 16 };

static bool read_type(struct list_text text, uint16_t *type)
{
	char copy[TYPE_TEXT_MAX];
	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.at, 0, text.len))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = 0;
	static const struct {
		struct list_text text;
		uint16_t type;
	} others[] = {{LIST_TEXT("NS"), DNS_TYPE_NS}, {LIST_TEXT("SOA"), DNS_TYPE_SOA},
		{LIST_TEXT("ANY"), DNS_TYPE_ANY}, {LIST_TEXT("DNAME"), DNS_TYPE_DNAME},
		{LIST_TEXT("DS"), DNS_TYPE_DS}, {LIST_TEXT("DNSKEY"), DNS_TYPE_DNSKEY}};
	if (rdata_parse_type(copy, type))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (list_text_is(text, others[i].text)) {
			*type = others[i].type;
			return true;
		}
	}
	return false;
}

// In order and each once, so that two rules for the same types are of one kind. False: full.
static bool add_type(struct rule_types *types, uint16_t type)
{
	unsigned at = 0;
	while (at < types->count && types->type[at] < type)
		at++;
	if (at < types->count && types->type[at] == type)
		return true;
	if (types->count == RULE_TYPES_MAX)
		return false;
	memmove(types->type + at + 1, types->type + at,
		(types->count - at) * sizeof(types->type[0]));
	types->type[at] = type;
	types->count++;
	return true;
}

// `A|AAAA` or `~A|~CNAME`; of both together the meaning is not clear.
static enum list_reject read_types(struct list_text value, struct rule_types *out)
{
	struct rule_types types = {.except = value.len && value.at[0] == '~'};
	while (value.at) {
		struct list_text word = list_text_cut(&value, '|');
		bool except = word.len && word.at[0] == '~';
		uint16_t type;
		if (except)
			word = list_text_skip(word, 1);
		if (except != types.except || !read_type(word, &type) || !add_type(&types, type))
			return LIST_REJECT_MODIFIER;
	}
	*out = types;
	return types.count ? LIST_REJECT_COUNT : LIST_REJECT_MODIFIER;
}

// One group by its name. Addresses and MACs are no groups, and a rule for all but one has no mask.
static enum list_reject read_client(struct list_text value, char out[RULE_CLIENT_MAX])
{
	if (value.len >= 2 && (value.at[0] == '\'' || value.at[0] == '"')
		&& value.at[value.len - 1] == value.at[0])
		value = (struct list_text){value.at + 1, value.len - 2};
	struct list_text address = value;
	if (value.len == 0 || value.len >= RULE_CLIENT_MAX || list_text_has_any(value, "|~:/\\'\"")
		|| list_text_is_address(list_text_cut(&address, '/')))
		return LIST_REJECT_CLIENT;
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] < 0x21 || value.at[i] > 0x7e)
			return LIST_REJECT_CLIENT;
	memset(out, 0, RULE_CLIENT_MAX);
	memcpy(out, value.at, value.len);
	return LIST_REJECT_COUNT;
}

// An error that weir gives for no name: the group's reply.
static bool is_error(struct list_text word)
{
	for (size_t i = 0; i < word.len; i++)
		if (word.at[i] < 'A' || word.at[i] > 'Z')
			return false;
	return word.len > 0;
}

// The question is answered as if it were for that name.
static enum list_reject rewrite_name(struct list_text value, struct list_modifiers *m)
{
	struct dns_name name;
	if (list_name_read(value, true, &name) != LIST_REJECT_COUNT)
		return LIST_REJECT_REWRITE;
	m->reply = RULE_REPLY_RESOLVE;
	m->rtype = DNS_TYPE_CNAME;
	m->rdata_len = name.len;
	memcpy(m->rdata, name.wire, name.len);
	return LIST_REJECT_COUNT;
}

static enum list_reject rewrite_address(struct list_text value, struct list_modifiers *m)
{
	struct ip_address a;
	if (memchr(value.at, '/', value.len))
		return LIST_REJECT_REWRITE;
	if (!list_prefix_read(value, &a))
		return rewrite_name(value, m);
	m->reply = RULE_REPLY_DATA;
	m->rtype = a.version == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
	m->rdata_len = a.version == 4 ? 4 : 16;
	memcpy(m->rdata, a.bytes, m->rdata_len);
	return LIST_REJECT_COUNT;
}

static enum list_reject rewrite_record(
	struct list_text type_text, struct list_text value, struct list_modifiers *m)
{
	const char *ignored;
	uint16_t type;
	if (!read_type(type_text, &type))
		return LIST_REJECT_REWRITE;
	if (type == DNS_TYPE_CNAME)
		return rewrite_name(value, m);
	if (!*rdata_parse_type_text(type)
		|| rdata_parse(type, value.at, value.len, m->rdata, &m->rdata_len, &ignored) != 0)
		return LIST_REJECT_REWRITE;
	m->reply = RULE_REPLY_DATA;
	m->rtype = type;
	return LIST_REJECT_COUNT;
}

// `NXDOMAIN`, `192.0.2.1`, `NOERROR;A;192.0.2.1`, `other.example`, `NOERROR;CNAME;other.example`.
static enum list_reject read_rewrite(struct list_text value, struct list_modifiers *m)
{
	struct list_text rest = value, rcode = list_text_cut(&rest, ';');
	bool short_form = !rest.at;
	struct list_text type = list_text_cut(&rest, ';');
	bool empty = type.len == 0 && rest.len == 0;
	m->rewrites = true;
	if (value.len == 0)
		return LIST_REJECT_REWRITE;
	if (empty && list_text_is(rcode, LIST_TEXT("NXDOMAIN")))
		m->reply = RULE_REPLY_NXDOMAIN;
	else if (empty && list_text_is(rcode, LIST_TEXT("REFUSED")))
		m->reply = RULE_REPLY_REFUSED;
	else if (empty && list_text_is(rcode, LIST_TEXT("NOERROR")))
		m->reply = RULE_REPLY_NODATA;
	else if (empty && is_error(rcode))
		return LIST_REJECT_COUNT;
	else if (short_form)
		return rewrite_address(value, m);
	else if (list_text_is(rcode, LIST_TEXT("NOERROR")) && rest.len)
		return rewrite_record(type, rest, m);
	else
		return LIST_REJECT_REWRITE;
	return LIST_REJECT_COUNT;
}

static enum list_reject read_one(struct list_text option, struct list_modifiers *m)
{
	struct list_text value = option, key = list_text_cut(&value, '=');
	if (list_text_is(key, LIST_TEXT("important")) && !value.at) {
		m->important = true;
		return LIST_REJECT_COUNT;
	}
	if (list_text_is(key, LIST_TEXT("dnstype")))
		return read_types(value, &m->types);
	if (list_text_is(key, LIST_TEXT("client")))
		return read_client(value, m->client);
	if (list_text_is(key, LIST_TEXT("dnsrewrite")))
		return read_rewrite(value, m);
	if (list_text_is(key, LIST_TEXT("denyallow")) && value.len && !m->except.len) {
		m->except = value;
		return LIST_REJECT_COUNT;
	}
	return LIST_REJECT_MODIFIER;
}

enum list_reject list_modifiers_read(struct list_text options, struct list_modifiers *out)
{
	enum list_reject why = LIST_REJECT_COUNT;
	out->important = out->rewrites = false;
	out->except = (struct list_text){0};
	out->types = (struct rule_types){0};
	memset(out->client, 0, sizeof(out->client));
	out->reply = RULE_REPLY_GROUP;
	out->rtype = out->rdata_len = 0;
	while (options.at && why == LIST_REJECT_COUNT)
		why = read_one(list_text_cut(&options, ','), out);
	return why;
}
