// SPDX-License-Identifier: BSD-3-Clause
#include "l1_sweep.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

#define LOCK "weir-meta:sweep"

enum {
	CHECK_MS = 500, // how often it is seen whether a round is due
	SPARE_S = 60,   // clocks of boxes differ
	ROUND_MAX_MS = 14000,
	EVICT_COLDEST = L1_SAMPLE * 3 / 4, // of one sample, with the lowest hits in it
	EVICT_OTHERS = L1_SAMPLE / 4,      // in all, when some have more hits than those
};

enum sweep_step { SWEEP_IDLE, SWEEP_LOCK, SWEEP_COUNT, SWEEP_SAMPLE, SWEEP_JUDGE, SWEEP_DELETE };

struct shard {
	struct l1_sweep *owner;
	uint64_t keys;
};

struct candidate {
	struct l1_sweep *owner;
	struct l1_key key;
	bool read, gone, doomed;
	uint64_t hits, created_s;
};

struct l1_sweep {
	struct l1 *l1;
	struct redis *redis;
	l1_deleted_fn deleted;
	void *arg;
	struct event *timer;
	uint64_t max_keys, window_s;
	uint64_t min_hits;
	enum sweep_step step;
	bool failed, evicting;
	unsigned outstanding; // replies that this step still waits for
	uint64_t started_ms, puts_then;
	unsigned shard;
	struct shard shards[L1_SHARDS];
	unsigned count;
	struct candidate candidate[L1_SAMPLE];
	struct l1_sweep_status status;
};

static void step_next(struct l1_sweep *s);

static struct redis_word word(const char *text)
{
	return (struct redis_word){text, strlen(text)};
}

static uint64_t wall_s(void)
{
	return clock_ms_of(CLOCK_REALTIME) / 1000;
}

static void step_send(
	struct l1_sweep *s, const struct redis_command *c, redis_done_fn done, void *arg)
{
	if (redis_send(s->redis, c, 1, 0, done, arg))
		s->outstanding++;
	else
		s->failed = true;
}

// One reply less to wait for; the last one moves the round on.
static void step_replied(struct l1_sweep *s, bool good)
{
	s->failed |= !good;
	if (--s->outstanding == 0)
		step_next(s);
}

static void on_lock(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct l1_sweep *s = arg;
	bool got = end == REDIS_DONE && redis_reply_kind(reply) != REDIS_NIL;
	s->status.elsewhere += end == REDIS_DONE && !got;
	if (!got) {
		s->step = SWEEP_IDLE;
		s->outstanding = 0;
		return;
	}
	step_replied(s, true);
}

static void round_begin(struct l1_sweep *s)
{
	struct l1_status l1;
	const struct redis_command c = {
		6, {word("SET"), word(LOCK), word("1"), word("NX"), word("EX"), word("15")}};

	l1_status(s->l1, &l1);
	s->puts_then = l1.puts;
	s->started_ms = clock_mono_ms();
	s->step = SWEEP_LOCK;
	s->failed = false;
	step_send(s, &c, on_lock, s);
	if (s->failed)
		s->step = SWEEP_IDLE;
}

static bool is_wrong_type(enum redis_end end, const struct redis_reply *reply)
{
	size_t len;
	const char *text = end == REDIS_REFUSED ? redis_reply_text(reply, &len) : NULL;
	return text && len >= 9 && memcmp(text, "WRONGTYPE", 9) == 0;
}

static void on_done(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	(void)reply;
	step_replied(arg, end == REDIS_DONE);
}

static void on_trimmed(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct l1_sweep *s = arg;
	if (end == REDIS_DONE)
		s->status.trimmed += (uint64_t)redis_reply_integer(reply);
	step_replied(s, end == REDIS_DONE || is_wrong_type(end, reply));
}

static void on_count(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct shard *shard = arg;
	struct l1_sweep *s = shard->owner;
	int64_t n = end == REDIS_DONE ? redis_reply_integer(reply) : 0;
	if (is_wrong_type(end, reply)) {
		char index[L1_INDEX_MAX];
		l1_index_name(s->l1, (unsigned)(shard - s->shards), index);
		s->status.foreign++;
		step_send(s, &(struct redis_command){2, {word("UNLINK"), word(index)}}, on_done, s);
	}
	shard->keys = n > 0 ? (uint64_t)n : 0;
	step_replied(s, end == REDIS_DONE || is_wrong_type(end, reply));
}

