// SPDX-License-Identifier: BSD-3-Clause
#include "l1.h"

#include "base/age_list.h"
#include "base/leak_demo.h"
#include "redis_wire.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

static unsigned l1_shard_of(const struct l1 *l, const char *text, size_t len);

enum {
	COMMAND_MS = 1000,
	CURSOR_MAX = 24,
	KEYS_A_STEP = 128,
	LOOKED_AT_A_STEP = 1000,    // for one name, which hardly any key has
	KEYS_MAX = 8 * KEYS_A_STEP, // keys in a reply; SCAN may return more than requested
	KEYS_A_COMMAND = REDIS_ARGS_MAX - 2,
};

struct l1_flush {
	struct l1 *l1;
	struct redis *redis;
	struct event *settle;
	struct flush what;
	struct l1_key pattern;
	uint64_t deadline_ms, removed;
	unsigned node, nodes;
	char cursor[CURSOR_MAX];
	unsigned outstanding; // replies that this step still waits for
	bool failed, scanned; // scanned: the last cursor was 0
	l1_flush_fn done;     // NULL: stopped
	void *arg;
};

static struct redis_word word(const char *text)
{
	return (struct redis_word){text, strlen(text)};
}

static void flush_free(struct l1_flush *f)
{
	event_free(f->settle);
	heap_free(f);
}

static void flush_next(struct l1_flush *f);

static void flush_replied(struct l1_flush *f, bool good)
{
	f->failed |= !good;
	if (--f->outstanding == 0)
		flush_next(f);
}

static void on_done(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	(void)reply;
	flush_replied(arg, end == REDIS_DONE);
}

static void on_removed(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct l1_flush *f = arg;
	int64_t n = end == REDIS_DONE ? redis_reply_integer(reply) : 0;
	f->removed += n > 0 && n <= KEYS_A_COMMAND ? (uint64_t)n : 0;
	flush_replied(f, end == REDIS_DONE);
}

static void step_send(struct l1_flush *f, const struct redis_command *c, redis_done_fn done)
{
	if (redis_send(f->redis, c, 1, COMMAND_MS, done, f))
		f->outstanding++;
	else
		f->failed = true;
}

// Keys to delete in one step: several a command, except in Cluster, where they would have to share
// a slot.
struct batch {
	unsigned most, shard;
	struct redis_command unlink, drop;
};

static void batch_send(struct l1_flush *f, struct batch *b)
{
	char index[L1_INDEX_MAX];
	if (b->unlink.count > 1) {
		l1_index_name(f->l1, b->shard, index);
		b->drop.word[1] = word(index);
		step_send(f, &b->unlink, on_removed);
		step_send(f, &b->drop, on_done);
	}
	b->unlink.count = 1;
	b->drop.count = 2;
}

static void batch_add(struct l1_flush *f, struct batch *b, const char *text, size_t len)
{
	const struct redis_word key = {text, len};
	b->shard = l1_shard_of(f->l1, text, len);
	b->unlink.word[b->unlink.count++] = key;
	b->drop.word[b->drop.count++] = key;
	if (b->unlink.count > b->most)
		batch_send(f, b);
}

static void keys_drop(struct l1_flush *f, const struct redis_reply *keys)
{
	struct batch b = {.most = redis_is_cluster(f->redis) ? 1 : KEYS_A_COMMAND,
		.unlink = {1, {word("UNLINK")}},
		.drop = {2, {word("ZREM")}}};
	unsigned count = redis_reply_count(keys);
	f->failed |= count > KEYS_MAX;
	for (unsigned i = 0; i < count && i < KEYS_MAX; i++) {
		struct l1_key_parts parts;
		size_t len;
		const char *text = redis_reply_text(redis_reply_at(keys, i), &len);
		if (text && l1_key_parse(l1_space(f->l1), text, len, &parts)
			&& flush_fits(&f->what, &parts.name))
			batch_add(f, &b, text, len);
	}
	batch_send(f, &b);
}

static bool cursor_take(struct l1_flush *f, const struct redis_reply *reply)
{
	size_t len;
	const char *text = redis_reply_text(reply, &len);
	if (!text || len == 0 || len >= CURSOR_MAX || strspn(text, "0123456789") < len)
		return false;
	memcpy(f->cursor, text, len);
	f->cursor[len] = 0;
	f->scanned = strcmp(f->cursor, "0") == 0;
	return true;
}

