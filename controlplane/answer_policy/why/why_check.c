// SPDX-License-Identifier: BSD-3-Clause
// Finds the hit that decides, and the states of the others.

#include "why.h"

#include <stdlib.h>
#include <string.h>

static bool covers(const struct why *w, const struct why_hit *h)
{
	if (h->what != WHY_NAME)
		return true;
	unsigned need = h->labels == w->name[h->name].labels ? RULE_COVERS_SELF : RULE_COVERS_BELOW;
	return h->kind.covers & need && !h->misses;
}

static bool has_list(const uint64_t lists[4], unsigned list)
{
	return lists[list / 64 % 4] >> list % 64 & 1;
}

// The state of a hit by itself.
static enum why_state state_alone(const struct why *w, const struct why_hit *h)
{
	if (!covers(w, h))
		return WHY_NO_COVER;
	if (!rule_types_fit(&h->kind.types, w->qtype))
		return WHY_NO_TYPE;
	if (!has_list(w->lists, h->list))
		return has_list(w->unpaused, h->list) ? WHY_PAUSED : WHY_NO_GROUP;
	switch (h->kind.rule_class) {
	case RULE_CLASS_SAFE:
		return WHY_ADDS;
	case RULE_CLASS_EXCEPT:
	case RULE_CLASS_UNREWRITE:
		return WHY_EXCEPTS;
	case RULE_CLASS_LOCAL:
		return rule_kind_opens(&h->kind) ? WHY_EXCEPTS : WHY_OVERRULED;
	default:
		// The rules say what is allowed even to a group that may ask for nothing.
		return w->enabled && (!w->paused_left_ms || w->client.blocks_all) ? WHY_OVERRULED
										  : WHY_PAUSED;
	}
}

// Does this exception take the rule away? Both apply, and are of one source unless it opens a zone.
static bool takes(const struct why_hit *e, const struct why_hit *h)
{
	const struct rule_kind *of = &h->kind;
	if (rule_kind_opens(&e->kind))
		return e->labels > h->labels && rule_opened_takes(e->source == h->source, of);
	bool whole = e->kind.base == 0 && e->labels > h->labels;
	bool one = e->kind.base == h->labels && of->base & RULE_EXCEPTED
		   && memcmp(&e->kind.types, &of->types, sizeof(of->types)) == 0
		   && strncmp(e->kind.client, of->client, sizeof(of->client)) == 0;
	if (of->rule_class != RULE_CLASS_BLOCK && of->rule_class != RULE_CLASS_ALLOW)
		return false;
	if (h->what == WHY_ADDRESS)
		return whole && e->kind.zone == RULE_ZONE_NONE;
	return of->rule_class == RULE_CLASS_BLOCK ? whole || one
						  : whole && e->kind.zone != RULE_ZONE_NONE;
}

// Does a rule of the same source at a longer name take it away, or an exception for rewrites? From
// an address one at the name asked does.
static bool excepted(const struct why *w, const struct why_hit *h)
{
	unsigned name = h->what == WHY_ADDRESS ? 0 : h->name;
	for (unsigned i = 0; i < w->hits; i++) {
		const struct why_hit *e = &w->hit[i];
		const bool applies =
			e->state == WHY_EXCEPTS && e->what == WHY_NAME && e->name == name;
		const bool of_any = e->kind.rule_class == RULE_CLASS_UNREWRITE;
		const bool may = rule_kind_opens(&e->kind) || strcmp(e->title, h->title) == 0;
		if (applies
			&& (of_any ? h->what != WHY_ADDRESS && rule_takes_back(&e->kind, &h->kind)
				   : may && takes(e, h)))
			return true;
	}
	return false;
}

static bool is_of_zone(const struct why_hit *h)
{
	return h->kind.zone == RULE_ZONE_FIRST && h->kind.rule_class != RULE_CLASS_EXCEPT;
}

// The order of decision, the first one lowest: class, then the nearest where that counts, allow
// before deny, then the order of lists. Policy zones come one after the other.
static uint64_t tier(const struct why_hit *h)
{
	static const uint8_t tiers[RULE_CLASSES] = {
		[RULE_CLASS_LOCAL] = 0,
		[RULE_CLASS_OPERATOR_ALLOW] = 1,
		[RULE_CLASS_OPERATOR_DENY] = 1,
		[RULE_CLASS_IMPORTANT_ALLOW] = 2,
		[RULE_CLASS_IMPORTANT_BLOCK] = 3,
		[RULE_CLASS_UNREWRITE] = 3,
		[RULE_CLASS_ALLOW] = 4,
		[RULE_CLASS_BLOCK] = 6,
		[RULE_CLASS_EXCEPT] = 7,
		[RULE_CLASS_SAFE] = 8,
	};
	enum { TIER_ZONE = 5 };
	return is_of_zone(h) ? TIER_ZONE : tiers[h->kind.rule_class % RULE_CLASSES];
}

