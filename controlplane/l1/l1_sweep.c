// SPDX-License-Identifier: BSD-3-Clause
// Rounds of the sweep: when one is due, the lock, and the steps one after the other. A step sends
// its commands by sweep_send. Each reply calls a function that ends in sweep_replied; the last one
// starts the next step.

#include "l1_sweep.h"

#include "base/rng.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum sweep_step { SWEEP_IDLE, SWEEP_LOCK, SWEEP_COUNT, SWEEP_SAMPLE, SWEEP_CHECK, SWEEP_DELETE };

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
	l1_drop_fn drop;
	void *arg;
	struct event *timer;
	uint64_t max_keys, window_s;
	uint64_t min_hits;
	char token[17]; // names this box in the lock
	char lock[L1_INDEX_MAX];
	enum sweep_step step;
	bool failed, evicting;
	bool is_elsewhere;    // another box has the lock
	unsigned outstanding; // replies that this step still waits for
	uint64_t started_ms, puts_then;
	unsigned shard;
	struct shard shards[L1_SHARDS];
	unsigned dropped; // members of the present sample that were too long for a candidate
	unsigned count;
	struct candidate candidate[L1_SAMPLE];
	struct l1_sweep_status status;
};

static inline struct redis_word word(const char *text)
{
	return (struct redis_word){text, strlen(text)};
}

static inline uint64_t sweep_wall_s(void)
{
	return clock_ms_of(CLOCK_REALTIME) / 1000;
}

enum {
	CHECK_MS = 500, // interval of the check whether a round is due
	SPARE_S = 60,   // clocks of boxes differ
	ROUND_MAX_MS = 14000,
	PATIENCE_MS = 1000, // timeout of a reply: no client waits
	RETRY_MS = 2000,    // from the start of a failed round to the next one
};

static void step_next(struct l1_sweep *s);

static void sweep_send(
	struct l1_sweep *s, const struct redis_command *c, redis_done_fn done, void *arg)
{
	if (redis_send(s->redis, c, 1, PATIENCE_MS, done, arg))
		s->outstanding++;
	else
		s->failed = true;
}

// One reply less to wait for; the last one moves the round on.
static void sweep_replied(struct l1_sweep *s, bool good)
{
	s->failed |= !good;
	if (--s->outstanding == 0)
		step_next(s);
}

static bool sweep_is_wrong_type(enum redis_end end, const struct redis_reply *reply)
{
	size_t len;
	const char *text = end == REDIS_REFUSED ? redis_reply_text(reply, &len) : NULL;
	return text && len >= 9 && memcmp(text, "WRONGTYPE", 9) == 0;
}

static void sweep_done(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	(void)reply;
	sweep_replied(arg, end == REDIS_DONE);
}

static uint64_t sweep_keys(const struct l1_sweep *s)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < l1_shards(s->l1); i++)
		n += s->shards[i].keys;
	return n;
}

// A sample of an index: finds and deletes its gone, cold and least popular keys.

enum {
	EVICT_COLDEST = L1_SAMPLE * 3 / 4, // most evictions of a sample: keys with its lowest hits
	EVICT_OTHERS = L1_SAMPLE / 4,      // most evictions of a sample before a key with more hits
	SPARE_SHARE = 4,                   // one key in so many of a sample is spared at most
	DEAD_SHARE = 8,                    // one in so many that is of no key: no eviction
	FOREIGN_MAX = 64 << 10,            // the least redis.buffer_kb has room to remove it
};

// A member for whose removal the client has no room at present stays for a later sample.
static void foreign_drop(struct l1_sweep *s, const char *text, size_t len)
{
	char index[L1_INDEX_MAX];
	l1_index_name(s->l1, s->shard, index);
	s->dropped++;
	if (!redis_send(s->redis,
		    &(struct redis_command){3, {word("ZREM"), word(index), {text, len}}}, 1,
		    PATIENCE_MS, sweep_done, s))
		return;
	s->outstanding++;
	s->status.foreign++;
	if (s->shards[s->shard].keys)
		s->shards[s->shard].keys--;
}

static void index_drop(struct l1_sweep *s, unsigned shard)
{
	char index[L1_INDEX_MAX];
	l1_index_name(s->l1, shard, index);
	s->status.foreign++;
	s->shards[shard].keys = 0;
	sweep_send(s, &(struct redis_command){2, {word("UNLINK"), word(index)}}, sweep_done, s);
}

// Whether the index has members too long to be read or removed one by one: L1_SAMPLE keys of weir
// are a reply of at most REDIS_REPLY_MAX bytes.
static bool is_unreadable(enum redis_end end, const struct redis_reply *reply)
{
	static_assert(L1_SAMPLE * L1_KEY_MAX <= REDIS_REPLY_MAX);
	bool is = end == REDIS_LARGE;
	for (unsigned i = 0; end == REDIS_DONE && i < redis_reply_count(reply); i++) {
		size_t len;
		is |= redis_reply_text(redis_reply_at(reply, i), &len) && len > FOREIGN_MAX;
	}
	return is;
}

