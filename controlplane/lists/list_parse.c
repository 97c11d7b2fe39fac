// SPDX-License-Identifier: BSD-3-Clause
#include "list_parse.h"

#include "list_name.h"
#include "list_trigger.h"

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

// Number of the line at hand.
static uint32_t line_number(const struct list_parser *p)
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
		.line = line_number(p),
	};
}

// The rule answers with the address, which must stay while it is used.
static void rule_answer(struct list_rule *rule, const struct ip_address *address)
{
	rule->kind.reply = RULE_REPLY_DATA;
	rule->rtype = address->version == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
	rule->rdata_len = address->version == 4 ? 4 : 16;
	rule->rdata = address->bytes;
	rule->ttl_s = LIST_REWRITE_TTL_S;
}

// Reads the name, `*.` in front or not, and gives the rule with it, or refuses.
static void give_name(struct list_parser *p, struct list_text text, struct list_rule *rule)
{
	struct dns_name name;
	const uint8_t covers = rule->kind.covers;
	if (list_text_starts(text, LIST_TEXT("*."))) {
		text = list_text_skip(text, 2);
		rule->kind.covers = RULE_COVERS_ALL; // `*.` covers them in an exact list, too
	}
	enum list_reject why = list_name_read(text, p->options.force, &name);
	rule->name = &name;
	if (why != LIST_REJECT_COUNT)
		list_refuse(p, why);
	else
		list_give(p, rule);
	rule->kind.covers = covers;
}

static void give_plain(struct list_parser *p, struct list_text text)
{
	p->plain.line = line_number(p);
	give_name(p, text, &p->plain);
}

// Where a comment cuts the line short: at a `#` after a blank and, behind an address, at one that
// is glued to a name, unless it is a filter rule's (##, #@, #?, #$, #%): such a word is refused.
static struct list_text without_comment(struct list_text t, bool hosts)
{
	for (size_t i = 1; i < t.len; i++) {
		if (t.at[i] != '#')
			continue;
		bool glued = !list_is_blank(t.at[i - 1]);
		if (glued && (!hosts || t.at[i - 1] == '#'))
			continue;
		if (glued && i + 1 < t.len && memchr("#@?$%", t.at[i + 1] ? t.at[i + 1] : 'x', 5))
			continue;
		return list_text_trim((struct list_text){t.at, i});
	}
	return t;
}

// Addresses that hosts files of names to block have in front: this machine, or none.
static bool is_sink(struct list_text t)
{
	struct ip_address a;
	static const uint8_t none[15];
	if (list_text_is(t, LIST_TEXT("0")) || list_text_is(t, LIST_TEXT("0.0.0.0")))
		return true;
	if (!list_prefix_read(list_text_cut(&t, '%'), &a))
		return false;
	if (a.version == 4)
		return a.bytes[0] == 127;
	return memcmp(a.bytes, none, sizeof(none)) == 0 && a.bytes[15] <= 1;
}

static void refuse_hosts(struct list_parser *p, struct list_text word)
{
	struct dns_name name;
	bool special = list_name_scan(word, &name) && list_name_is_special(&name);
	list_refuse(p, special ? LIST_REJECT_SPECIAL : LIST_REJECT_HOSTS_ADDRESS);
}

// Every name behind the address. In a list of names to allow the address does not matter.
static void hosts_line(struct list_parser *p, struct list_text line)
{
	line = without_comment(line, true);
	struct list_text address = list_text_word(&line), word = list_text_word(&line);
	bool good = p->options.role == LIST_ROLE_ALLOW || is_sink(address);
	if (!word.len)
		list_refuse(p, LIST_REJECT_NO_NAME);
	for (; word.len && !p->stopped; word = list_text_word(&line)) {
		if (memchr(word.at, '#', word.len))
			list_refuse(p, LIST_REJECT_COSMETIC);
		else if (good)
			give_plain(p, word);
		else
			refuse_hosts(p, word);
	}
}

static void give_prefix(struct list_parser *p, const struct ip_address *prefix)
{
	struct list_rule rule = list_rule_make(p, list_class(p), RULE_COVERS_ALL, RULE_REPLY_GROUP);
	rule.what = LIST_RULE_ADDRESS;
	rule.prefix = *prefix;
	list_give(p, &rule);
}