static uint64_t rank(const struct why_hit *h)
{
	const uint64_t zone = is_of_zone(h) ? h->source : 0;
	bool deny = h->kind.rule_class == RULE_CLASS_OPERATOR_DENY
		    || h->kind.rule_class == RULE_CLASS_BLOCK;
	return tier(h) << 48 | zone << 32 | (uint64_t)(DNS_LABELS_MAX - h->labels) << 16
	       | (uint64_t)deny << 12 | h->order;
}

// weir checks these subjects one by one, in this order: the name of the question by the rules at
// it, the same name by the patterns, then each name and each address of the answer.
enum { SUBJECT_NAME, SUBJECT_PATTERNS, SUBJECT_ANSWER };

static unsigned subject(const struct why_hit *h)
{
	if (h->what == WHY_ADDRESS)
		return SUBJECT_ANSWER + WHY_NAMES_MAX + h->name;
	if (h->name)
		return SUBJECT_ANSWER + h->name;
	return h->what == WHY_PATTERN ? SUBJECT_PATTERNS : SUBJECT_NAME;
}

static int by_rank(const void *a, const void *b)
{
	const struct why_hit *x = a, *y = b;
	unsigned sx = subject(x), sy = subject(y);
	uint64_t rx = rank(x), ry = rank(y);
	if (sx != sy)
		return sx < sy ? -1 : 1;
	return rx < ry ? -1 : rx > ry;
}

static enum why_verdict verdict_of(const struct why_hit *h)
{
	unsigned reply = h->kind.reply;
	switch (h->kind.rule_class) {
	case RULE_CLASS_ALLOW:
	case RULE_CLASS_IMPORTANT_ALLOW:
	case RULE_CLASS_OPERATOR_ALLOW:
		return WHY_ALLOWED;
	case RULE_CLASS_LOCAL:
		if (reply == RULE_REPLY_RESOLVE)
			return WHY_REWRITTEN;
		return reply == RULE_REPLY_DROP ? WHY_DROPPED : WHY_LOCAL;
	default:
		if (subject(h) >= SUBJECT_ANSWER)
			return WHY_BLOCKED_ANSWER;
		if (subject(h) == SUBJECT_PATTERNS)
			return WHY_BLOCKED;
		return reply == RULE_REPLY_DROP ? WHY_DROPPED : WHY_BLOCKED;
	}
}

// Which hit decides one name or address of the answer, whose hits are from `from` to `end`.
static int subject_decider(const struct why *w, unsigned from, unsigned end)
{
	for (unsigned i = from; i < end; i++)
		if (w->hit[i].state == WHY_OVERRULED)
			return (int)i;
	return -1;
}

// The hit that blocks the first blocked name or address of the answer.
static int answer_decider(const struct why *w)
{
	unsigned end;
	for (unsigned i = 0; i < w->hits; i = end) {
		for (end = i + 1; end < w->hits; end++)
			if (subject(&w->hit[end]) != subject(&w->hit[i]))
				break;
		if (subject(&w->hit[i]) < SUBJECT_ANSWER)
			continue;
		int decider = subject_decider(w, i, end);
		if (decider >= 0 && verdict_of(&w->hit[decider]) == WHY_BLOCKED_ANSWER)
			return decider;
	}
	return -1;
}

// The first hit from `from` on about the name asked, or -1.
static int own_hit(const struct why *w, unsigned from, unsigned its_subject)
{
	for (unsigned i = from; i < w->hits; i++)
		if (subject(&w->hit[i]) == its_subject && w->hit[i].state == WHY_OVERRULED)
			return (int)i;
	return -1;
}

// Does this pattern take away what a list decides by name?
static bool pattern_frees(const struct why *w, int pattern, int name)
{
	if (name < 0)
		return false;
	const struct why_hit *allow = &w->hit[pattern], *block = &w->hit[name];
	bool of_list = block->kind.rule_class == RULE_CLASS_BLOCK
		       || block->kind.rule_class == RULE_CLASS_IMPORTANT_BLOCK;
	return of_list && rank(allow) < rank(block);
}

// Does this pattern block what a list allows by name? The operator's does not.
static bool pattern_insists(const struct why *w, int pattern, int name)
{
	return name >= 0 && verdict_of(&w->hit[name]) == WHY_ALLOWED
	       && w->hit[pattern].kind.rule_class != RULE_CLASS_OPERATOR_DENY
	       && rank(&w->hit[pattern]) < rank(&w->hit[name]);
}

