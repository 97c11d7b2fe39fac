// SPDX-License-Identifier: BSD-3-Clause
// A sample of an index: finds and deletes its gone, cold and least popular keys.
#include "l1_sweep_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

enum {
	EVICT_COLDEST = L1_SAMPLE * 3 / 4, // of one sample, with the lowest hits in it
	EVICT_OTHERS = L1_SAMPLE / 4,      // in all, when some have more hits than those
	SPARE_SHARE = 4,                   // of a sample, for the owner's sake
};

// Members of an index as candidates; deletes one that is no key of weir.
static void on_sample(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct l1_sweep *s = arg;
	for (unsigned i = 0; end == REDIS_DONE && i < redis_reply_count(reply); i++) {
		struct candidate *c = &s->candidate[s->count];
		struct l1_key_parts parts;
		size_t len;
		const char *text = redis_reply_text(redis_reply_at(reply, i), &len);
		if (!text || len >= L1_KEY_MAX || s->count == L1_SAMPLE)
			continue;
		memcpy(c->key.text, text, len);
		c->key.text[len] = 0;
		c->key.len = (uint16_t)len;
		c->read = c->gone = false;
		c->hits = c->created_s = 0;
		c->doomed = !l1_key_parse(l1_space(s->l1), text, len, &parts);
		s->status.foreign += c->doomed;
		s->count++;
	}
	sweep_replied(s, end == REDIS_DONE || sweep_is_wrong_type(end, reply));
}

static unsigned largest_shard(const struct l1_sweep *s)
{
	unsigned best = 0;
	for (unsigned i = 1; i < l1_shards(s->l1); i++)
		if (s->shards[i].keys > s->shards[best].keys)
			best = i;
	return best;
}

void sweep_sample(struct l1_sweep *s)
{
	char index[L1_INDEX_MAX], n[8];
	s->step = SWEEP_SAMPLE;
	s->count = 0;
	s->shard = s->evicting ? largest_shard(s) : s->shard % l1_shards(s->l1);
	l1_index_name(s->l1, s->shard, index);
	snprintf(n, sizeof(n), "%d", L1_SAMPLE);
	sweep_send(s, &(struct redis_command){3, {word("ZRANDMEMBER"), word(index), word(n)}},
		on_sample, s);
}

static uint64_t number_of(const struct redis_reply *r)
{
	size_t len;
	const char *text = r ? redis_reply_text(r, &len) : NULL;
	uint64_t n = 0;
	for (size_t i = 0; text && i < len && i < 18 && text[i] >= '0' && text[i] <= '9'; i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	return n;
}

static void on_looked(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct candidate *c = arg;
	struct l1_sweep *s = c->owner;
	if (sweep_is_wrong_type(end, reply)) {
		c->doomed = true;
		s->status.foreign++;
	} else if (end == REDIS_DONE && redis_reply_count(reply) == 2) {
		c->read = true;
		c->gone = redis_reply_kind(redis_reply_at(reply, 1)) == REDIS_NIL;
		c->hits = number_of(redis_reply_at(reply, 0));
		c->created_s = number_of(redis_reply_at(reply, 1));
	}
	sweep_replied(s, c->read || c->doomed);
}

void sweep_check(struct l1_sweep *s)
{
	s->step = SWEEP_CHECK;
	for (unsigned i = 0; i < s->count; i++) {
		struct candidate *c = &s->candidate[i];
		if (c->doomed)
			continue;
		sweep_send(s,
			&(struct redis_command){4, {word("HMGET"), {c->key.text, c->key.len},
							   word("hits"), word("created_at")}},
			on_looked, c);
	}
}

static int by_worth(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->doomed != y->doomed)
		return x->doomed ? -1 : 1;
	if (x->hits != y->hits)
		return x->hits < y->hits ? -1 : 1;
	return (x->created_s > y->created_s) - (x->created_s < y->created_s);
}

// Asks the owner to let go of it; false: it is much asked for there.
static bool let_go(struct l1_sweep *s, const struct candidate *c)
{
	struct l1_key_parts parts;
	return !l1_key_parse(l1_space(s->l1), c->key.text, c->key.len, &parts)
	       || s->drop(s->arg, &parts);
}

static void doom_cold(struct l1_sweep *s)
{
	uint64_t now = sweep_wall_s();
	for (unsigned i = 0; i < s->count; i++) {
		struct candidate *c = &s->candidate[i];
		bool cold = c->read && !c->gone && s->window_s && c->hits < s->min_hits
			    && now > c->created_s + s->window_s;
		if (cold && !let_go(s, c)) {
			s->status.spared++;
			cold = false;
		}
		s->status.orphans += c->gone;
		s->status.cold += cold;
		c->doomed |= c->gone || cold;
	}
}

// The cap holds also when the owner would keep all: no more than a quarter of a sample is spared.
static void doom_least(struct l1_sweep *s)
{
	uint64_t keys = sweep_keys(s), least = UINT64_MAX;
	unsigned doomed = 0, spared = 0, evicted = 0;
	for (unsigned i = 0; i < s->count; i++)
		doomed += s->candidate[i].doomed;
	qsort(s->candidate, s->count, sizeof(s->candidate[0]), by_worth);
	for (unsigned i = 0; i < s->count && keys > s->max_keys + doomed; i++) {
		struct candidate *c = &s->candidate[i];
		if (c->doomed)
			continue;
		if (evicted
			>= (least == UINT64_MAX || c->hits == least ? EVICT_COLDEST : EVICT_OTHERS))
			break;
		if (!let_go(s, c) && spared < s->count / SPARE_SHARE) {
			spared++;
			continue;
		}
		if (least == UINT64_MAX)
			least = c->hits;
		c->doomed = true;
		evicted++;
		doomed++;
	}
	s->status.evicted += evicted;
	s->status.spared += spared;
}

void sweep_delete(struct l1_sweep *s)
{
	doom_cold(s);
	if (s->evicting)
		doom_least(s);
	s->step = SWEEP_DELETE;
	char index[L1_INDEX_MAX];
	l1_index_name(s->l1, s->shard, index);
	struct redis_command drop = {2, {word("ZREM"), word(index)}};
	for (unsigned i = 0; i < s->count; i++) {
		struct candidate *c = &s->candidate[i];
		struct l1_key_parts parts;
		if (!c->doomed)
			continue;
		if (!c->gone && l1_key_parse(l1_space(s->l1), c->key.text, c->key.len, &parts))
			sweep_send(s,
				&(struct redis_command){
					2, {word("UNLINK"), {c->key.text, c->key.len}}},
				sweep_done, s);
		drop.word[drop.count++] = (struct redis_word){c->key.text, c->key.len};
		if (s->shards[s->shard].keys)
			s->shards[s->shard].keys--;
		if (drop.count == REDIS_ARGS_MAX) {
			sweep_send(s, &drop, sweep_done, s);
			drop.count = 2;
		}
	}
	if (drop.count > 2)
		sweep_send(s, &drop, sweep_done, s);
}