static void domain_line(struct list_parser *p, struct list_text line)
{
	struct list_text rest = without_comment(line, false);
	struct list_text word = list_text_word(&rest);
	struct ip_address prefix;
	if (memchr(word.at, '#', word.len))
		list_refuse(p, LIST_REJECT_FILTER);
	else if (list_text_word(&rest).len)
		list_refuse(p, LIST_REJECT_WORDS);
	else if (list_answer_read(word, &prefix))
		give_prefix(p, &prefix);
	else
		give_plain(p, word);
}

static void address_line(struct list_parser *p, struct list_text line)
{
	struct ip_address prefix;
	line = list_text_cut(&line, '#');
	line = list_text_trim(list_text_cut(&line, ';'));
	if (list_prefix_read(line, &prefix))
		give_prefix(p, &prefix);
	else
		list_refuse(p, LIST_REJECT_PREFIX);
}

// dnsmasq's options as lists use them: address=/a/b/ADDRESS, server=/a/ and local=/a/. All cover
// the name and what is below it.

// `option=value`.
static bool dnsmasq_is(struct list_text line)
{
	size_t i = 0;
	while (i < line.len && ((line.at[i] >= 'a' && line.at[i] <= 'z') || line.at[i] == '-'))
		i++;
	return i > 0 && i < line.len && line.at[i] == '=';
}

// Reads the part behind the last slash. An address by which hosts files block means block here too.
static enum list_reject dnsmasq_address(
	struct list_text value, struct list_rule *rule, struct ip_address *address)
{
	static const struct list_text sinks[] = {
		LIST_TEXT("0.0.0.0"), LIST_TEXT("::"), LIST_TEXT("127.0.0.1"), LIST_TEXT("::1")};
	if (value.len == 0) {
		rule->kind.reply = RULE_REPLY_NXDOMAIN;
		return LIST_REJECT_COUNT;
	}
	if (list_text_is(value, LIST_TEXT("#"))) {
		rule->kind.reply = RULE_REPLY_NULL;
		return LIST_REJECT_COUNT;
	}
	for (size_t i = 0; i < ARRAY_LEN(sinks); i++)
		if (list_text_is(value, sinks[i]))
			return LIST_REJECT_COUNT;
	if (memchr(value.at, '/', value.len) || !list_prefix_read(value, address))
		return LIST_REJECT_DNSMASQ;
	rule_answer(rule, address);
	return LIST_REJECT_COUNT;
}

static void dnsmasq_line(struct list_parser *p, struct list_text line)
{
	struct ip_address address;
	struct list_text rest = line, option = list_text_cut(&rest, '=');
	bool answers = list_text_is(option, LIST_TEXT("address"));
	bool forwards = list_text_is(option, LIST_TEXT("server"))
			|| list_text_is(option, LIST_TEXT("local"));
	struct list_text value = rest;
	struct list_rule rule = list_rule_make(p, list_class(p), RULE_COVERS_ALL, RULE_REPLY_GROUP);
	rest = list_text_trim(rest);
	if ((!answers && !forwards) || rest.len < 2 || rest.at[0] != '/') {
		list_refuse(p, LIST_REJECT_DNSMASQ);
		return;
	}
	size_t slash = rest.len - 1;
	while (rest.at[slash] != '/')
		slash--;
	value = list_text_skip(rest, slash + 1);
	enum list_reject why = forwards && value.len ? LIST_REJECT_DNSMASQ
						     : dnsmasq_address(value, &rule, &address);
	if (why != LIST_REJECT_COUNT || slash == 0) {
		list_refuse(p, LIST_REJECT_DNSMASQ);
		return;
	}
	if (p->options.role == LIST_ROLE_ALLOW) {
		rule = p->plain;
		rule.kind.covers = RULE_COVERS_ALL;
	}
	rule.line = line_number(p);
	rest = (struct list_text){rest.at + 1, slash - 1};
	while (rest.at && !p->stopped) {
		struct list_text name = list_text_cut(&rest, '/');
		// A dot in front means nothing: dnsmasq has it for those who are used to it.
		bool dot = name.len > 1 && name.at[0] == '.';
		give_name(p, list_text_skip(name, dot), &rule);
	}
}

enum { ZONE_TTL_S = 300 }; // records before any $TTL have this

// Forgets a record that is not whole.
static void zone_drop(struct list_zone *z)
{
	z->parentheses = 0;
	z->quoted = false;
	z->lines = 0;
	z->record_len = 0;
}