// An allow rule at the name ends it; an allowing pattern keeps other patterns and lists away, but
// not what the answer leads to.
static void deciders_find(struct why *w)
{
	int name = own_hit(w, 0, SUBJECT_NAME), pattern = own_hit(w, 0, SUBJECT_PATTERNS);
	bool allows = pattern >= 0 && verdict_of(&w->hit[pattern]) == WHY_ALLOWED;
	bool frees = allows && pattern_frees(w, pattern, name);
	bool insists = pattern >= 0 && !allows && pattern_insists(w, pattern, name);
	const int order[] = {
		insists ? pattern : -1,
		frees ? -1 : name,
		frees || name < 0 ? -1 : own_hit(w, (unsigned)name + 1, SUBJECT_NAME),
		allows ? -1 : pattern,
		answer_decider(w),
		pattern,
		name,
	};
	w->decider = w->next = -1;
	for (unsigned i = 0; i < ARRAY_LEN(order) && w->next < 0; i++) {
		if (order[i] < 0 || order[i] == w->decider)
			continue;
		if (w->decider < 0)
			w->decider = order[i];
		else
			w->next = order[i];
	}
	for (unsigned i = 0; i < w->hits && w->decider < 0 && w->next < 0; i++)
		if (w->hit[i].state == WHY_PAUSED)
			w->next = (int)i;
}

static enum why_verdict verdict_at(const struct why *w, int hit)
{
	return hit < 0 ? WHY_PASSED : verdict_of(&w->hit[hit]);
}

// Blocks a name without an allow rule during a schedule with block_all. A pattern allows none: the
// packet path cannot match it, and blocks.
static void all_block(struct why *w)
{
	bool left = w->decider < 0 || subject(&w->hit[w->decider]) != SUBJECT_NAME;
	w->all_blocked = w->client.blocks_all && left;
	if (!w->all_blocked)
		return;
	w->next = w->decider;
	w->next_verdict = w->verdict;
	w->decider = -1;
	w->verdict = WHY_BLOCKED;
}

// Is a rule for some types, or may one be, that decides another type of its name? Local data and
// safe search are for all types that there is something to say about.
static bool is_of_types(const struct why *w, const struct why_hit *h)
{
	const unsigned none = 1U << RULE_CLASS_LOCAL | 1U << RULE_CLASS_SAFE;
	return h->kind.types.count && covers(w, h) && !(none >> h->kind.rule_class & 1);
}

// A rule at the name that decides does so for each type, so weaker rules change nothing. Answers
// are searched for all groups at once, so there all rules count, and each address.
static bool is_typed(const struct why *w)
{
	const struct why_hit *d = w->decider < 0 ? NULL : &w->hit[w->decider];
	const bool by_answer = d && subject(d) >= SUBJECT_ANSWER;
	const bool by_name = !d || subject(d) == SUBJECT_NAME;
	bool typed = by_answer && (w->qtype == DNS_TYPE_HTTPS || w->qtype == DNS_TYPE_SVCB);
	for (unsigned i = 0; i < w->hits && !typed; i++) {
		const struct why_hit *h = &w->hit[i];
		if (h->what == WHY_ADDRESS)
			typed = by_answer && h->state != WHY_EXCEPTED;
		else if (is_of_types(w, h) && by_name)
			typed = h->name == 0 && has_list(w->lists, h->list)
				&& h->kind.rule_class != RULE_CLASS_EXCEPT
				&& (!d || tier(h) <= tier(d));
		else
			typed = is_of_types(w, h) && (by_answer || h->name == 0);
	}
	return typed;
}

void why_check(struct why *w)
{
	qsort(w->hit, w->hits, sizeof(*w->hit), by_rank);
	w->safe = false;
	for (unsigned i = 0; i < w->hits; i++) {
		struct why_hit *h = &w->hit[i];
		h->state = state_alone(w, h);
		w->safe |= subject(h) == SUBJECT_NAME && h->state == WHY_ADDS;
	}
	for (unsigned i = 0; i < w->hits; i++) {
		struct why_hit *h = &w->hit[i];
		bool may = h->state == WHY_OVERRULED || h->state == WHY_PAUSED;
		if (may && excepted(w, h))
			h->state = WHY_EXCEPTED;
	}
	deciders_find(w);
	w->verdict = verdict_at(w, w->decider);
	w->next_verdict = verdict_at(w, w->next);
	all_block(w);
	// The image leaves names that leases may have to the resolver.
	w->is_house &= w->verdict == WHY_PASSED || w->verdict == WHY_REWRITTEN;
	if (w->is_house)
		w->verdict = WHY_LOCAL;
	w->typed = is_typed(w);
	// A name that is not resolved needs no server.
	w->safe &= w->verdict == WHY_PASSED || w->verdict == WHY_ALLOWED
		   || w->verdict == WHY_BLOCKED_ANSWER;
	if (w->decider >= 0)
		w->hit[w->decider].state = WHY_DECIDES;
}