// Makes members of an index candidates; a member that is no key of weir is to be deleted, and one
// that is longer than any key is at once. An index with far longer ones is deleted.
static void on_sample(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct l1_sweep *s = arg;
	if (is_unreadable(end, reply)) {
		index_drop(s, s->shard);
		sweep_replied(s, true);
		return;
	}
	for (unsigned i = 0; end == REDIS_DONE && i < redis_reply_count(reply); i++) {
		struct candidate *c = &s->candidate[s->count];
		struct l1_key_parts parts;
		size_t len;
		const char *text = redis_reply_text(redis_reply_at(reply, i), &len);
		if (!text || s->count + s->dropped == L1_SAMPLE)
			continue;
		if (len >= L1_KEY_MAX) {
			foreign_drop(s, text, len);
			continue;
		}
		memcpy(c->key.text, text, len);
		c->key.text[len] = 0;
		c->key.len = (uint16_t)len;
		c->read = c->gone = false;
		c->hits = c->created_s = 0;
		c->doomed = !l1_key_parse(l1_space(s->l1), text, len, &parts);
		s->status.foreign += c->doomed;
		s->count++;
	}
	if (s->dropped > 0 && s->outstanding == 1)
		s->failed = true; // no room for any removal
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

// Reads members of an index.
static void sweep_sample(struct l1_sweep *s)
{
	char index[L1_INDEX_MAX], n[8];
	s->step = SWEEP_SAMPLE;
	s->count = s->dropped = 0;
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

// Reads hits and creation time of each candidate.
static void sweep_check(struct l1_sweep *s)
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

// Asks the owner to drop its copy; false: the copy is popular there.
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

// The cap holds even if the owner wants to keep every key: no more than a quarter of a sample is
// spared. Where much of the sample stands for no key, the count of keys is too high by as much of
// the rest, so later samples decide.
static void doom_least(struct l1_sweep *s)
{
	uint64_t keys = sweep_keys(s), least = UINT64_MAX;
	unsigned doomed = 0, dead = s->dropped, spared = 0, evicted = 0;
	for (unsigned i = 0; i < s->count; i++) {
		const struct candidate *c = &s->candidate[i];
		doomed += c->doomed;
		dead += c->doomed && (c->gone || !c->read);
	}
	if (dead * DEAD_SHARE >= s->dropped + s->count)
		return;
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

// Deletes the coldest keys of the sample.
static void sweep_delete(struct l1_sweep *s)
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

// Reads which box has the lock. This box may have it from an earlier round that could not release
// it.
static void on_owner(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct l1_sweep *s = arg;
	size_t len;
	const char *owner = end == REDIS_DONE ? redis_reply_text(reply, &len) : NULL;
	if (sweep_is_wrong_type(end, reply)) {
		s->status.foreign++;
		s->failed = true;
		sweep_send(s, &(struct redis_command){2, {word("UNLINK"), word(s->lock)}},
			sweep_done, s);
	} else if (owner && (len != strlen(s->token) || memcmp(owner, s->token, len) != 0)) {
		s->status.elsewhere++;
		s->status.failed_in_a_row = 0;
		s->is_elsewhere = true;
	}
	sweep_replied(s, owner != NULL);
}

static void on_taken(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct l1_sweep *s = arg;
	l1_wrote(s->l1, end, reply);
	sweep_replied(s, end == REDIS_DONE);
}

static void round_begin(struct l1_sweep *s)
{
	struct l1_status l1;
	l1_status(s->l1, &l1);
	s->puts_then = l1.puts;
	s->started_ms = clock_mono_ms();
	l1_meta_name(s->l1, "sweep", s->lock);
	s->step = SWEEP_LOCK;
	s->failed = s->is_elsewhere = false;
	const struct redis_command take = {6,
		{word("SET"), word(s->lock), word(s->token), word("NX"), word("EX"), word("15")}};
	const struct redis_command look = {2, {word("GET"), word(s->lock)}};
	sweep_send(s, &take, on_taken, s);
	sweep_send(s, &look, on_owner, s);
	if (s->outstanding == 0)
		s->step = SWEEP_IDLE;
}

// The count in a server's reply, at least 0.
static uint64_t count_of(enum redis_end end, const struct redis_reply *reply)
{
	int64_t n = end == REDIS_DONE ? redis_reply_integer(reply) : 0;
	return n > 0 ? (uint64_t)n : 0;
}

static void on_trimmed(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct l1_sweep *s = arg;
	s->status.trimmed += count_of(end, reply);
	sweep_replied(s, end == REDIS_DONE || sweep_is_wrong_type(end, reply));
}

static void on_count(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct shard *shard = arg;
	struct l1_sweep *s = shard->owner;
	if (sweep_is_wrong_type(end, reply))
		index_drop(s, (unsigned)(shard - s->shards));
	shard->keys = count_of(end, reply);
	sweep_replied(s, end == REDIS_DONE || sweep_is_wrong_type(end, reply));
}

static void count_begin(struct l1_sweep *s)
{
	char last[24];
	const struct ttl_rules rules = l1_rules(s->l1);
	uint64_t now = sweep_wall_s(), kept_s = (uint64_t)rules.stale_window_s + SPARE_S;
	// A machine that does not know the time yet begins in 1970.
	snprintf(last, sizeof(last), "%" PRIu64, now > kept_s ? now - kept_s : 0);
	s->step = SWEEP_COUNT;
	for (unsigned i = 0; i < l1_shards(s->l1); i++) {
		char index[L1_INDEX_MAX];
		l1_index_name(s->l1, i, index);
		sweep_send(s,
			&(struct redis_command){4,
				{word("ZREMRANGEBYSCORE"), word(index), word("-inf"), word(last)}},
			on_trimmed, s);
		sweep_send(s, &(struct redis_command){2, {word("ZCARD"), word(index)}}, on_count,
			&s->shards[i]);
	}
}

// The result does not matter: the lock expires by itself.
static void on_unlocked(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	(void)arg, (void)end, (void)reply;
}

static void round_failed(struct l1_sweep *s)
{
	struct redis_status redis;
	redis_status(s->redis, &redis);
	memcpy(s->status.error, redis.error, sizeof(s->status.error));
	s->status.failed++;
	if (++s->status.failed_in_a_row == SWEEP_FAILURES_MAX)
		log_warning("redis: housekeeping fails; redis.max_keys is not enforced: %s",
			s->status.error);
}

static void round_done(struct l1_sweep *s)
{
	if (s->status.failed_in_a_row >= SWEEP_FAILURES_MAX)
		log_info("redis: housekeeping runs again");
	s->status.rounds++;
	s->status.failed_in_a_row = 0;
	s->status.error[0] = '\0';
}

static void round_end(struct l1_sweep *s)
{
	s->status.keys = sweep_keys(s);
	if (s->failed)
		round_failed(s);
	else
		round_done(s);
	s->shard++;
	s->step = SWEEP_IDLE;
	(void)!redis_send(s->redis, &(struct redis_command){2, {word("UNLINK"), word(s->lock)}}, 1,
		0, on_unlocked, NULL);
}

static bool evict_more(const struct l1_sweep *s)
{
	return s->max_keys && sweep_keys(s) > s->max_keys
	       && clock_mono_ms() < s->started_ms + ROUND_MAX_MS;
}

// All replies of a step are in. A step without commands ends at once.
static void step_next(struct l1_sweep *s)
{
	while (s->outstanding == 0 && s->step != SWEEP_IDLE) {
		bool nothing = s->step == SWEEP_SAMPLE && s->count + s->dropped == 0;
		if (s->is_elsewhere) {
			s->step = SWEEP_IDLE;
		} else if (s->failed || nothing) {
			round_end(s);
		} else if (s->step == SWEEP_LOCK) {
			s->evicting = false;
			count_begin(s);
		} else if (s->step == SWEEP_COUNT) {
			s->status.keys = sweep_keys(s);
			sweep_sample(s);
		} else if (s->step == SWEEP_SAMPLE) {
			sweep_check(s);
		} else if (s->step == SWEEP_CHECK) {
			sweep_delete(s);
		} else if (evict_more(s)) {
			s->evicting = true;
			sweep_sample(s);
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
	uint64_t wait_ms = s->failed ? RETRY_MS : L1_SWEEP_S * 1000;
	if (now_ms >= s->started_ms + wait_ms || many)
		round_begin(s);
}

void l1_sweep_configure(struct l1_sweep *s, const struct config_redis *config)
{
	s->max_keys = config->max_keys;
	s->min_hits = config->sweep_min_hits;
	s->window_s = config->sweep_hit_window_s;
}

static void token_draw(struct l1_sweep *s)
{
	struct rng rng = {0};
	uint64_t number;
	rng_bytes(&rng, &number, sizeof(number));
	snprintf(s->token, sizeof(s->token), "%016" PRIx64, number);
}

int l1_sweep_new(struct l1_sweep **out, struct loop *loop, struct l1 *l,
	const struct config_redis *config, l1_drop_fn drop, void *arg)
{
	struct l1_sweep *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->l1 = l;
	s->redis = l1_redis(l);
	s->drop = drop;
	s->arg = arg;
	s->started_ms = clock_mono_ms();
	token_draw(s);
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
	heap_free(s);
}

void l1_sweep_status(const struct l1_sweep *s, struct l1_sweep_status *out)
{
	*out = s->status;
	out->max_keys = s->max_keys;
	out->bytes = sizeof(*s);
}

void l1_sweep_tables(const struct l1_sweep *s, struct table_registry *tables)
{
	table_register(tables, &(struct table_info){.name = "l1_sample",
				       .owner = "resolver loop",
				       .eviction = "cannot be full: one sample at a time",
				       .lifetime = "one sweep",
				       .kind = TABLE_FIXED,
				       .cap = L1_SAMPLE,
				       .used = 0,
				       .bytes = sizeof(*s)});
}