static void count_begin(struct l1_sweep *s)
{
	char last[24];
	const struct ttl_rules rules = l1_rules(s->l1);
	snprintf(last, sizeof last, "%" PRIu64, wall_s() - rules.stale_window_s - SPARE_S);
	s->step = SWEEP_COUNT;
	for (unsigned i = 0; i < l1_shards(s->l1); i++) {
		char index[L1_INDEX_MAX];
		l1_index_name(s->l1, i, index);
		step_send(s,
			&(struct redis_command){4,
				{word("ZREMRANGEBYSCORE"), word(index), word("-inf"), word(last)}},
			on_trimmed, s);
		step_send(s, &(struct redis_command){2, {word("ZCARD"), word(index)}}, on_count,
			&s->shards[i]);
	}
}

// Members of an index as candidates; one that is no key of ours does not belong there.
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
		c->doomed = !l1_key_parse(text, len, &parts);
		s->status.foreign += c->doomed;
		s->count++;
	}
	step_replied(s, end == REDIS_DONE || is_wrong_type(end, reply));
}

static uint64_t total(const struct l1_sweep *s)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < l1_shards(s->l1); i++)
		n += s->shards[i].keys;
	return n;
}

static unsigned largest_shard(const struct l1_sweep *s)
{
	unsigned best = 0;
	for (unsigned i = 1; i < l1_shards(s->l1); i++)
		if (s->shards[i].keys > s->shards[best].keys)
			best = i;
	return best;
}

