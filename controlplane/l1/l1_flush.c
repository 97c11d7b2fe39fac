// SPDX-License-Identifier: BSD-3-Clause
#include "l1_flush.h"

#include <event2/event.h>

#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum {
	COMMAND_MS = 1000,
	CURSOR_MAX = 24,
	KEYS_A_STEP = 128,
	LOOKED_AT_A_STEP = 1000,    // where hardly any of them can fit
	KEYS_MAX = 8 * KEYS_A_STEP, // of one reply; SCAN may return more than requested
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

// Keys of one step: commands of several where they need not share a slot.
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

// Masters that came or went: their keys are somewhere else, so from the start again.
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
