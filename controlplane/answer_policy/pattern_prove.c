// SPDX-License-Identifier: BSD-3-Clause
#include "answer_patterns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/pattern_prove.h>

typedef void patterns_fn(void *arg, const char *key, char *const *pattern, unsigned count);

static void patterns_each(const struct config *c, patterns_fn *each, void *arg)
{
	const struct config_blocking *b = &c->blocking;
	char key[64];
	each(arg, "blocking.allow", b->allow_patterns, b->allow_pattern_count);
	each(arg, "blocking.deny", b->deny_patterns, b->deny_pattern_count);
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		snprintf(key, sizeof(key), "groups[%u].allow", i);
		each(arg, key, g->allow.patterns, g->allow.pattern_count);
		snprintf(key, sizeof(key), "groups[%u].deny", i);
		each(arg, key, g->deny.patterns, g->deny.pattern_count);
	}
	for (unsigned i = 0; i < c->dated.count; i++) {
		const struct config_dated_entry *e = &c->dated.entries[i];
		snprintf(key, sizeof(key), "entries[%u].name", i);
		if (e->pattern && config_dated_is_special(e))
			each(arg, key, &e->pattern, 1);
	}
}

// A text of the configuration, wherever and however often it stands there.
struct proven {
	const char *text;
	bool is_known; // the running configuration has it, too
	bool is_tried, is_good;
	char why[ANSWER_PATTERN_WHY_MAX];
};

struct prove {
	const struct config_proof *to;
	struct proven *text; // sorted
	size_t count;
	struct answer_pattern_spent spent;
};

static int text_compare(const void *a, const void *b)
{
	return strcmp(((const struct proven *)a)->text, ((const struct proven *)b)->text);
}

static void pattern_count(void *arg, const char *, char *const *, unsigned count)
{
	*(size_t *)arg += count;
}

static void pattern_take(void *arg, const char *, char *const *pattern, unsigned count)
{
	struct prove *p = arg;
	for (unsigned i = 0; i < count; i++)
		p->text[p->count++].text = pattern[i];
}

// Collects the texts, each once. False: the configuration has no texts, or there is no memory for
// them (refused).
static bool texts_take(struct prove *p, const struct config *c)
{
	size_t room = 0, count = 0;
	patterns_each(c, pattern_count, &room);
	p->text = room ? heap_calloc(room, sizeof(*p->text)) : NULL;
	if (!p->text && room)
		config_proof_refuse(p->to, "blocking", "its patterns: out of memory");
	if (!p->text)
		return false;
	patterns_each(c, pattern_take, p);
	qsort(p->text, p->count, sizeof(*p->text), text_compare);
	for (size_t i = 0; i < p->count; i++)
		if (count == 0 || strcmp(p->text[i].text, p->text[count - 1].text) != 0)
			p->text[count++] = p->text[i];
	p->count = count;
	return true;
}

static struct proven *text_find(const struct prove *p, const char *text)
{
	const struct proven wanted = {.text = text};
	return bsearch(&wanted, p->text, p->count, sizeof(wanted), text_compare);
}

static void known_mark(void *arg, const char *, char *const *pattern, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct proven *t = text_find(arg, pattern[i]);
		if (t)
			t->is_known = true;
	}
}

// Tries the texts in the order of the configuration, so that the first ones get the time. A text is
// paid for once, as it is compiled once (answer_patterns.h).
static void texts_try(struct prove *p, char *const *pattern, unsigned count, bool is_known)
{
	for (unsigned i = 0; i < count; i++) {
		struct proven *t = text_find(p, pattern[i]);
		if (t->is_tried || t->is_known != is_known)
			continue;
		t->is_tried = true;
		t->is_good = answer_pattern_proves(t->text, &p->spent, t->why);
	}
}

// Counts the cost of the patterns in force, also of those that the change removes.
static void known_spend(void *arg, const char *, char *const *pattern, unsigned count)
{
	texts_try(arg, pattern, count, true);
}

static void prove_some(void *arg, const char *key, char *const *pattern, unsigned count)
{
	const struct prove *p = arg;
	texts_try(arg, pattern, count, false);
	for (unsigned i = 0; i < count; i++) {
		const struct proven *t = text_find(p, pattern[i]);
		if (!t->is_known && !t->is_good)
			config_proof_refuse(p->to, key, "/%.200s/: %s", t->text, t->why);
	}
}

static bool has_news(const struct prove *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (!p->text[i].is_known)
			return true;
	return false;
}

void pattern_prove(const struct config *c, const struct config_proof *proof)
{
	struct prove p = {.to = proof};
	if (texts_take(&p, c))
		patterns_each(c, prove_some, &p);
	heap_free(p.text);
}

void pattern_prove_change(const struct config *running, const struct config *c,
	const struct config_bundle *texts, struct config_errors *errors)
{
	struct prove p = {.to = &(struct config_proof){.texts = texts, .errors = errors}};
	if (texts_take(&p, c)) {
		patterns_each(running, known_mark, &p);
		if (has_news(&p)) {
			patterns_each(c, known_spend, &p);
			patterns_each(c, prove_some, &p);
		}
	}
	heap_free(p.text);
}
