// SPDX-License-Identifier: BSD-3-Clause
#include "list_zone.h"

#include "list_name.h"
#include "list_parse.h"
#include "list_trigger.h"

enum { ZONE_TTL_S = 300 }; // records before any $TTL have this

void list_zone_begin(struct list_zone *z, bool on)
{
	static const struct dns_name root = {.len = 1};
	z->on = on;
	z->has_origin = z->has_apex = z->has_owner = false;
	z->origin = z->apex = root;
	z->ttl_s = ZONE_TTL_S;
	list_zone_drop(z);
}

void list_zone_drop(struct list_zone *z)
{
	z->parentheses = 0;
	z->quoted = false;
	z->lines = 0;
	z->record_len = 0;
}

// Does it end in a dot that is not escaped?
static bool is_absolute(struct list_text t)
{
	size_t slashes = 0;
	if (t.len == 0 || t.at[t.len - 1] != '.')
		return false;
	while (slashes < t.len - 1 && t.at[t.len - 2 - slashes] == '\\')
		slashes++;
	return slashes % 2 == 0;
}

bool list_zone_name(const struct list_zone *z, struct list_text t, struct dns_name *out)
{
	struct dns_name name;
	if (list_text_is(t, LIST_TEXT("@"))) {
		*out = z->origin;
		return true;
	}
	if (dns_name_from_text(t.at, t.len, &name) != 0)
		return false;
	if (!is_absolute(t)) {
		if (name.len - 1 + z->origin.len > DNS_NAME_MAX)
			return false;
		memcpy(name.wire + name.len - 1, z->origin.wire, z->origin.len);
		name.len = (uint8_t)(name.len - 1 + z->origin.len);
		name.labels = (uint8_t)(name.labels + z->origin.labels);
	}
	*out = name;
	return true;
}

struct list_text list_zone_token(struct list_text *rest)
{
	struct list_text t = list_text_trim(*rest);
	bool quoted = false;
	size_t len = 0;
	while (len < t.len && (quoted || !list_is_blank(t.at[len]))) {
		if (t.at[len] == '\\' && len + 1 < t.len)
			len++;
		else if (t.at[len] == '"')
			quoted = !quoted;
		len++;
	}
	*rest = list_text_skip(t, len);
	t.len = len;
	return t;
}

// Adds a line to the record, without comment and parentheses. False: there is no room, or a
// parenthesis closes that was not opened.
static bool gather(struct list_zone *z, struct list_text line)
{
	for (size_t i = 0; i < line.len; i++) {
		char c = line.at[i];
		bool escape = c == '\\' && i + 1 < line.len;
		if (c == ';' && !z->quoted)
			break;
		if (c == '"')
			z->quoted = !z->quoted;
		if ((c == '(' || c == ')') && !z->quoted) {
			if (c == ')' && z->parentheses == 0)
				return false;
			z->parentheses += c == '(' ? 1u : -1u;
			c = ' ';
		}
		if (z->record_len + 2 > sizeof(z->record))
			return false;
		z->record[z->record_len++] = c;
		if (escape)
			z->record[z->record_len++] = line.at[++i];
	}
	if (z->parentheses == 0 || z->record_len == sizeof(z->record))
		return z->parentheses == 0 && !z->quoted;
	z->record[z->record_len++] = ' '; // stands for the line's end in quotes
	return true;
}

// $ORIGIN and $TTL. Files are not included, and nothing is generated.
static enum list_reject take_directive(struct list_zone *z, struct list_text rest)
{
	struct list_text what = list_zone_token(&rest), value = list_zone_token(&rest);
	if (list_text_is(what, LIST_TEXT("$ORIGIN"))) {
		if (!list_zone_name(z, value, &z->origin))
			return LIST_REJECT_ZONE_SYNTAX;
		if (!z->has_apex && !z->has_origin)
			z->apex = z->origin;
		z->has_origin = true;
		return LIST_REJECT_COUNT;
	}
	if (list_text_is(what, LIST_TEXT("$TTL")) && list_zone_ttl(value, &z->ttl_s))
		return LIST_REJECT_COUNT;
	return LIST_REJECT_ZONE_SYNTAX;
}

