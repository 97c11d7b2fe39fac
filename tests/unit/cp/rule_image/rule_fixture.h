// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Small images for tests of the rules, from lists written as text.

#include "controlplane/rule_image/rule_build.h"
#include "tests/unit/unit.h"

static inline struct keyhash_secret fixture_secret(void)
{
	struct keyhash_secret s;
	for (size_t i = 0; i < sizeof(s.bytes); i++)
		s.bytes[i] = (uint8_t)(i * 151 + 17);
	return s;
}

static inline struct dns_name fixture_name(const char *text)
{
	struct dns_name name;
	if (dns_name_from_text(text, strlen(text), &name) != 0)
		fail_msg("bad name in a test: %s", text);
	return name;
}

static inline struct rule_builder *fixture_builder(void)
{
	struct keyhash_secret secret = fixture_secret();
	struct rule_builder *b;
	assert_int_equal(rule_builder_new(&secret, NULL, 0, &b), 0);
	return b;
}

static inline void fixture_arena_end(void *a)
{
	rule_arena_free(a);
	free(a);
}

// Empty, until the end of the case.
static inline struct rule_arena *fixture_arena(void)
{
	struct rule_arena *a = calloc(1, sizeof(*a));
	assert_non_null(a);
	unit_at_end(fixture_arena_end, a);
	return a;
}

static inline void fixture_finish(struct rule_builder *b, struct rule_arena *out)
{
	assert_int_equal(rule_builder_finish(b, 77, 1234, out), 0);
	rule_builder_free(b);
}

// Of the current source. List 0 is the operator's allow entries, list 1 his deny entries.
static inline int fixture_add(struct rule_builder *b, enum rule_class rule_class, const char *text)
{
	struct dns_name name = fixture_name(text);
	struct list_rule rule = rule_of_name(rule_class, &name);
	return rule_builder_rule(b, &rule);
}

// One string of blank-separated names per source, the operator's two first; "+" in front makes an
// allow list. Source i with names is list i.
static inline struct rule_reader fixture_image(
	const char *const *lists, unsigned count, struct rule_arena *out)
{
	struct rule_builder *b = fixture_builder();
	struct rule_reader r;
	char why[128];
	for (unsigned i = 0; i < count; i++) {
		const char *text = lists[i];
		enum rule_class rule_class = i == RULE_LIST_ALLOW  ? RULE_CLASS_OPERATOR_ALLOW
					     : i == RULE_LIST_DENY ? RULE_CLASS_OPERATOR_DENY
					     : *text == '+'        ? RULE_CLASS_ALLOW
								   : RULE_CLASS_BLOCK;
		char copy[4096], *rest = copy, *word;
		strcpy(copy, text + (*text == '+'));
		assert_int_equal(rule_builder_source(b, "list"), 0);
		while ((word = strtok_r(rest, " ", &rest)))
			assert_int_equal(fixture_add(b, rule_class, word), 0);
	}
	fixture_finish(b, out);
	assert_int_equal(rule_reader_init(&r, out->base, out->size, true, why), 0);
	return r;
}
