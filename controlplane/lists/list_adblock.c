// SPDX-License-Identifier: BSD-3-Clause
// AdBlock's rules that are about names, as AdGuard's DNS syntax has them.
#include "list_glob.h"
#include "list_name.h"
#include "list_parse.h"
#include "list_rule.h"
#include "list_text.h"

#include <stdio.h>
#include <weir/rdata_parse.h>

// The options behind the $ of an AdBlock rule, as far as they have a meaning for names. Any other
// one makes the rule none: it would block more than its author meant.

enum { CLIENTS_MAX = 8, CLIENT_TERM_MAX = 48 };

struct list_modifiers {
	bool important, off;
	bool rewrites, any;      // any: without saying how, for exceptions
	struct list_text except; // $denyallow, names by `|`; len may be 0
	struct rule_types types;
	unsigned clients; // 0: the rule is for all
	char client[CLIENTS_MAX][RULE_CLIENT_MAX];
	enum rule_reply reply;     // when it rewrites
	uint16_t rtype, rdata_len; // 0: the reply has no record
	uint8_t rdata[RDATA_PARSE_MAX];
};

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

// Keeps the types in order and each once, so that two rules for the same types are of one kind.
// False: full.
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

// One of the names, addresses and prefixes of $client and $ctag.
struct client_term {
	bool is_except;
	char text[CLIENT_TERM_MAX];
};

static struct list_text without_quotes(struct list_text t)
{
	const bool is_quoted =
		t.len >= 2 && (t.at[0] == '\'' || t.at[0] == '"') && t.at[t.len - 1] == t.at[0];
	return is_quoted ? (struct list_text){t.at + 1, t.len - 2} : t;
}

// A MAC is no term: rules have none in AdGuard Home. A tag is no address.
static bool read_term(struct list_text t, bool is_tag, struct client_term *out)
{
	struct ip_address prefix;
	char text[SOCKET_ADDRESS_TEXT_MAX];
	memset(out, 0, sizeof(*out));
	out->is_except = list_text_starts(t, LIST_TEXT("~"));
	t = without_quotes(list_text_skip(t, out->is_except));
	if (!is_tag && list_prefix_read(t, &prefix)) {
		const bool is_whole = prefix.prefix_len == (prefix.version == 4 ? 32 : 128);
		ip_address_text(&prefix, !is_whole, text);
		memcpy(out->text, text, strnlen(text, sizeof(out->text) - 1));
		return true;
	}
	struct list_text address = t;
	if (t.len == 0 || t.len > CONFIG_GROUP_NAME_MAX || list_text_has_any(t, "|~:/\\'\"")
		|| list_text_is_address(list_text_cut(&address, '/')))
		return false;
	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] < 0x21 || t.at[i] > 0x7e)
			return false;
	memcpy(out->text, t.at, t.len);
	return true;
}

// Terms with `~` in order, so that two rules for the same clients are of one kind; the others as
// they are written, in front.
static void add_term(struct client_term *terms, unsigned count, const struct client_term *term)
{
	unsigned at = count;
	while (at > 0 && terms[at - 1].is_except
		&& (!term->is_except || strcmp(terms[at - 1].text, term->text) > 0)) {
		terms[at] = terms[at - 1];
		at--;
	}
	terms[at] = *term;
}

// False: the terms do not fit.
static bool append_term(char out[RULE_CLIENT_MAX], const struct client_term *term)
{
	const size_t len = strlen(out);
	const int more = snprintf(out + len, RULE_CLIENT_MAX - len, "%s%s%s", len ? "|" : "",
		term->is_except ? "~" : "", term->text);
	return (size_t)more < RULE_CLIENT_MAX - len;
}

