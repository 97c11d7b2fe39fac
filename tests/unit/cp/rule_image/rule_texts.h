// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Images of lists as text, and what they decide.

#include "controlplane/lists/list_parse.h"
#include "rule_fixture.h"

static inline void rule_text_add(struct rule_builder *b, const char *title, const char *text)
{
	const struct list_options options = {0};
	struct list_parser p;
	assert_int_equal(rule_builder_source(b, title), 0);
	list_parse_begin(&p, &options, rule_builder_rule, b);
	assert_int_equal(list_parse_feed(&p, text, strlen(text)), 0);
	assert_int_equal(list_parse_end(&p), 0);
}

// Of up to four lists, "list 0" the first; empty operator's entries are in front of them.
static inline struct rule_reader rule_texts_image(const char *const text[4], struct rule_arena *out)
{
	struct rule_builder *b = fixture_builder();
	struct rule_reader r;
	char why[128];
	rule_text_add(b, "allow entries", "");
	rule_text_add(b, "deny entries", "");
	for (unsigned i = 0; i < 4 && text[i]; i++)
		rule_text_add(b, text_from("list %u", i), text[i]);
	fixture_finish(b, out);
	assert_int_equal(rule_reader_init(&r, out->base, out->size, true, why), 0);
	return r;
}

// "pass", or the action, the reply and the list: "block nxdomain 0".
static inline const char *rule_texts_say(
	const struct rule_reader *r, const char *name, uint16_t qtype)
{
	static const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	const struct dns_name asked = fixture_name(name);
	struct rule_verdict v;
	rule_decide(r, &asked, qtype, all, &v);
	if (!v.d.matched)
		return "pass";
	return text_from("%s %s %u", v.d.allowed ? "allow" : rule_action_name[v.d.action],
		rule_reply_name[v.d.reply], rule_list_info(r, v.d.list)->source - 2U);
}
