// SPDX-License-Identifier: BSD-3-Clause
#include "base/rng.h"
#include "l1_sweep_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum {
	CHECK_MS = 500, // how often it is seen whether a round is due
	SPARE_S = 60,   // clocks of boxes differ
	ROUND_MAX_MS = 14000,
	PATIENCE_MS = 1000, // for a reply: no client waits
	RETRY_MS = 2000,    // from the begin of a round that failed
};

static void step_next(struct l1_sweep *s);

void sweep_send(struct l1_sweep *s, const struct redis_command *c, redis_done_fn done, void *arg)
{
	if (redis_send(s->redis, c, 1, PATIENCE_MS, done, arg))
		s->outstanding++;
	else
		s->failed = true;
}

// One reply less to wait for; the last one moves the round on.
void sweep_replied(struct l1_sweep *s, bool good)
{
	s->failed |= !good;
	if (--s->outstanding == 0)
		step_next(s);
}

bool sweep_is_wrong_type(enum redis_end end, const struct redis_reply *reply)
{
	size_t len;
	const char *text = end == REDIS_REFUSED ? redis_reply_text(reply, &len) : NULL;
	return text && len >= 9 && memcmp(text, "WRONGTYPE", 9) == 0;
}

void sweep_done(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	(void)reply;
	sweep_replied(arg, end == REDIS_DONE);
}

uint64_t sweep_keys(const struct l1_sweep *s)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < l1_shards(s->l1); i++)
		n += s->shards[i].keys;
	return n;
}

// Reads the owner of the lock. It is this box's too if an earlier round could not release it.
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
		s->status.failed_in_a_row = 0; // another box does it
		s->step = SWEEP_IDLE;
		s->outstanding = 0;
		return;
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
	s->failed = false;
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
	if (sweep_is_wrong_type(end, reply)) {
		char index[L1_INDEX_MAX];
		l1_index_name(s->l1, (unsigned)(shard - s->shards), index);
		s->status.foreign++;
		sweep_send(s, &(struct redis_command){2, {word("UNLINK"), word(index)}}, sweep_done,
			s);
	}
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

// Whatever came of it: the lock ends by itself.
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
		bool nothing = s->step == SWEEP_SAMPLE && s->count == 0;
		if (s->failed || nothing) {
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
