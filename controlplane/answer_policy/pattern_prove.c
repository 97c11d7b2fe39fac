// SPDX-License-Identifier: BSD-3-Clause
#include "answer_patterns.h"

#include <weir/pattern_prove.h>

static void patterns_prove(
	const struct config_proof *p, const char *key, char *const *pattern, unsigned count)
{
	char why[ANSWER_PATTERN_WHY_MAX];
	for (unsigned i = 0; i < count; i++)
		if (!answer_pattern_reads(pattern[i], why))
			config_proof_refuse(p, key, "/%.200s/: %s", pattern[i], why);
}

void pattern_prove(const struct config *c, const struct config_proof *p)
{
	const struct config_blocking *b = &c->blocking;
	char key[64];
	patterns_prove(p, "blocking.allow", b->allow_patterns, b->allow_pattern_count);
	patterns_prove(p, "blocking.deny", b->deny_patterns, b->deny_pattern_count);
	for (unsigned i = 0; i < c->group_count; i++) {
		const struct config_group *g = &c->groups[i];
		snprintf(key, sizeof(key), "groups[%u].allow", i);
		patterns_prove(p, key, g->allow.patterns, g->allow.pattern_count);
		snprintf(key, sizeof(key), "groups[%u].deny", i);
		patterns_prove(p, key, g->deny.patterns, g->deny.pattern_count);
	}
}

void pattern_prove_change(const struct config *running, const struct config *c,
	const struct config_bundle *texts, struct config_errors *errors)
{
	struct config_errors known = {0};
	pattern_prove(running, &(struct config_proof){.errors = &known});
	pattern_prove(c, &(struct config_proof){.texts = texts, .known = &known, .errors = errors});
}