// `kids|tv`: a rule for each of them. `~kids|~tv`: one for all but these. Of both together: one for
// each of the first, unless they are among the others.
static enum list_reject read_clients(struct list_text value, bool is_tag, struct list_modifiers *m)
{
	struct client_term term[CLIENTS_MAX], read;
	unsigned count = 0, named = 0;
	if (value.len == 0 || m->clients)
		return LIST_REJECT_CLIENT;
	while (value.at) {
		if (count == CLIENTS_MAX || !read_term(list_text_cut(&value, '|'), is_tag, &read))
			return LIST_REJECT_CLIENT;
		add_term(term, count++, &read);
		named += !read.is_except;
	}
	m->clients = named ? named : 1;
	for (unsigned i = 0; i < m->clients; i++) {
		memset(m->client[i], 0, RULE_CLIENT_MAX);
		if (named && !append_term(m->client[i], &term[i]))
			return LIST_REJECT_CLIENT;
		for (unsigned k = named; k < count; k++)
			if (!append_term(m->client[i], &term[k]))
				return LIST_REJECT_CLIENT;
	}
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
	m->any = value.len == 0;
	if (m->any)
		return LIST_REJECT_COUNT;
	if (empty && list_text_is(rcode, LIST_TEXT("NXDOMAIN")))
		m->reply = RULE_REPLY_NXDOMAIN;
	else if (empty && list_text_is(rcode, LIST_TEXT("REFUSED")))
		m->reply = RULE_REPLY_REFUSED;
	else if (empty && list_text_is(rcode, LIST_TEXT("SERVFAIL")))
		m->reply = RULE_REPLY_SERVFAIL;
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
	if (list_text_is(key, LIST_TEXT("badfilter")) && !value.at) {
		m->off = true;
		return LIST_REJECT_COUNT;
	}
	if (list_text_is(key, LIST_TEXT("dnstype")))
		return read_types(value, &m->types);
	if (list_text_is(key, LIST_TEXT("client")))
		return read_clients(value, false, m);
	if (list_text_is(key, LIST_TEXT("ctag")))
		return read_clients(value, true, m);
	if (list_text_is(key, LIST_TEXT("dnsrewrite")))
		return read_rewrite(value, m);
	if (list_text_is(key, LIST_TEXT("denyallow")) && value.len && !m->except.len) {
		m->except = value;
		return LIST_REJECT_COUNT;
	}
	return LIST_REJECT_MODIFIER;
}

// A builder gets all rules of a line once for each client. A list of such lines would take eight
// times the memory that its bytes let expect, so copies have a bound of their own.
static enum list_reject copies_count(struct list_parser *p, const struct list_modifiers *m)
{
	const size_t more = m->clients > 1 ? (m->clients - 1) * p->text.len : 0;
	if (more > LIST_COPIES_MAX - p->copies)
		return LIST_REJECT_COPIES;
	p->copies += more;
	return LIST_REJECT_COUNT;
}

// `important,dnstype=A|AAAA`. LIST_REJECT_COUNT: *out has them all.
static enum list_reject list_modifiers_read(
	struct list_parser *p, struct list_text options, struct list_modifiers *out)
{
	enum list_reject why = LIST_REJECT_COUNT;
	out->important = out->rewrites = out->any = out->off = false;
	out->except = (struct list_text){0};
	out->types = (struct rule_types){0};
	out->clients = 0;
	out->reply = RULE_REPLY_GROUP;
	out->rtype = out->rdata_len = 0;
	while (options.at && why == LIST_REJECT_COUNT)
		why = read_one(list_text_cut(&options, ','), out);
	// Rules that differ in their $denyallow are of one kind.
	if (why == LIST_REJECT_COUNT && out->off && out->except.len)
		why = LIST_REJECT_MODIFIER;
	return why == LIST_REJECT_COUNT ? copies_count(p, out) : why;
}

static bool is_cosmetic(struct list_text line)
{
	static const struct list_text marks[] = {LIST_TEXT("#@"), LIST_TEXT("#?#"), LIST_TEXT("#$"),
		LIST_TEXT("#%#"), LIST_TEXT("$$"), LIST_TEXT("$@$")};
	if (!line.at || !list_text_has_any(line, "#$"))
		return false;
	const char *twice = memmem(line.at, line.len, "##", 2);
	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (list_text_has(line, marks[i]))
			return true;
	if (!twice || twice > line.at)
		return twice;
	return line.len > 2 && line.at[2] && strchr(".[*:", line.at[2]);
}