static void on_scanned(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct l1_flush *f = arg;
	bool good = end == REDIS_DONE && redis_reply_count(reply) == 2
		    && cursor_take(f, redis_reply_at(reply, 0));
	if (good && f->done)
		keys_drop(f, redis_reply_at(reply, 1));
	flush_replied(f, good);
}

static void scan_send(struct l1_flush *f)
{
	char count[8];
	snprintf(count, sizeof(count), "%d",
		f->what.kind == FLUSH_NAME ? LOOKED_AT_A_STEP : KEYS_A_STEP);
	const struct redis_command c = {
		6, {word("SCAN"), word(f->cursor), word("MATCH"), {f->pattern.text, f->pattern.len},
			   word("COUNT"), word(count)}};
	f->scanned = false;
	if (redis_send_node(f->redis, f->node, &c, COMMAND_MS, on_scanned, f))
		f->outstanding++;
	else
		f->failed = true;
}

// When masters came or went, keys have moved: scans from the start again.
static void nodes_follow(struct l1_flush *f)
{
	unsigned nodes = redis_nodes(f->redis);
	if (nodes != f->nodes) {
		f->nodes = nodes;
		f->node = 0;
		strcpy(f->cursor, "0");
	} else if (f->scanned) {
		f->node++;
	}
}

// All replies of a step are in.
static void flush_next(struct l1_flush *f)
{
	while (f->outstanding == 0) {
		nodes_follow(f);
		bool over = f->nodes > 0 && f->node >= f->nodes;
		if (!over && !f->failed && f->done && clock_mono_ms() < f->deadline_ms) {
			scan_send(f);
			continue;
		}
		if (f->done)
			f->done(f->arg, over && !f->failed ? L1_FLUSH_DONE : L1_FLUSH_PARTLY,
				f->removed);
		flush_free(f);
		return;
	}
}

static void on_settled(evutil_socket_t fd, short what, void *arg)
{
	struct l1_flush *f = arg;
	(void)fd, (void)what;
	for (unsigned i = 0; f->what.kind == FLUSH_ALL && i < l1_shards(f->l1); i++) {
		char index[L1_INDEX_MAX];
		l1_index_name(f->l1, i, index);
		step_send(f, &(struct redis_command){2, {word("UNLINK"), word(index)}}, on_done);
	}
	if (f->outstanding == 0)
		flush_next(f);
}

struct l1_flush *l1_flush_start(
	struct loop *loop, struct l1 *l, const struct flush *what, l1_flush_fn done, void *arg)
{
	static const struct timeval settle = {.tv_usec = L1_FLUSH_SETTLE_MS * 1000};
	struct l1_flush *f = l1_usable(l) ? heap_calloc(1, sizeof(*f)) : NULL;
	if (!f)
		return NULL;
	*f = (struct l1_flush){
		.l1 = l,
		.redis = l1_redis(l),
		.what = *what,
		.deadline_ms = clock_mono_ms() + L1_FLUSH_MAX_MS,
		.nodes = redis_nodes(l1_redis(l)),
		.cursor = "0",
		.done = done,
		.arg = arg,
	};
	l1_key_pattern(l1_space(l), &what->name, what->kind != FLUSH_NAME, &f->pattern);
	f->settle = event_new(loop_base(loop), -1, 0, on_settled, f);
	if (!f->settle || event_add(f->settle, &settle) < 0) {
		if (f->settle)
			event_free(f->settle);
		heap_free(f);
		return NULL;
	}
	return f;
}

void l1_flush_stop(struct l1_flush *f)
{
	if (!f)
		return;
	f->done = NULL;
	event_del(f->settle);
	if (f->outstanding == 0)
		flush_free(f);
}

enum {
	INDEX_LIFE_S = 14 * 86400, // no key lives longer than the index
	NUMBER_MAX = 24,
	LOCK_MAX = L1_INDEX_MAX + L1_KEY_MAX,
};

struct l1_lookup {
	struct l1 *owner;
	bool stopped; // no caller waits any more
	bool peek;    // the lookup is not counted
	l1_get_fn done;
	l1_lock_fn locked;
	void *arg;
	struct l1_lookup *next_free;
	struct age_link age;
	struct l1_key key;
};

struct l1 {
	struct redis *redis;
	struct ttl_rules rules;
	unsigned lookup_timeout_ms;
	const char *space; // namespace, in the configuration
	struct l1_lookup *free;
	unsigned touched; // lookups ever used
	struct age_list ages;
	struct l1_status count;
	struct l1_lookup lookup[L1_LOOKUPS_MAX];
};

static struct redis_word word_of(const struct l1_key *key)
{
	return (struct redis_word){key->text, key->len};
}

