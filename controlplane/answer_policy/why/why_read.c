// SPDX-License-Identifier: BSD-3-Clause
#include "why_read.h"

#include "answer_policy/answer_patterns.h"
#include "lists/list_glob.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/text.h>

// What all hits of a list have in common. False: no list has that number.
static bool hit_begin(
	struct why *w, const struct rule_reader *r, unsigned list, struct why_hit *out)
{
	const struct rule_list_info *info = rule_list_info(r, list);
	if (!info)
		return false;
	*out = (struct why_hit){.list = (uint16_t)list, .kind = info->kind};
	out->source = info->source;
	out->order = (uint16_t)(info->kind.reply == RULE_REPLY_GROUP ? RULE_LISTS_MAX + list
								     : r->way[list].order);
	memcpy(out->title, info->title, sizeof(out->title));
	const struct rule_source_info *source = rule_source_info(r, info->source);
	if (source)
		why_source_add(w, info->source, source->content_hash, info->title);
	return true;
}

// A hit for each glob that the list has at this name.
static void globs_add(struct why *w, const struct rule_reader *r, const struct rule_match *match,
	const struct why_hit *of)
{
	const struct rule_globs at_name = rule_globs_of(r, match->hash);
	const struct dns_name *asked = &w->name[of->name], at = rule_suffix(asked, of->labels);
	struct rule_glob g;
	for (uint32_t i = 0; i < at_name.count; i++) {
		char text[LIST_GLOB_TEXT_MAX];
		struct why_hit h = *of;
		if (!rule_glob_at(r, at_name.first + i, &g) || g.list != of->list)
			continue;
		h.misses = !rule_glob_fits(&g, asked, of->labels);
		text_escape(list_glob_text(g.text, g.len, &at, text), h.text, sizeof(h.text));
		why_hit_add(w, &h);
	}
}

void why_read_name(struct why *w, unsigned name, const struct rule_reader *r)
{
	struct rule_match match[RULE_LABELS_MAX];
	unsigned count = rule_holders(r, &w->name[name], match);
	for (unsigned i = 0; i < count; i++) {
		for (unsigned list = 0; list < RULE_LISTS_MAX; list++) {
			struct why_hit h;
			if (!(match[i].set.lists[list / 64] >> list % 64 & 1)
				|| !hit_begin(w, r, list, &h))
				continue;
			h.name = (uint8_t)name;
			h.labels = match[i].labels;
			if (h.kind.globs)
				globs_add(w, r, &match[i], &h);
			else
				why_hit_add(w, &h);
		}
	}
}

static bool prefix_has(const struct rule_prefix_row *p, const struct ip_address *a)
{
	return p->version == a->version && p->length <= (p->version == 4 ? 32 : 128)
	       && bits_same(p->bytes, a->bytes, p->length);
}

static void address_hit(struct why *w, const struct rule_reader *r, const struct rule_prefix_row *p,
	unsigned address)
{
	struct ip_address prefix = {.version = p->version, .prefix_len = p->length};
	char text[SOCKET_ADDRESS_TEXT_MAX];
	struct why_hit h;
	if (!hit_begin(w, r, p->list, &h))
		return;
	memcpy(prefix.bytes, p->bytes, sizeof(prefix.bytes));
	h.what = WHY_ADDRESS;
	h.prefix = prefix;
	h.name = (uint8_t)address;
	snprintf(h.text, sizeof(h.text), "%s", ip_address_text(&prefix, true, text));
	why_hit_add(w, &h);
}

void why_read_addresses(struct why *w, const struct rule_reader *r)
{
	struct rule_prefix_row p;
	for (uint32_t i = 0; w->addresses && i < r->prefix_count; i++) {
		if (!rule_prefix_at(r, i, &p))
			continue;
		for (unsigned k = 0; k < w->addresses; k++)
			if (prefix_has(&p, &w->address[k]))
				address_hit(w, r, &p, k);
	}
}

// Which patterns apply to a name: the compiled ones of the control plane only say of which list.

static size_t texts_len(const struct rule_reader *r)
{
	size_t len = 0;
	struct rule_pattern p;
	for (uint32_t i = 0; i < r->pattern_count && i < WHY_PATTERNS_MAX; i++)
		if (rule_pattern_at(r, i, &p))
			len += p.len;
	return len;
}

static void copy_one(
	const struct rule_reader *r, uint32_t i, uint32_t *off, struct why_patterns *to)
{
	struct rule_pattern p;
	if (!rule_pattern_at(r, i, &p))
		return;
	const struct rule_list_info *info = rule_list_info(r, p.list);
	const struct rule_source_info *source = info ? rule_source_info(r, info->source) : NULL;
	if (!source)
		return;
	struct why_pattern *out = &to->pattern[to->count++];
	*out = (struct why_pattern){.list = (uint16_t)p.list,
		.len = (uint16_t)p.len,
		.source = info->source,
		.off = *off,
		.content_hash = source->content_hash,
		.kind = info->kind,
		.inverts = p.inverts};
	memcpy(out->title, info->title, sizeof(out->title));
	memcpy(to->text + *off, p.text, p.len);
	*off += (uint32_t)p.len;
}

