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
}

struct prove {
	const struct config_proof *to;
	const char **known; // sorted; NULL: none
	size_t known_count;
	size_t news; // patterns that are not known
	struct answer_pattern_spent spent;
};

static int text_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_known(const struct prove *p, char *const *pattern)
{
	return p->known
	       && bsearch(pattern, p->known, p->known_count, sizeof(*p->known), text_compare);
}

static void prove_some(void *arg, const char *key, char *const *pattern, unsigned count)
{
	struct prove *p = arg;
	char why[ANSWER_PATTERN_WHY_MAX];
	for (unsigned i = 0; i < count; i++)
		if (!is_known(p, &pattern[i]) && !answer_pattern_proves(pattern[i], &p->spent, why))
			config_proof_refuse(p->to, key, "/%.200s/: %s", pattern[i], why);
}

static void new_count(void *arg, const char *, char *const *pattern, unsigned count)
{
	struct prove *p = arg;
	for (unsigned i = 0; i < count; i++)
		p->news += !is_known(p, &pattern[i]);
}

// What those cost that are there already, whatever becomes of them.
static void known_spend(void *arg, const char *, char *const *pattern, unsigned count)
{
	struct prove *p = arg;
	char why[ANSWER_PATTERN_WHY_MAX];
	for (unsigned i = 0; i < count; i++)
		if (is_known(p, &pattern[i]))
			(void)answer_pattern_proves(pattern[i], &p->spent, why);
}

static void known_count(void *arg, const char *, char *const *, unsigned count)
{
	*(size_t *)arg += count;
}

static void known_take(void *arg, const char *, char *const *pattern, unsigned count)
{
	struct prove *p = arg;
	for (unsigned i = 0; i < count; i++)
		p->known[p->known_count++] = pattern[i];
}

void pattern_prove(const struct config *c, const struct config_proof *proof)
{
	patterns_each(c, prove_some, &(struct prove){.to = proof});
}

void pattern_prove_change(const struct config *running, const struct config *c,
	const struct config_bundle *texts, struct config_errors *errors)
{
	const struct config_proof to = {.texts = texts, .errors = errors};
	struct prove p = {.to = &to};
	size_t count = 0;
	patterns_each(running, known_count, &count);
	p.known = count ? heap_calloc(count, sizeof(*p.known)) : NULL;
	if (p.known) {
		patterns_each(running, known_take, &p);
		qsort(p.known, p.known_count, sizeof(*p.known), text_compare);
	}
	patterns_each(c, new_count, &p);
	if (p.news) {
		patterns_each(c, known_spend, &p);
		patterns_each(c, prove_some, &p);
	}
	heap_free(p.known);
}