static void zone_begin(struct list_zone *z, bool on)
{
	static const struct dns_name root = {.len = 1};
	z->on = on;
	z->has_origin = z->has_apex = z->has_owner = false;
	z->origin = z->apex = root;
	z->ttl_s = ZONE_TTL_S;
	zone_drop(z);
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
static bool zone_gather(struct list_zone *z, struct list_text line)
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
static enum list_reject zone_directive(struct list_zone *z, struct list_text rest)
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
static bool zone_owner(struct list_zone *z, struct list_text *rest)
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

static void zone_soa(struct list_zone *z)
{
	if (z->has_apex)
		return;
	z->has_apex = true;
	z->apex = z->owner;
	if (!z->has_origin)
		z->origin = z->owner;
	z->has_origin = true;
}

static void zone_record(struct list_parser *p, struct list_text rest)
{
	struct list_zone *z = &p->zone;
	struct list_record record = {.line = z->first_line, .ttl_s = z->ttl_s};
	if (rest.at[0] == '$') {
		enum list_reject why = zone_directive(z, rest);
		if (why != LIST_REJECT_COUNT)
			list_refuse(p, why);
		return;
	}
	if (!zone_owner(z, &rest) || !list_record_read(rest, &record)) {
		list_refuse(p, LIST_REJECT_ZONE_SYNTAX);
		return;
	}
	if (record.type == DNS_TYPE_SOA)
		zone_soa(z);
	else
		list_trigger_take(p, &record);
}

static bool is_empty(struct list_text t)
{
	return list_text_trim(t).len == 0;
}

// A line as it is.
static void zone_line(struct list_parser *p, struct list_text line)
{
	struct list_zone *z = &p->zone;
	bool first = z->lines == 0;
	if (first && line.len && line.at[0] == '#')
		return;
	if (first)
		z->first_line = line_number(p);
	z->lines++;
	if (!zone_gather(z, line) || z->lines > LIST_RECORD_LINES_MAX) {
		zone_drop(z);
		list_refuse(p, LIST_REJECT_ZONE_SYNTAX);
		return;
	}
	if (z->parentheses)
		return;
	struct list_text record = {z->record, z->record_len};
	if (!first)
		p->text = record;
	if (!is_empty(record))
		zone_record(p, record);
	zone_drop(z);
}

// At the list's end: the line that opened the record last was a comment so far, one that goes on.
static void zone_end(struct list_parser *p)
{
	if (p->zone.lines == 0)
		return;
	zone_drop(&p->zone);
	list_refuse(p, LIST_REJECT_ZONE_SYNTAX);
	p->counts.comments--;
	p->counts.refused++;
}

// The type of a record and where its data begins; of len 0: it has none.
static struct list_text record_type(struct list_text line)
{
	struct list_record record = {0};
	struct list_text rest = line;
	(void)list_zone_token(&rest);
	return list_record_read(rest, &record) ? record.type_text : (struct list_text){0};
}

// A line that only a zone file has, from which on the list is one.
static bool zone_begins(struct list_text line)
{
	struct list_text rest = line, word = list_text_word(&rest);
	if (line.at[0] == '$')
		return (list_text_is(word, LIST_TEXT("$TTL"))
			       || list_text_is(word, LIST_TEXT("$ORIGIN"))
			       || list_text_is(word, LIST_TEXT("$INCLUDE")))
		       && rest.len > 0;
	return rest.len > 0 && list_text_is(record_type(line), LIST_TEXT("SOA"));
}

// `name CNAME target`, as a zone file's header may be missing.
static bool zone_is_record(struct list_text line)
{
	struct list_text rest = line;
	(void)list_text_word(&rest);
	if (rest.len == 0 || list_text_has_any(line, "()\";"))
		return false;
	struct list_text type = record_type(line);
	if (!list_text_is(type, LIST_TEXT("CNAME")))
		return false;
	rest = list_text_skip(type, type.len);
	rest.len = (size_t)(line.at + line.len - rest.at);
	return list_text_word(&rest).len > 0 && list_text_word(&rest).len == 0;
}

// An address alone is about answers; that of a hosts file names none.
static bool is_answer(const struct list_parser *p, struct list_text word, struct list_text rest)
{
	struct ip_address ignored;
	rest = list_text_trim(rest);
	return (rest.len == 0 || rest.at[0] == '#') && p->options.format != LIST_FORMAT_HOSTS
	       && list_answer_read(word, &ignored);
}

static enum list_format tell_format(const struct list_parser *p, struct list_text line)
{
	struct list_text rest = line, word = list_text_word(&rest);
	if (is_answer(p, word, rest))
		return LIST_FORMAT_DOMAINS;
	if (list_text_is_address(word) || list_text_is(word, LIST_TEXT("0")))
		return LIST_FORMAT_HOSTS;
	if (zone_is_record(line))
		return LIST_FORMAT_RPZ;
	if (dnsmasq_is(line))
		return LIST_FORMAT_DNSMASQ;
	if (list_unbound_is(line))
		return LIST_FORMAT_UNBOUND;
	return list_adblock_is(line) ? LIST_FORMAT_ADBLOCK : LIST_FORMAT_DOMAINS;
}

static void format_line(struct list_parser *p, struct list_text line)
{
	enum list_format format = p->options.format == LIST_FORMAT_ADDRESSES ? LIST_FORMAT_ADDRESSES
									     : tell_format(p, line);
	if (p->options.format != LIST_FORMAT_AUTO && format != p->options.format) {
		list_refuse(p, LIST_REJECT_FORMAT);
		return;
	}
	if (format == LIST_FORMAT_HOSTS)
		hosts_line(p, line);
	else if (format == LIST_FORMAT_ADBLOCK)
		list_adblock_line(p, list_text_trim(without_comment(line, false)));
	else if (format == LIST_FORMAT_DNSMASQ)
		dnsmasq_line(p, without_comment(line, false));
	else if (format == LIST_FORMAT_UNBOUND)
		list_unbound_line(p, without_comment(line, false));
	else if (format == LIST_FORMAT_RPZ)
		zone_line(p, line);
	else if (format == LIST_FORMAT_ADDRESSES)
		address_line(p, line);
	else
		domain_line(p, line);
}

// `##.banner` without a name in front is for a page's elements on all of them; other lines that
// begin so are comments.
static bool is_comment(struct list_text line)
{
	if (line.len == 0 || line.at[0] == '!' || line.at[0] == ';')
		return true;
	if (line.at[0] == '[')
		return list_text_starts(line, LIST_TEXT("[Ad"))
		       || list_text_starts(line, LIST_TEXT("[uBlock"));
	return line.at[0] == '#' && !list_adblock_is(line);
}

static void read_line(struct list_parser *p, struct list_text raw)
{
	enum list_format format = p->options.format;
	if (p->zone.on) {
		zone_line(p, raw);
		return;
	}
	struct list_text line = list_text_trim(raw);
	struct dns_name name;
	if (format <= LIST_FORMAT_DOMAINS && format != LIST_FORMAT_HOSTS
		&& list_name_scan(line, &name)) {
		enum list_reject why = list_name_check(&name, p->options.force);
		if (why == LIST_REJECT_COUNT) {
			p->plain.line = line_number(p);
			p->plain.name = &name;
			list_give(p, &p->plain);
			return;
		}
	}
	if (is_comment(line))
		return;
	if (format == LIST_FORMAT_AUTO && zone_begins(line)) {
		p->zone.on = true;
		zone_line(p, raw);
		return;
	}
	format_line(p, line);
}

// No format has a line that begins with a tag.
static void look_for_page(struct list_parser *p, struct list_text line)
{
	p->began = line.len > 0;
	p->page = list_text_starts(line, LIST_TEXT("<"));
}

static void take_line(struct list_parser *p, struct list_text line)
{
	if (p->counts.lines++ == 0 && list_text_starts(line, LIST_TEXT("\xef\xbb\xbf")))
		line = list_text_skip(line, 3);
	p->gave = p->refused = false;
	if (!p->began)
		look_for_page(p, list_text_trim(line));
	if (p->page) {
		list_refuse(p, LIST_REJECT_PAGE);
	} else if (p->skipping) {
		zone_drop(&p->zone);
		list_refuse(p, LIST_REJECT_LINE_TOO_LONG);
	} else {
		p->text = line;
		read_line(p, line);
	}
	p->counts.ruled += p->gave;
	p->counts.refused += !p->gave && p->refused;
	p->counts.comments += !p->gave && !p->refused;
	p->skipping = false;
	p->line_len = 0;
}

void list_parse_begin(
	struct list_parser *p, const struct list_options *options, list_rule_take take, void *arg)
{
	*p = (struct list_parser){.take = take, .arg = arg, .options = *options};
	p->plain = list_rule_make(p, list_class(p),
		options->exact ? RULE_COVERS_SELF : RULE_COVERS_ALL, RULE_REPLY_GROUP);
	zone_begin(&p->zone, options->format == LIST_FORMAT_RPZ);
}

// A piece of a line, the last one or not. A line that comes as a whole is read where it is.
static void feed_line(struct list_parser *p, const char *at, size_t len, bool last)
{
	if (last && p->line_len == 0 && !p->skipping && len <= LIST_LINE_MAX) {
		take_line(p, (struct list_text){at, len});
		return;
	}
	p->skipping = p->skipping || len > LIST_LINE_MAX - p->line_len;
	if (!p->skipping) {
		memcpy(p->line + p->line_len, at, len);
		p->line_len += len;
	}
	if (last)
		take_line(p, (struct list_text){p->line, p->line_len});
}

// Bytes without a line feed, but for the one that may follow.
static void feed_segment(struct list_parser *p, const char *at, const char *end, bool line_feed)
{
	while (at < end && !p->stopped) {
		const char *cr = memchr(at, '\r', (size_t)(end - at));
		const char *stop = cr ? cr : end;
		feed_line(p, at, (size_t)(stop - at), cr || line_feed);
		p->after_cr = cr;
		if (!cr)
			return;
		at = cr + 1;
	}
	if (line_feed && !p->after_cr && !p->stopped)
		feed_line(p, at, 0, true);
	p->after_cr = p->after_cr && !line_feed;
}

int list_parse_feed(struct list_parser *p, const void *bytes, size_t len)
{
	const char *at = bytes, *end = at + len;
	p->counts.bytes += len;
	while (at < end && !p->stopped) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		feed_segment(p, at, newline ? newline : end, newline);
		at = newline ? newline + 1 : end;
	}
	return p->stopped;
}