int why_patterns_copy(const struct rule_reader *r, struct why_patterns *out)
{
	uint32_t count = r->pattern_count < WHY_PATTERNS_MAX ? r->pattern_count : WHY_PATTERNS_MAX;
	struct why_patterns p = {0};
	uint32_t off = 0;
	p.pattern = heap_malloc((count + 1) * sizeof(*p.pattern));
	p.text = heap_malloc(texts_len(r) + 1);
	if (!p.pattern || !p.text) {
		why_patterns_free(&p);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++)
		copy_one(r, i, &off, &p);
	*out = p;
	return 0;
}

void why_patterns_free(struct why_patterns *p)
{
	FREE_AND_NULL(p->pattern);
	FREE_AND_NULL(p->text);
	*p = (struct why_patterns){0};
}

static void hit_add(struct why *w, unsigned name, const struct why_patterns *p,
	const struct why_pattern *pattern)
{
	struct why_hit h = {.what = WHY_PATTERN,
		.name = (uint8_t)name,
		.list = pattern->list,
		.source = pattern->source,
		.order = pattern->list,
		.kind = pattern->kind,
		.pattern = p->text + pattern->off,
		.pattern_len = pattern->len,
		.inverts = pattern->inverts};
	char text[WHY_WORD_MAX];
	size_t len = pattern->len < sizeof(text) - 1 ? pattern->len : sizeof(text) - 1;
	memcpy(text, p->text + pattern->off, len);
	text[len] = 0;
	text_escape(text, h.text, sizeof(h.text));
	memcpy(h.title, pattern->title, sizeof(h.title));
	why_source_add(w, pattern->source, pattern->content_hash, pattern->title);
	why_hit_add(w, &h);
}

static void names_match(struct why *w, const struct why_patterns *p, unsigned first,
	const struct answer_patterns *compiled, struct answer_pattern_scratch *scratch)
{
	for (unsigned n = 0; n < w->names; n++) {
		char text[DNS_NAME_TEXT_MAX];
		struct rule_set found = {{0}};
		dns_name_to_text(&w->name[n], text);
		answer_patterns_match(compiled, scratch, text, strlen(text), &found);
		for (unsigned i = 0; i < RULE_LISTS_MAX; i++)
			if (found.lists[i / 64] >> i % 64 & 1)
				hit_add(w, n, p, &p->pattern[first + i]);
	}
}

// Matches as many at a time as a set of lists has bits: each has another number, so that the set
// says which one matched. What there is no time left for might have been a hit.
static int portion_match(struct why *w, const struct why_patterns *p, unsigned first,
	unsigned count, uint64_t deadline_ms)
{
	const struct answer_pattern_limits limits = {.budget_ms = WHY_PATTERNS_MS,
		.bytes = ANSWER_PATTERNS_BYTES_MAX,
		.until_ms = deadline_ms};
	struct answer_pattern one[RULE_LISTS_MAX];
	struct answer_pattern_counts counts;
	struct answer_patterns *compiled;
	struct answer_pattern_scratch *scratch = NULL;
	for (unsigned i = 0; i < count; i++) {
		const struct why_pattern *from = &p->pattern[first + i];
		const uint8_t of = from->kind.rule_class;
		const bool is_own = of == RULE_CLASS_OPERATOR_DENY
				    || of == RULE_CLASS_OPERATOR_ALLOW || of == RULE_CLASS_LOCAL;
		one[i] = (struct answer_pattern){
			i, p->text + from->off, from->len, is_own, from->inverts};
	}
	int err = answer_patterns_new(&compiled, one, count, &limits, &counts);
	w->hits_left_out += counts.refused_time;
	if (err || !compiled)
		return err;
	err = answer_pattern_scratch_new(compiled, &scratch);
	if (!err)
		names_match(w, p, first, compiled, scratch);
	answer_pattern_scratch_free(scratch);
	answer_patterns_free(compiled);
	return err;
}

int why_patterns_match(struct why *w, const struct why_patterns *p, const _Atomic bool *stop)
{
	uint64_t deadline_ms = clock_mono_ms() + WHY_PATTERNS_MS;
	for (unsigned first = 0; first < p->count; first += RULE_LISTS_MAX) {
		if (atomic_load(stop))
			return -ECANCELED;
		unsigned left = p->count - first;
		int err = portion_match(
			w, p, first, left < RULE_LISTS_MAX ? left : RULE_LISTS_MAX, deadline_ms);
		if (err)
			return err;
	}
	return 0;
}
