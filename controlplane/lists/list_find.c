// SPDX-License-Identifier: BSD-3-Clause
#include "list_find.h"

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