static void sample_begin(struct l1_sweep *s)
{
	char index[L1_INDEX_MAX], n[8];
	s->step = SWEEP_SAMPLE;
	s->count = 0;
	s->shard = s->evicting ? largest_shard(s) : s->shard % l1_shards(s->l1);
	l1_index_name(s->l1, s->shard, index);
	snprintf(n, sizeof n, "%d", L1_SAMPLE);
	step_send(s, &(struct redis_command){3, {word("ZRANDMEMBER"), word(index), word(n)}},
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
	if (is_wrong_type(end, reply)) {
		c->doomed = true;
		s->status.foreign++;
	} else if (end == REDIS_DONE && redis_reply_count(reply) == 2) {
		c->read = true;
		c->gone = redis_reply_kind(redis_reply_at(reply, 1)) == REDIS_NIL;
		c->hits = number_of(redis_reply_at(reply, 0));
		c->created_s = number_of(redis_reply_at(reply, 1));
	}
	step_replied(s, c->read || c->doomed);
}

static void judge_begin(struct l1_sweep *s)
{
	s->step = SWEEP_JUDGE;
	for (unsigned i = 0; i < s->count; i++) {
		struct candidate *c = &s->candidate[i];
		if (c->doomed)
			continue;
		step_send(s,
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

static void doom(struct l1_sweep *s)
{
	uint64_t now = wall_s(), keys = total(s), doomed = 0;
	for (unsigned i = 0; i < s->count; i++) {
		struct candidate *c = &s->candidate[i];
		bool cold = c->read && !c->gone && s->window_s && c->hits < s->min_hits
			    && now > c->created_s + s->window_s;
		s->status.orphans += c->gone;
		s->status.cold += cold;
		c->doomed |= c->gone || cold;
		doomed += c->doomed;
	}
	if (!s->evicting)
		return;
	qsort(s->candidate, s->count, sizeof s->candidate[0], by_worth);
	uint64_t least = UINT64_MAX;
	for (unsigned i = 0, n = 0; i < s->count && keys > s->max_keys + doomed; i++) {
		struct candidate *c = &s->candidate[i];
		if (c->doomed)
			continue;
		if (least == UINT64_MAX)
			least = c->hits;
		if (n++ >= (c->hits == least ? EVICT_COLDEST : EVICT_OTHERS))
			break;
		c->doomed = true;
		s->status.evicted++;
		doomed++;
	}
}

static void delete_begin(struct l1_sweep *s)
{
	doom(s);
	s->step = SWEEP_DELETE;
	char index[L1_INDEX_MAX];
	l1_index_name(s->l1, s->shard, index);
	struct redis_command drop = {2, {word("ZREM"), word(index)}};
	for (unsigned i = 0; i < s->count; i++) {
		struct candidate *c = &s->candidate[i];
		struct l1_key_parts parts;
		if (!c->doomed)
			continue;
		if (!c->gone && l1_key_parse(c->key.text, c->key.len, &parts)) {
			step_send(s,
				&(struct redis_command){
					2, {word("UNLINK"), {c->key.text, c->key.len}}},
				on_done, s);
			s->deleted(s->arg, &parts);
		}
		drop.word[drop.count++] = (struct redis_word){c->key.text, c->key.len};
		if (s->shards[s->shard].keys)
			s->shards[s->shard].keys--;
		if (drop.count == REDIS_ARGS_MAX) {
			step_send(s, &drop, on_done, s);
			drop.count = 2;
		}
	}
	if (drop.count > 2)
		step_send(s, &drop, on_done, s);
}

// Whatever came of it: the lock ends by itself.
static void on_unlocked(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	(void)arg, (void)end, (void)reply;
}

static void round_end(struct l1_sweep *s)
{
	s->status.keys = total(s);
	s->status.rounds += !s->failed;
	s->status.failed += s->failed;
	s->shard++;
	s->step = SWEEP_IDLE;
	(void)!redis_send(s->redis, &(struct redis_command){2, {word("UNLINK"), word(LOCK)}}, 1, 0,
		on_unlocked, NULL);
}

static bool evict_more(const struct l1_sweep *s)
{
	return s->max_keys && total(s) > s->max_keys
	       && clock_mono_ms() < s->started_ms + ROUND_MAX_MS;
}

// All replies of a step are in. A step that had nothing to ask is over at once.
static void step_next(struct l1_sweep *s)
{
	while (s->outstanding == 0 && s->step != SWEEP_IDLE) {
		bool nothing = s->step == SWEEP_SAMPLE && s->count == 0;
		if (s->failed || nothing) {
			round_end(s);
		} else if (s->step == SWEEP_LOCK) {
			s->evicting = false;
			count_begin(s);
		} else if (s->step == SWEEP_COUNT) {
			s->status.keys = total(s);
			sample_begin(s);
		} else if (s->step == SWEEP_SAMPLE) {
			judge_begin(s);
		} else if (s->step == SWEEP_JUDGE) {
			delete_begin(s);
		} else if (evict_more(s)) {
			s->evicting = true;
			sample_begin(s);
		} else {
			round_end(s);
		}
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct l1_sweep *s = arg;
	struct l1_status l1;
	uint64_t now_ms = clock_mono_ms();
	(void)fd, (void)what;

	if (s->step != SWEEP_IDLE || !l1_usable(s->l1))
		return;
	l1_status(s->l1, &l1);
	bool many = s->max_keys && l1.puts - s->puts_then > s->max_keys / 20;
	if (now_ms >= s->started_ms + L1_SWEEP_S * 1000 || many)
		round_begin(s);
}

void l1_sweep_configure(struct l1_sweep *s, const struct config_redis *config)
{
	s->max_keys = config->max_keys;
	s->min_hits = config->sweep_min_hits;
	s->window_s = config->sweep_hit_window_s;
}

int l1_sweep_new(struct l1_sweep **out, struct loop *loop, struct l1 *l,
	const struct config_redis *config, l1_deleted_fn deleted, void *arg)
{
	struct l1_sweep *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->l1 = l;
	s->redis = l1_redis(l);
	s->deleted = deleted;
	s->arg = arg;
	s->started_ms = clock_mono_ms();
	for (unsigned i = 0; i < L1_SHARDS; i++)
		s->shards[i].owner = s;
	for (unsigned i = 0; i < L1_SAMPLE; i++)
		s->candidate[i].owner = s;
	l1_sweep_configure(s, config);
	s->timer = event_new(loop_base(loop), -1, EV_PERSIST, on_timer, s);
	if (!s->timer || event_add(s->timer, &(struct timeval){.tv_usec = CHECK_MS * 1000}) < 0) {
		l1_sweep_free(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void l1_sweep_free(struct l1_sweep *s)
{
	if (!s)
		return;
	if (s->timer)
		event_free(s->timer);
	free(s);
}

void l1_sweep_status(const struct l1_sweep *s, struct l1_sweep_status *out)
{
	*out = s->status;
	out->max_keys = s->max_keys;
	out->bytes = sizeof(*s);
}