// The name that it is about; a blank in front means the last one.
static bool take_owner(struct list_zone *z, struct list_text *rest)
{
	char ascii[LIST_OWNER_TEXT_MAX];
	struct list_text owner;
	if (list_is_blank(rest->at[0]))
		return z->has_owner;
	owner = list_zone_token(rest);
	if (list_trigger_to_ascii(&owner, ascii))
		z->has_owner = list_zone_name(z, owner, &z->owner);
	else
		z->has_owner = false;
	return z->has_owner;
}

static void take_soa(struct list_zone *z)
{
	if (z->has_apex)
		return;
	z->has_apex = true;
	z->apex = z->owner;
	if (!z->has_origin)
		z->origin = z->owner;
	z->has_origin = true;
}

static void take_record(struct list_parser *p, struct list_text rest)
{
	struct list_zone *z = &p->zone;
	struct list_record record = {.line = z->first_line, .ttl_s = z->ttl_s};
	if (rest.at[0] == '$') {
		enum list_reject why = take_directive(z, rest);
		if (why != LIST_REJECT_COUNT)
			list_refuse(p, why);
		return;
	}
	if (!take_owner(z, &rest) || !list_record_read(rest, &record)) {
		list_refuse(p, LIST_REJECT_ZONE_SYNTAX);
		return;
	}
	if (record.type == DNS_TYPE_SOA)
		take_soa(z);
	else
		list_trigger_take(p, &record);
}

static bool is_empty(struct list_text t)
{
	return list_text_trim(t).len == 0;
}

void list_zone_line(struct list_parser *p, struct list_text line)
{
	struct list_zone *z = &p->zone;
	bool first = z->lines == 0;
	if (first && line.len && line.at[0] == '#')
		return;
	if (first)
		z->first_line = list_line_number(p);
	z->lines++;
	if (!gather(z, line) || z->lines > LIST_RECORD_LINES_MAX) {
		list_zone_drop(z);
		list_refuse(p, LIST_REJECT_ZONE_SYNTAX);
		return;
	}
	if (z->parentheses)
		return;
	struct list_text record = {z->record, z->record_len};
	if (!first)
		p->text = record;
	if (!is_empty(record))
		take_record(p, record);
	list_zone_drop(z);
}

// The line that opened the record last was a comment so far: one that goes on.
void list_zone_end(struct list_parser *p)
{
	if (p->zone.lines == 0)
		return;
	list_zone_drop(&p->zone);
	list_refuse(p, LIST_REJECT_ZONE_SYNTAX);
	p->counts.comments--;
	p->counts.refused++;
}

// The type of a record and where its data begins; of len 0: it has none.
static struct list_text find_type(struct list_text line)
{
	struct list_record record = {0};
	struct list_text rest = line;
	(void)list_zone_token(&rest);
	return list_record_read(rest, &record) ? record.type_text : (struct list_text){0};
}

bool list_zone_begins(struct list_text line)
{
	struct list_text rest = line, word = list_text_word(&rest);
	if (line.at[0] == '$')
		return (list_text_is(word, LIST_TEXT("$TTL"))
			       || list_text_is(word, LIST_TEXT("$ORIGIN"))
			       || list_text_is(word, LIST_TEXT("$INCLUDE")))
		       && rest.len > 0;
	return rest.len > 0 && list_text_is(find_type(line), LIST_TEXT("SOA"));
}

bool list_zone_is_record(struct list_text line)
{
	struct list_text rest = line;
	(void)list_text_word(&rest);
	if (rest.len == 0 || list_text_has_any(line, "()\";"))
		return false;
	struct list_text type = find_type(line);
	if (!list_text_is(type, LIST_TEXT("CNAME")))
		return false;
	rest = list_text_skip(type, type.len);
	rest.len = (size_t)(line.at + line.len - rest.at);
	return list_text_word(&rest).len > 0 && list_text_word(&rest).len == 0;
}