// Decimal text in `room`, which must live until the command is sent.
static struct redis_word number(char room[NUMBER_MAX], uint64_t value)
{
	return (struct redis_word){room, (size_t)snprintf(room, NUMBER_MAX, "%" PRIu64, value)};
}

static uint64_t wall_s(void)
{
	return clock_ms_of(CLOCK_REALTIME) / 1000;
}

int l1_new(struct l1 **out, struct loop *loop, const struct config *config)
{
	struct l1 *l = heap_calloc(1, sizeof(*l)); // pages of lookups never used are never touched
	if (!l)
		return -ENOMEM;
	int rc = redis_new(&l->redis, loop, &config->redis);
	if (rc < 0) {
		heap_free(l);
		return rc;
	}
	l->rules = ttl_rules_of(&config->cache);
	l->lookup_timeout_ms = config->redis.lookup_timeout_ms;
	l->space = config->redis.space;
	*out = l;
	return 0;
}

void l1_free(struct l1 *l)
{
	if (!l)
		return;
	redis_free(l->redis);
	heap_free(l);
}

void l1_configure(struct l1 *l, const struct config *config)
{
	redis_configure(l->redis, &config->redis);
	l->count.refused_in_a_row = 0; // perhaps by another server
	l->rules = ttl_rules_of(&config->cache);
	l->lookup_timeout_ms = config->redis.lookup_timeout_ms;
	l->space = config->redis.space;
}

struct redis *l1_redis(struct l1 *l)
{
	return l->redis;
}

bool l1_usable(const struct l1 *l)
{
	return redis_usable(l->redis);
}

static struct l1_lookup *lookup_take(struct l1 *l, const struct l1_key *key, void *arg)
{
	struct l1_lookup *look = l->free;
	if (look)
		l->free = look->next_free;
	else if (l->touched < L1_LOOKUPS_MAX)
		look = &l->lookup[l->touched++];
	else {
		l->count.full++;
		return NULL;
	}
	if (++l->count.looking > l->count.looking_most)
		l->count.looking_most = l->count.looking;
	age_add(&l->ages, &look->age);
	look->owner = l;
	look->stopped = look->peek = false;
	look->arg = arg;
	look->key.len = key->len;
	memcpy(look->key.text, key->text, key->len + 1u);
	return look;
}

static void lookup_give(struct l1_lookup *look)
{
	struct l1 *l = look->owner;
	look->next_free = l->free;
	l->free = look;
	age_remove(&l->ages, &look->age);
	l->count.looking--;
}

static void count_found(struct l1 *l, enum l1_found found, const struct l1_value *v)
{
	if (found == L1_HIT) {
		l->count.hits++;
		l->count.hits_stale += v->soft_left_s <= 0;
	} else if (found == L1_MISS) {
		l->count.misses++;
	} else if (found == L1_AWAY || found == L1_LATE) {
		l->count.skipped++;
	}
}

static void on_value(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct l1_lookup *look = arg;
	struct l1 *l = look->owner;
	struct l1_value v = {0};
	enum l1_found found = end == REDIS_TIMEOUT ? L1_LATE : L1_AWAY;

	// An error is about the key (WRONGTYPE) or about the server (LOADING, NOAUTH): only the
	// first is a bad value.
	if (end == REDIS_REFUSED) {
		size_t len;
		const char *text = redis_reply_text(reply, &len);
		if (text && len >= 9 && memcmp(text, "WRONGTYPE", 9) == 0)
			found = L1_BAD;
	}
	if (end == REDIS_DONE)
		found = l1_value_read(reply, &l->rules, wall_s(), &v);
	if (!look->peek) {
		l->count.timeouts += end == REDIS_TIMEOUT;
		count_found(l, found, &v);
	}
	if (found == L1_BAD)
		l1_bad(l, &look->key);
	if (!look->stopped)
		look->done(look->arg, found, found == L1_HIT ? &v : NULL);
	lookup_give(look);
}

static struct l1_lookup *lookup_send(struct l1 *l, const struct redis_command *c,
	const struct l1_key *key, redis_done_fn on_reply, void *arg, l1_get_fn done,
	l1_lock_fn locked)
{
	if (!redis_usable(l->redis))
		return NULL;
	struct l1_lookup *look = lookup_take(l, key, arg);
	if (look) {
		look->done = done;
		look->locked = locked;
	}
	if (look && redis_send(l->redis, c, 1, l->lookup_timeout_ms, on_reply, look))
		return look;
	l->count.skipped++;
	if (look)
		lookup_give(look);
	return NULL;
}