// A name neither begins with a dot nor ends with a hyphen. What begins with a hyphen and ends with
// a dot is a rule more often than a name.
static bool is_part(struct list_text word)
{
	if (word.len < 2)
		return false;
	const char first = word.at[0], last = word.at[word.len - 1];
	// A dot at both ends and one within may be those of a name and the root.
	if (first == '.' && last == '.')
		return !memchr(word.at + 1, '.', word.len - 2);
	return first == '.' || last == '-' || (first == '-' && last == '.');
}

bool list_adblock_is(struct list_text line)
{
	if (line.at[0] == '#')
		return is_cosmetic(line);
	struct list_text rest = line, word = list_text_word(&rest);
	rest = list_text_trim(rest);
	return memchr("|@/~", line.at[0] ? line.at[0] : 'x', 4)
	       || list_text_starts(line, LIST_TEXT("://"))
	       || (rest.len == 0 && list_text_has_any(word, "^$|,~"))
	       || ((rest.len == 0 || rest.at[0] == '#') && is_part(word))
	       || (memchr(line.at, '#', line.len) && is_cosmetic(line));
}

// The class of a rule, and whether its options have a meaning for that.
static enum list_reject answer_policy_class(const struct list_parser *p, bool exception,
	const struct list_modifiers *m, enum rule_class *out)
{
	if (!exception && p->options.role == LIST_ROLE_BLOCK) {
		*out = m->important ? RULE_CLASS_IMPORTANT_BLOCK : RULE_CLASS_BLOCK;
		if (m->any)
			return LIST_REJECT_REWRITE;
		return m->important && m->except.len ? LIST_REJECT_MODIFIER : LIST_REJECT_COUNT;
	}
	*out = m->important ? RULE_CLASS_IMPORTANT_ALLOW : RULE_CLASS_ALLOW;
	if (m->except.len)
		return LIST_REJECT_MODIFIER;
	if (!m->rewrites)
		return LIST_REJECT_COUNT;
	*out = RULE_CLASS_UNREWRITE;
	const bool says = m->any || (m->reply != RULE_REPLY_GROUP && !m->rtype);
	return exception && says ? LIST_REJECT_COUNT : LIST_REJECT_REWRITE;
}

static uint8_t base_of(enum rule_class rule_class, const struct list_modifiers *m)
{
	if (rule_class == RULE_CLASS_UNREWRITE)
		return m->important;
	return m->rewrites ? RULE_REWRITES : 0;
}

static struct list_rule make_rule(const struct list_parser *p, enum rule_class rule_class,
	uint8_t covers, const struct list_modifiers *m)
{
	struct list_rule rule = list_rule_make(p, rule_class, covers, m->reply);
	rule.kind.types = m->types;
	rule.kind.base = base_of(rule_class, m);
	rule.off = m->off;
	if (m->rtype) {
		rule.rtype = m->rtype;
		rule.rdata_len = m->rdata_len;
		rule.rdata = m->rdata;
		rule.ttl_s = LIST_REWRITE_TTL_S;
	}
	return rule;
}

static enum list_reject answer_pattern(struct list_text t, const struct list_modifiers *m)
{
	if (list_text_has_any(t, "/"))
		return LIST_REJECT_URL;
	if (t.len == 0 || t.len > LIST_PATTERN_MAX)
		return LIST_REJECT_PATTERN;
	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] < 0x21 || t.at[i] > 0x7e)
			return LIST_REJECT_PATTERN;
	if (!list_text_has_any(t, "\\^$.|?*+()[]{}"))
		return LIST_REJECT_URL;
	return m->except.len ? LIST_REJECT_MODIFIER : LIST_REJECT_COUNT;
}

