// SPDX-License-Identifier: BSD-3-Clause

// Globs: which names below a listed one a rule such as `||ads-*.example.com^` covers. Of the packet
// path, for queries below such a name alone.

#include "rule_find.h"

#include <string.h>
#include <weir/rule_data.h>

static const struct rule_glob_name *find_name(const struct rule_reader *r, uint64_t fingerprint)
{
	if (r->glob_homes == 0)
		return NULL;
	const struct rule_glob_name *n = &r->glob_names[rule_slot_of(fingerprint, r->glob_homes)];
	for (const struct rule_glob_name *last = n + RULE_WALK_MAX; n <= last; n++) {
		const uint64_t at = __atomic_load_n(&n->fingerprint, __ATOMIC_RELAXED);
		if (likely_(at == fingerprint))
			return n;
		if (!at)
			return NULL;
	}
	return NULL;
}

struct rule_globs rule_globs_of(const struct rule_reader *r, uint64_t fingerprint)
{
	const struct rule_glob_name *n = find_name(r, fingerprint);
	if (!n)
		return (struct rule_globs){0};
	const uint32_t count = __atomic_load_n(&n->globs, __ATOMIC_RELAXED);
	return (struct rule_globs){
		.first = __atomic_load_n(&n->first, __ATOMIC_RELAXED),
		.count = count < RULE_GLOBS_AT_MAX ? count : RULE_GLOBS_AT_MAX,
	};
}

bool rule_glob_at(const struct rule_reader *r, uint32_t i, struct rule_glob *out)
{
	if (i >= r->glob_count)
		return false;
	const struct rule_glob_row *row = &r->glob[i];
	const uint32_t off = __atomic_load_n(&row->off, __ATOMIC_RELAXED);
	const unsigned len = __atomic_load_n(&row->len, __ATOMIC_RELAXED);
	if (len > RULE_GLOB_LEN_MAX || off > r->text_count || len > r->text_count - off)
		return false;
	*out = (struct rule_glob){.text = r->texts + off,
		.len = len,
		.list = __atomic_load_n(&row->list, __ATOMIC_RELAXED),
		.hint = __atomic_load_n(&row->hint, __ATOMIC_RELAXED)};
	return true;
}

// The hints that the labels in front of a name fulfil: bits of those by which one begins, by which
// the last one ends, and all others. Without such labels none.
struct hints {
	uint64_t has[4];
};

static inline struct hints hints_of(const struct dns_name *name, unsigned labels)
{
	const uint8_t *at = name->wire;
	uint64_t begins = 0;
	for (unsigned i = labels; i < name->labels; i++) {
		begins |= UINT64_C(1) << rule_glob_pair(at[1], at[2]);
		at += at[0] + 1;
	}
	if (!begins)
		return (struct hints){{0}};
	return (struct hints){
		{begins, UINT64_C(1) << rule_glob_pair(at[-2], at[-1]), UINT64_MAX, UINT64_MAX}};
}
static_assert(RULE_GLOB_ENDS == 64 && RULE_GLOB_OPEN == 128);

static inline bool has_hint(const struct hints *h, unsigned hint)
{
	return h->has[hint / 64 % 4] >> hint % 64 & 1;
}

static inline bool may_fit(const struct rule_glob_name *n, const struct hints *h)
{
	const uint64_t begins = __atomic_load_n(&n->begins, __ATOMIC_RELAXED);
	return (begins & h->has[0]) | (__atomic_load_n(&n->ends, __ATOMIC_RELAXED) & h->has[1])
	       || begins == UINT64_MAX;
}

void rule_probe_globs(
	const struct rule_reader *r, const struct dns_name *name, struct rule_probe *p)
{
	for (uint64_t left = p->candidates; left; left &= left - 1) {
		const unsigned i = (unsigned)__builtin_ctzll(left);
		const unsigned bit = p->hash[i] % (1 << RULE_GLOB_SEEN_BITS);
		if (likely_(!(r->glob_seen[bit / 64] >> bit % 64 & 1)))
			continue;
		const struct rule_glob_name *n = find_name(r, p->hash[i]);
		if (!n)
			continue;
		const struct hints h = hints_of(name, probe_labels(p, i));
		if (!may_fit(n, &h))
			p->candidates ^= left & -left;
	}
}

// The labels in front of a name with so many labels, a dot in front of each. Its length.
static unsigned front_text(const struct dns_name *name, unsigned labels, char out[DNS_NAME_MAX])
{
	unsigned len = 0;
	for (unsigned i = labels; i < name->labels; i++)
		len += name->wire[len] + 1U;
	memcpy(out, name->wire, len);
	for (unsigned at = 0; at < len; at += name->wire[at] + 1U)
		out[at] = '.';
	return len;
}

// A star first stands for nothing, then for one byte more each time that what follows does not fit.
static bool text_fits(const struct rule_glob *g, const char *text, unsigned len)
{
	unsigned at = 0, in = 0, star = 0, from = 0; // star: place behind the last one
	for (unsigned steps = 0; in < len; steps++) {
		const char c = at < g->len ? g->text[at] : 0;
		if (c == '*' && at + 1 == g->len) {
			return true;
		} else if (c == '*') {
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
	const struct hints h = hints_of(name, labels);
	return has_hint(&h, g->hint) && text_fits(g, text, front_text(name, labels, text));
}

// The lists of those tried that have a glob which fits.
static struct rule_set fitting(const struct rule_reader *r, const struct rule_set *tried,
	const struct dns_name *name, unsigned labels, uint64_t hash)
{
	char text[DNS_NAME_MAX];
	struct rule_set kept = {{0}};
	const struct rule_globs globs = rule_globs_of(r, hash);
	const struct hints h = hints_of(name, labels);
	const unsigned len = front_text(name, labels, text);
	for (uint32_t k = 0; k < globs.count && globs.first + k < r->glob_count; k++) {
		const uint32_t i = globs.first + k;
		const unsigned hint = __atomic_load_n(&r->glob[i].hint, __ATOMIC_RELAXED);
		struct rule_glob g;
		if (!has_hint(&h, hint) || !rule_glob_at(r, i, &g))
			continue;
		const uint64_t bit = UINT64_C(1) << g.list % 64;
		if (tried->lists[g.list / 64] & ~kept.lists[g.list / 64] & bit
			&& text_fits(&g, text, len))
			kept.lists[g.list / 64] |= bit;
	}
	return kept;
}

void rule_keep_globs(const struct rule_reader *r, struct rule_set *s, const struct dns_name *name,
	unsigned labels, uint64_t hash)
{
	struct rule_set tried = *s;
	if (!mask(&tried, r->globs))
		return;
	const struct rule_set kept = fitting(r, &tried, name, labels, hash);
	for (unsigned w = 0; w < 4; w++)
		s->lists[w] &= ~tried.lists[w] | kept.lists[w];
}