static struct l1_lookup *value_ask(
	struct l1 *l, const struct l1_key *key, l1_get_fn done, void *arg)
{
	struct redis_command c = {.count = 2 + L1_FIELDS, .word = {word("HMGET"), word_of(key)}};

	for (unsigned i = 0; i < L1_FIELDS; i++)
		c.word[2 + i] = word(l1_field_names[i]);
	return lookup_send(l, &c, key, on_value, arg, done, NULL);
}

struct l1_lookup *l1_get(struct l1 *l, const struct l1_key *key, l1_get_fn done, void *arg)
{
	l->count.lookups++;
	return value_ask(l, key, done, arg);
}

struct l1_lookup *l1_peek(struct l1 *l, const struct l1_key *key, l1_get_fn done, void *arg)
{
	struct l1_lookup *look = value_ask(l, key, done, arg);

	if (look)
		look->peek = true;
	return look;
}

void l1_get_stop(struct l1_lookup *look)
{
	if (look)
		look->stopped = true;
}

static void on_lock(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct l1_lookup *look = arg;
	// When Redis does not answer, no other box has the lock: the caller's table is the only
	// one.
	bool got = end != REDIS_DONE || redis_reply_kind(reply) != REDIS_NIL;
	if (!look->stopped)
		look->locked(look->arg, got);
	lookup_give(look);
}

static struct redis_word lock_name(
	const struct l1 *l, const struct l1_key *key, char room[LOCK_MAX])
{
	return (struct redis_word){
		room, (size_t)snprintf(room, LOCK_MAX, "%s-meta:refresh:%s", l->space, key->text)};
}

struct l1_lookup *l1_lock(
	struct l1 *l, const struct l1_key *key, unsigned life_s, l1_lock_fn done, void *arg)
{
	char name[LOCK_MAX], life[NUMBER_MAX];
	const struct redis_command c = {6, {word("SET"), lock_name(l, key, name), word("1"),
						   word("NX"), word("EX"), number(life, life_s)}};
	return lookup_send(l, &c, key, on_lock, arg, NULL, done);
}

struct ttl_rules l1_rules(const struct l1 *l)
{
	return l->rules;
}

unsigned l1_shards(const struct l1 *l)
{
	return redis_is_cluster(l->redis) ? L1_SHARDS : 1;
}

void l1_index_name(const struct l1 *l, unsigned shard, char out[L1_INDEX_MAX])
{
	char what[16];
	snprintf(what, sizeof(what), "{%02u}:expiry", shard % L1_SHARDS);
	l1_meta_name(l, redis_is_cluster(l->redis) ? what : "expiry", out);
}

const char *l1_space(const struct l1 *l)
{
	return l->space;
}

void l1_meta_name(const struct l1 *l, const char *what, char out[L1_INDEX_MAX])
{
	snprintf(out, L1_INDEX_MAX, "%s-meta:%s", l->space, what);
}