int list_parse_end(struct list_parser *p)
{
	if (!p->stopped && (p->skipping || p->line_len > 0))
		take_line(p, (struct list_text){p->line, p->line_len});
	if (!p->stopped)
		zone_end(p);
	return p->stopped;
}

static bool is_wanted(const struct list_wanted *w, const struct list_rule *rule)
{
	switch (rule->what) {
	case LIST_RULE_NAME:
		return w->name && dns_name_equal(w->name, rule->name);
	case LIST_RULE_PATTERN:
		return w->pattern && w->pattern_len == rule->pattern_len
		       && memcmp(w->pattern, rule->pattern, rule->pattern_len) == 0;
	case LIST_RULE_ADDRESS:
		return w->prefix && w->prefix->version == rule->prefix.version
		       && w->prefix->prefix_len == rule->prefix.prefix_len
		       && memcmp(w->prefix->bytes, rule->prefix.bytes, sizeof(rule->prefix.bytes))
				  == 0;
	}
	return false;
}

// One finding a rule, though it may be wanted twice.
static int take_rule(void *arg, const struct list_rule *rule)
{
	struct list_finder *f = arg;
	for (unsigned i = 0; i < f->wanted_count; i++) {
		if (!is_wanted(&f->wanted[i], rule))
			continue;
		struct list_text text = list_text_trim(f->parser.text);
		struct list_found found = {.rule = rule,
			.text = text.at,
			.text_len = text.len < LIST_FIND_TEXT_MAX ? text.len : LIST_FIND_TEXT_MAX,
			.wanted = i};
		f->take(f->arg, &found);
		return ++f->found == f->found_max;
	}
	return 0;
}

void list_find_begin(struct list_finder *f, const struct list_options *options,
	const struct list_wanted *wanted, unsigned wanted_count, unsigned found_max,
	list_found_take take, void *arg)
{
	list_parse_begin(&f->parser, options, take_rule, f);
	f->wanted = wanted;
	f->wanted_count = wanted_count;
	f->found = 0;
	f->found_max = found_max;
	f->take = take;
	f->arg = arg;
}

bool list_find_feed(struct list_finder *f, const void *bytes, size_t len)
{
	return list_parse_feed(&f->parser, bytes, len) == 0;
}

void list_find_end(struct list_finder *f)
{
	if (f->found < f->found_max || f->found_max == 0)
		(void)!list_parse_end(&f->parser);
}