// `/pattern/` or `/pattern/$options`: cuts what is between the slashes and what is behind the $.
// False: a path.
static bool cut_pattern(struct list_text line, struct list_text *pattern, struct list_text *options)
{
	size_t end = line.len - 1;
	if (line.len < 2 || line.at[0] != '/')
		return false;
	*options = (struct list_text){0};
	if (line.at[end] != '/') {
		while (end > 0 && !(line.at[end] == '/' && line.at[end + 1] == '$'))
			end--;
		if (end == 0)
			return false;
		*options = list_text_skip(line, end + 2);
	}
	*pattern = (struct list_text){line.at + 1, end - 1};
	return true;
}

// Records are those of one name.
static void without_records(struct list_rule *rule)
{
	if (rule->rtype)
		rule->kind.reply = RULE_REPLY_GROUP;
	rule->rtype = rule->rdata_len = 0;
	rule->rdata = NULL;
	rule->ttl_s = 0;
}

static void give(struct list_parser *p, struct list_rule *rule, const struct list_modifiers *m)
{
	if (m->clients == 0)
		list_give(p, rule);
	for (unsigned i = 0; i < m->clients; i++) {
		memcpy(rule->kind.client, m->client[i], sizeof(rule->kind.client));
		list_give(p, rule);
	}
}

static void give_pattern(struct list_parser *p, struct list_rule *rule,
	const struct list_modifiers *m, const char *pattern, size_t len)
{
	without_records(rule);
	rule->what = LIST_RULE_PATTERN;
	rule->pattern = pattern;
	rule->pattern_len = len;
	give(p, rule, m);
}

static enum list_reject take_pattern(struct list_parser *p, struct list_text line, bool exception)
{
	struct list_text pattern, options;
	struct list_modifiers m;
	enum rule_class rule_class;
	if (!cut_pattern(line, &pattern, &options))
		return LIST_REJECT_URL;
	enum list_reject why = list_modifiers_read(p, options, &m);
	if (why == LIST_REJECT_COUNT)
		why = answer_pattern(pattern, &m);
	if (why == LIST_REJECT_COUNT)
		why = answer_policy_class(p, exception, &m, &rule_class);
	if (why == LIST_REJECT_COUNT && rule_class == RULE_CLASS_UNREWRITE)
		why = LIST_REJECT_REWRITE;
	if (why != LIST_REJECT_COUNT)
		return why;
	struct list_rule rule = make_rule(p, rule_class, RULE_COVERS_ALL, &m);
	give_pattern(p, &rule, &m, pattern.at, pattern.len);
	return LIST_REJECT_COUNT;
}

static bool cut_end(struct list_text *t, char c)
{
	bool cut = t->len && t->at[t->len - 1] == c;
	t->len -= cut;
	return cut;
}

// `://ads.` is for URLs, in which a name begins there.
static const struct list_text scheme = {"://", 3};

// What is between the anchors.
struct body {
	struct list_text text;
	enum list_glob_start start;
	bool ends;
	bool is_glob;   // no whole name
	uint8_t covers; // a whole name itself, the names below, or both
};

static struct body cut_anchors(struct list_text line)
{
	struct body b = {.text = line, .covers = RULE_COVERS_ALL};
	if (list_text_starts(line, LIST_TEXT("||")))
		b.start = LIST_GLOB_LABEL;
	else if (list_text_starts(line, LIST_TEXT("|")) || list_text_starts(line, scheme))
		b.start = LIST_GLOB_NAME;
	if (list_text_starts(line, scheme))
		b.text = list_text_skip(line, scheme.len);
	else
		b.text = list_text_skip(
			line, b.start == LIST_GLOB_LABEL ? 2 : b.start == LIST_GLOB_NAME);
	if (b.text.len > 1 && b.text.at[b.text.len - 2] == '^')
		cut_end(&b.text, '*');
	b.ends = cut_end(&b.text, '|');
	b.ends |= cut_end(&b.text, '^');
	const char last = b.text.len ? b.text.at[b.text.len - 1] : 0;
	const bool is_open = last == '.' || last == '*'
			     || (!b.ends && (b.start == LIST_GLOB_NAME || last == '-'));
	// `*.` and `.` in front of a whole name: what is below it.
	const bool is_dot = b.start == LIST_GLOB_WITHIN && list_text_starts(b.text, LIST_TEXT("."));
	const size_t skip = list_text_starts(b.text, LIST_TEXT("*.")) ? 2 : is_dot;
	if (skip && !is_open && !list_text_has_any(list_text_skip(b.text, skip), "*")) {
		b.text = list_text_skip(b.text, skip);
		b.covers = RULE_COVERS_BELOW;
	} else if (b.start == LIST_GLOB_NAME) {
		b.covers = RULE_COVERS_SELF;
	}
	const bool is_rest = b.covers != RULE_COVERS_BELOW && b.start == LIST_GLOB_WITHIN
			     && list_text_starts(b.text, LIST_TEXT("-"));
	b.is_glob = is_open || is_rest || list_text_has_any(b.text, "*");
	b.ends |= !is_open;
	return b;
}