// FNV-1a: every box must come to the same shard, and nothing depends on its strength.
static unsigned l1_shard_of(const struct l1 *l, const char *text, size_t len)
{
	uint32_t hash = 2166136261u;
	for (; len; len--, text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash % l1_shards(l);
}

// An error about the key (WRONGTYPE) or its place (MOVED, ASK) says nothing about the server.
static bool is_refusal(enum redis_end end, const struct redis_reply *reply)
{
	if (end != REDIS_REFUSED || redis_reply_kind(reply) != REDIS_ERROR)
		return false;
	enum redis_error kind = redis_error_kind(reply);
	return kind != REDIS_ERROR_WRONGTYPE && kind != REDIS_ERROR_MOVED
	       && kind != REDIS_ERROR_ASK;
}

void l1_wrote(struct l1 *l, enum redis_end end, const struct redis_reply *reply)
{
	uint64_t *row = &l->count.refused_in_a_row;
	if (end == REDIS_DONE) {
		if (*row >= L1_REFUSALS_MAX)
			log_info("redis: accepts writes again");
		*row = 0;
	} else if (is_refusal(end, reply) && ++*row == L1_REFUSALS_MAX) {
		struct redis_status s;
		redis_status(l->redis, &s);
		log_warning("redis: every write is refused: %s", s.error);
	}
}

static void on_written(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct l1 *l = arg;
	l->count.puts_lost += end != REDIS_DONE;
	l1_wrote(l, end, reply);
}

// Two transactions in Cluster, one elsewhere.
static void value_send(struct l1 *l, const struct redis_command c[4])
{
	bool apart = redis_is_cluster(l->redis);
	if (!redis_send(l->redis, c, apart ? 2 : 4, 0, on_written, l)
		|| (apart && !redis_send(l->redis, c + 2, 2, 0, on_written, l)))
		l->count.puts_lost++;
}

bool l1_put(struct l1 *l, const struct l1_key *key, const struct l1_put *put)
{
	char created[NUMBER_MAX], soft[NUMBER_MAX], stored[NUMBER_MAX], auth[NUMBER_MAX],
		hits[NUMBER_MAX], life[NUMBER_MAX], index_life[NUMBER_MAX], index[L1_INDEX_MAX];
	uint64_t now_s = wall_s(), created_s = now_s - put->age_s;
	uint32_t whole_s = put->stored_ttl_s + ttl_stale_s(&l->rules, put->stored_ttl_s);

	if (!redis_usable(l->redis) || put->age_s >= whole_s || put->age_s > now_s)
		return false;
	if (put->len > L1_MESSAGE_MAX || put->stored_ttl_s > TTL_MAX_S) {
		l->count.too_large++;
		return false;
	}
	l1_index_name(l, l1_shard_of(l, key->text, key->len), index);
	const struct redis_word soft_word = number(soft, created_s + put->stored_ttl_s);
	struct redis_command c[4] = {
		{16, {word("HSET"), word_of(key), word("v"), word("1"), word("msg"),
			     {(const char *)put->msg, put->len}, word("created_at"),
			     number(created, created_s), word("soft_expiry"), soft_word,
			     word("stored_ttl"), number(stored, put->stored_ttl_s),
			     word("auth_ttl"), number(auth, put->auth_ttl_s), word("hits"),
			     number(hits, put->hits)}},
		{3, {word("EXPIRE"), word_of(key), number(life, whole_s - put->age_s)}},
		{4, {word("ZADD"), word(index), soft_word, word_of(key)}},
		{3, {word("EXPIRE"), word(index), number(index_life, INDEX_LIFE_S)}},
	};
	l->count.puts++;
	LEAK_DEMO(keys, 500);
	value_send(l, c);
	return true;
}

void l1_unlock(struct l1 *l, const struct l1_key *key)
{
	char name[LOCK_MAX];
	const struct redis_command c = {3, {word("EXPIRE"), lock_name(l, key, name), word("1")}};
	if (redis_usable(l->redis) && !redis_send(l->redis, &c, 1, 0, on_written, l))
		l->count.puts_lost++;
}

void l1_delete(struct l1 *l, const struct l1_key *key)
{
	char index[L1_INDEX_MAX];
	l1_index_name(l, l1_shard_of(l, key->text, key->len), index);
	const struct redis_command c[2] = {
		{2, {word("UNLINK"), word_of(key)}},
		{3, {word("ZREM"), word(index), word_of(key)}},
	};
	bool apart = redis_is_cluster(l->redis);

	if (!redis_usable(l->redis))
		return;
	l->count.deletes++;
	if (!redis_send(l->redis, c, apart ? 1 : 2, 0, on_written, l)
		|| (apart && !redis_send(l->redis, c + 1, 1, 0, on_written, l)))
		l->count.puts_lost++;
}

void l1_bad(struct l1 *l, const struct l1_key *key)
{
	l->count.bad++;
	l1_delete(l, key);
}

void l1_status(const struct l1 *l, struct l1_status *out)
{
	*out = l->count;
	redis_status(l->redis, &out->redis);
	if (l->count.refused_in_a_row >= L1_REFUSALS_MAX && redis_usable(l->redis))
		out->redis.state = "refusing";
	out->looking_since_ms = age_since(&l->ages);
	out->bytes = offsetof(struct l1, lookup) + l->touched * sizeof(struct l1_lookup);
}

void l1_tables(const struct l1 *l, struct table_registry *tables)
{
	struct l1_status s;

	l1_status(l, &s);
	table_register(tables, &(struct table_info){.name = "l1_lookups",
				       .owner = "resolver loop",
				       .eviction = "refuse: ask the upstreams",
				       .lifetime = "redis.lookup_timeout_ms",
				       TABLE_WORK_FOR(l->lookup_timeout_ms),
				       .cap = L1_LOOKUPS_MAX,
				       .used = s.looking,
				       .bytes = s.bytes,
				       .high = s.looking_most,
				       .refused = s.full,
				       .oldest_ms = table_age(s.looking_since_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_REFUSES | TABLE_RESERVED});
	redis_tables(l->redis, tables);
}
