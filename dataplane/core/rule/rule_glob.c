// SPDX-License-Identifier: BSD-3-Clause

// Globs: which names below a listed one a rule such as `||ads-*.example.com^` covers. Of the packet
// path, for queries below such a name alone.

#include "rule_find.h"

#include <string.h>
#include <weir/rule_data.h>

uint32_t rule_glob_first(const struct rule_reader *r, uint64_t fingerprint)
{
	uint32_t from = 0, count = r->glob_count;
	while (count > 0) {
		const uint32_t half = count / 2;
		const uint64_t *at = &r->glob[from + half].fingerprint;
		const bool before = __atomic_load_n(at, __ATOMIC_RELAXED) < fingerprint;
		from += before ? half + 1 : 0;
		count = before ? count - half - 1 : half;
	}
	return from;
}

bool rule_glob_at(
	const struct rule_reader *r, uint32_t i, uint64_t fingerprint, struct rule_glob *out)
{
	if (i >= r->glob_count)
		return false;
	const struct rule_glob_row *row = &r->glob[i];
	const uint32_t off = __atomic_load_n(&row->off, __ATOMIC_RELAXED);
	const unsigned len = load_once(&row->len), list = load_once(&row->list);
	if (__atomic_load_n(&row->fingerprint, __ATOMIC_RELAXED) != fingerprint
		|| len > RULE_GLOB_LEN_MAX || off > r->text_count || len > r->text_count - off
		|| list >= RULE_LISTS_MAX)
		return false;
	*out = (struct rule_glob){.text = r->texts + off, .len = len, .list = list};
	return true;
}

// The labels in front of a name with so many labels, a dot in front of each. Its length.
static unsigned front_text(const struct dns_name *name, unsigned labels, char out[DNS_NAME_MAX])
{
	unsigned at = 0;
	for (unsigned i = labels; i < name->labels; i++) {
		const unsigned len = name->wire[at];
		out[at] = '.';
		memcpy(out + at + 1, name->wire + at + 1, len);
		at += len + 1;
	}
	return at;
}

// A star first stands for nothing, then for one byte more each time that what follows does not fit.
static bool text_fits(const struct rule_glob *g, const char *text, unsigned len)
{
	unsigned at = 0, in = 0, star = 0, from = 0; // star: place behind the last one
	for (unsigned steps = 0; in < len; steps++) {
		const char c = at < g->len ? g->text[at] : 0;
		if (c == '*') {
			star = ++at;
			from = in;
		} else if (at < g->len && c == text[in]) {
			at++;
			in++;
		} else if (!star || steps >= RULE_GLOB_STEPS_MAX) {
			return false;
		} else {
			at = star;
			in = ++from;
		}
	}
	while (at < g->len && g->text[at] == '*')
		at++;
	return at == g->len;
}

bool rule_glob_fits(const struct rule_glob *g, const struct dns_name *name, unsigned labels)
{
	char text[DNS_NAME_MAX];
	return text_fits(g, text, front_text(name, labels, text));
}

void rule_keep_globs(const struct rule_reader *r, struct rule_set *s, const struct dns_name *name,
	unsigned labels, uint64_t hash)
{
	char text[DNS_NAME_MAX];
	struct rule_set tried = *s, kept = {{0}};
	struct rule_glob g;
	if (!mask(&tried, r->globs))
		return;
	const unsigned len = front_text(name, labels, text);
	const uint32_t first = rule_glob_first(r, hash);
	for (unsigned i = 0; i < RULE_GLOBS_AT_MAX && rule_glob_at(r, first + i, hash, &g); i++) {
		const uint64_t bit = UINT64_C(1) << g.list % 64;
		if (tried.lists[g.list / 64] & ~kept.lists[g.list / 64] & bit
			&& text_fits(&g, text, len))
			kept.lists[g.list / 64] |= bit;
	}
	for (unsigned w = 0; w < 4; w++)
		s->lists[w] &= ~tried.lists[w] | kept.lists[w];
}