// All names of $denyallow are good, or the rule is none: it would block what it must not. So it is
// where one of them is its own name, or one above. *below: some are below it; others do not matter.
static enum list_reject answer_policy_except(
	struct list_text except, const struct dns_name *of, bool *below)
{
	struct dns_name name;
	enum list_reject why = LIST_REJECT_COUNT;
	*below = false;
	while (except.at && why == LIST_REJECT_COUNT) {
		why = list_name_read(list_text_cut(&except, '|'), true, &name);
		if (why == LIST_REJECT_COUNT && dns_name_is_under(of, &name))
			why = LIST_REJECT_MODIFIER;
		*below = *below || (why == LIST_REJECT_COUNT && dns_name_is_under(&name, of));
	}
	return why;
}

static void give_except(
	struct list_parser *p, const struct list_modifiers *m, const struct dns_name *of)
{
	struct list_rule rule = make_rule(p, RULE_CLASS_EXCEPT, RULE_COVERS_ALL, m);
	struct list_text except = m->except;
	struct dns_name name;
	rule.kind.reply = RULE_REPLY_GROUP;
	rule.kind.base = of->labels;
	rule.rtype = rule.rdata_len = 0;
	rule.ttl_s = 0;
	rule.rdata = NULL;
	rule.name = &name;
	while (except.at && !p->stopped)
		if (list_name_read(list_text_cut(&except, '|'), true, &name) == LIST_REJECT_COUNT
			&& dns_name_is_under(&name, of))
			give(p, &rule, m);
}

static bool is_every_name(struct list_text t)
{
	size_t stars = 0;
	while (stars < t.len && t.at[stars] == '*')
		stars++;
	return t.len > 0 && stars == t.len;
}

// `||*^$dnstype=HTTPS`: some types of every name. A rule that takes every A, or all types but some,
// takes all names away.
static enum list_reject take_types(
	struct list_parser *p, bool exception, const struct list_modifiers *m)
{
	const bool takes_all = m->types.except || m->types.type[0] == DNS_TYPE_A;
	enum rule_class rule_class;
	if (exception || p->options.role != LIST_ROLE_BLOCK || m->types.count == 0
		|| (takes_all && !p->options.force))
		return LIST_REJECT_FILTER;
	enum list_reject why = m->except.len ? LIST_REJECT_MODIFIER
					     : answer_policy_class(p, exception, m, &rule_class);
	if (why != LIST_REJECT_COUNT)
		return why;
	struct list_rule rule = make_rule(p, rule_class, RULE_COVERS_ALL, m);
	give_pattern(p, &rule, m, RULE_EVERY_NAME, strlen(RULE_EVERY_NAME));
	return LIST_REJECT_COUNT;
}

