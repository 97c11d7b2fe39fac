// SPDX-License-Identifier: BSD-3-Clause
#include "list_parse.h"

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
	p->plain.line = list_line_number(p);
	list_give_name(p, text, &p->plain);
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
	if (list_zone_is_record(line))
		return LIST_FORMAT_RPZ;
	if (list_dnsmasq_is(line))
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
		list_dnsmasq_line(p, without_comment(line, false));
	else if (format == LIST_FORMAT_UNBOUND)
		list_unbound_line(p, without_comment(line, false));
	else if (format == LIST_FORMAT_RPZ)
		list_zone_line(p, line);
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
		list_zone_line(p, raw);
		return;
	}
	struct list_text line = list_text_trim(raw);
	struct dns_name name;
	if (format <= LIST_FORMAT_DOMAINS && format != LIST_FORMAT_HOSTS
		&& list_name_scan(line, &name)) {
		enum list_reject why = list_name_check(&name, p->options.force);
		if (why == LIST_REJECT_COUNT) {
			p->plain.line = list_line_number(p);
			p->plain.name = &name;
			list_give(p, &p->plain);
			return;
		}
	}
	if (is_comment(line))
		return;
	if (format == LIST_FORMAT_AUTO && list_zone_begins(line)) {
		p->zone.on = true;
		list_zone_line(p, raw);
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
		list_zone_drop(&p->zone);
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
	list_zone_begin(&p->zone, options->format == LIST_FORMAT_RPZ);
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
		list_zone_end(p);
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
