// SPDX-License-Identifier: BSD-3-Clause

// Lists: however the bytes are cut into pieces the rules are the same, each name is one that a
// list may hold, and every line is counted once. The first byte chooses role, format and force.

#include "controlplane/lists/list_name.h"
#include "controlplane/lists/list_parse.h"
#include "controlplane/lists/zone_suffix.h"
#include "fuzz.h"

#include <weir/rule_image.h>

struct taken {
	uint64_t sum, count, last_line;
	bool force;
	struct dns_name last;
};

static void check_name(const struct taken *t, const struct list_rule *rule)
{
	struct dns_name again;
	char text[DNS_NAME_TEXT_MAX];
	bool force = t->force || rule->kind.rule_class == RULE_CLASS_EXCEPT;
	FUZZ_CHECK(rule->name->labels >= (force ? 1 : 2));
	FUZZ_CHECK(rule->name->labels <= RULE_LABELS_MAX);
	dns_name_to_text(rule->name, text);
	struct list_text copy = {text, strlen(text)};
	FUZZ_CHECK(list_name_read(copy, force, &again) == LIST_REJECT_COUNT);
	FUZZ_CHECK(dns_name_equal(rule->name, &again));
	FUZZ_CHECK(force || !suffix_is_public(rule->name));
}

static int take(void *arg, const struct list_rule *rule)
{
	struct taken *t = arg;
	const struct rule_kind *k = &rule->kind;
	FUZZ_CHECK(k->rule_class <= RULE_CLASS_EXCEPT || k->rule_class == RULE_CLASS_UNREWRITE);
	FUZZ_CHECK(k->reply < RULE_REPLIES);
	FUZZ_CHECK(k->covers >= RULE_COVERS_SELF && k->covers <= RULE_COVERS_ALL);
	FUZZ_CHECK(k->types.count <= RULE_TYPES_MAX && !k->client[RULE_CLIENT_MAX - 1]);
	FUZZ_CHECK((k->reply == RULE_REPLY_DATA || k->reply == RULE_REPLY_RESOLVE)
		   == (rule->rtype != 0));
	FUZZ_CHECK(rule->line >= t->last_line);
	t->last_line = rule->line;
	uint64_t hash = contenthash(k, sizeof(*k));
	if (rule->what == LIST_RULE_NAME) {
		check_name(t, rule);
		hash += contenthash(rule->name->wire, rule->name->len);
		t->last = *rule->name;
	} else if (rule->what == LIST_RULE_PATTERN) {
		FUZZ_CHECK(rule->pattern_len > 0 && rule->pattern_len <= LIST_PATTERN_MAX);
		hash += contenthash(rule->pattern, rule->pattern_len);
	} else {
		FUZZ_CHECK(rule->prefix.prefix_len > 0 && rule->prefix.prefix_len <= 128);
		hash += contenthash(&rule->prefix, sizeof(rule->prefix));
	}
	if (rule->rtype)
		hash += contenthash(rule->rdata, rule->rdata_len);
	t->sum = t->sum * 31 + hash + rule->line;
	t->count++;
	return 0;
}

static struct list_counts parse(const struct list_options *options, const uint8_t *data, size_t len,
	size_t piece, struct taken *t)
{
	static struct list_parser p;
	*t = (struct taken){.force = options->force};
	list_parse_begin(&p, options, take, t);
	for (size_t at = 0; at < len; at += piece)
		FUZZ_CHECK(!list_parse_feed(&p, data + at, piece < len - at ? piece : len - at));
	FUZZ_CHECK(!list_parse_end(&p));
	FUZZ_CHECK(t->last_line <= p.counts.lines);
	return p.counts;
}

static void count_found(void *arg, const struct list_found *found)
{
	FUZZ_CHECK(found->text_len <= LIST_FIND_TEXT_MAX && found->rule->line > 0);
	++*(unsigned *)arg;
}

FUZZ_BODY(data, len)
{
	static struct list_finder finder;
	struct taken whole, cut;
	uint8_t choice = len && data[0] < 32 ? data[0] : 0;
	struct list_options options = {.role = choice & 1 ? LIST_ROLE_ALLOW : LIST_ROLE_BLOCK,
		.force = choice & 2,
		.format = (enum list_format)(choice / 4 % LIST_FORMAT_COUNT)};
	struct list_counts a = parse(&options, data, len, len + 1, &whole);
	struct list_counts b = parse(&options, data, len, len ? 1 + data[0] % 7 : 1, &cut);
	FUZZ_CHECK(memcmp(&a, &b, sizeof(a)) == 0);
	FUZZ_CHECK(whole.sum == cut.sum && whole.count == cut.count);
	FUZZ_CHECK(list_counts_rules(&a) == whole.count);
	FUZZ_CHECK(a.lines == a.comments + a.ruled + a.refused);
	FUZZ_CHECK(a.bytes == len && a.lines <= len && list_counts_rejected(&a) >= a.refused);
	if (a.names) {
		unsigned found = 0;
		struct list_wanted wanted = {.name = &whole.last};
		list_find_begin(&finder, &options, &wanted, 1, 2, count_found, &found);
		(void)list_find_feed(&finder, data, len);
		list_find_end(&finder);
		FUZZ_CHECK(found >= 1 && found <= 2);
	}
	return 0;
}