// Takes a rule that is not about a whole name.
static enum list_reject take_glob(
	struct list_parser *p, const struct body *b, bool exception, const struct list_modifiers *m)
{
	struct list_glob g;
	enum rule_class rule_class;
	enum list_reject why = list_glob_read(b->text, b->start, b->ends, &g);
	if (why == LIST_REJECT_COUNT && m->except.len)
		why = LIST_REJECT_MODIFIER;
	if (why == LIST_REJECT_COUNT)
		why = answer_policy_class(p, exception, m, &rule_class);
	if (why == LIST_REJECT_COUNT && g.is_pattern && rule_class == RULE_CLASS_UNREWRITE)
		why = LIST_REJECT_REWRITE;
	if (why != LIST_REJECT_COUNT)
		return why;
	struct list_rule rule =
		make_rule(p, rule_class, g.is_pattern ? RULE_COVERS_ALL : RULE_COVERS_BELOW, m);
	if (g.is_pattern) {
		give_pattern(p, &rule, m, g.text, g.len);
		return LIST_REJECT_COUNT;
	}
	without_records(&rule);
	rule.kind.globs = 1;
	rule.name = &g.name;
	rule.glob = g.text;
	rule.glob_len = g.len;
	give(p, &rule, m);
	return LIST_REJECT_COUNT;
}

// A rule about answers, of any type.
static enum list_reject take_address(struct list_parser *p, const struct ip_address *prefix,
	bool exception, const struct list_modifiers *m)
{
	enum rule_class rule_class;
	enum list_reject why = answer_policy_class(p, exception, m, &rule_class);
	if (why == LIST_REJECT_COUNT && (m->except.len || m->types.count))
		why = LIST_REJECT_MODIFIER;
	if (why == LIST_REJECT_COUNT && rule_class == RULE_CLASS_UNREWRITE)
		why = LIST_REJECT_REWRITE;
	if (why != LIST_REJECT_COUNT)
		return why;
	struct list_rule rule = make_rule(p, rule_class, RULE_COVERS_ALL, m);
	without_records(&rule);
	rule.what = LIST_RULE_ADDRESS;
	rule.prefix = *prefix;
	give(p, &rule, m);
	return LIST_REJECT_COUNT;
}

static enum list_reject take_name(struct list_parser *p, struct list_text line, bool exception)
{
	struct list_modifiers m;
	struct ip_address prefix;
	struct dns_name name;
	enum rule_class rule_class;
	bool excepts = false;
	struct list_text options = line, body = list_text_cut(&options, '$');
	enum list_reject why = list_modifiers_read(p, options, &m);
	const struct body b = cut_anchors(body);
	if (list_text_has_any(b.text, "/"))
		return LIST_REJECT_URL;
	if (why != LIST_REJECT_COUNT)
		return why;
	if (b.covers != RULE_COVERS_BELOW && list_answer_read(b.text, &prefix))
		return take_address(p, &prefix, exception, &m);
	if (is_every_name(b.text))
		return take_types(p, exception, &m);
	if (b.is_glob)
		return take_glob(p, &b, exception, &m);
	if (list_text_has_any(b.text, "^|"))
		return LIST_REJECT_FILTER;
	why = answer_policy_class(p, exception, &m, &rule_class);
	if (why == LIST_REJECT_COUNT)
		why = list_name_read(b.text, p->options.force, &name);
	if (why == LIST_REJECT_COUNT && m.except.len)
		why = answer_policy_except(m.except, &name, &excepts);
	if (why != LIST_REJECT_COUNT)
		return why;
	struct list_rule rule = make_rule(p, rule_class, b.covers, &m);
	rule.name = &name;
	rule.kind.base |= excepts ? RULE_EXCEPTED : 0;
	give(p, &rule, &m);
	if (excepts)
		give_except(p, &m, &name);
	return LIST_REJECT_COUNT;
}

void list_adblock_line(struct list_parser *p, struct list_text line)
{
	enum list_reject why;
	bool exception = list_text_starts(line, LIST_TEXT("@@"));
	struct list_text rule = exception ? list_text_skip(line, 2) : line;
	if (rule.len && rule.at[0] == '/')
		why = take_pattern(p, rule, exception);
	else if (is_cosmetic(line))
		why = LIST_REJECT_COSMETIC;
	else
		why = take_name(p, rule, exception);
	if (why != LIST_REJECT_COUNT)
		list_refuse(p, why);
}
