// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_outbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>
#include <weir/log.h>
#include <weir/thread.h>

static const uint8_t magic[8] = {'w', 'e', 'i', 'r', 'r', 'o', 'w', 's'};
enum {
	VERSION = 1,
	SUM = 8,
	FIXED = 8 + 2 + 1 + 1 + 4 + 3 * 8 + 2 * 4 + 2 * 8, // bytes of the head before its texts
};

static void put_u64(struct wr *w, uint64_t v)
{
	wr_u32(w, (uint32_t)(v >> 32));
	wr_u32(w, (uint32_t)v);
}

static uint64_t get_u64(struct rd *r)
{
	uint64_t high = rd_u32(r);
	return high << 32 | rd_u32(r);
}

static void put_text(struct wr *w, const char *text)
{
	size_t len = strlen(text);
	wr_u16(w, (uint16_t)len);
	wr_bytes(w, text, len);
}

// False: the text does not fit, or has a NUL.
static bool get_text(struct rd *r, char *out, size_t cap)
{
	size_t len = rd_u16(r);
	const uint8_t *at = rd_bytes(r, len);
	if (!at || len >= cap || memchr(at, '\0', len))
		return false;
	memcpy(out, at, len);
	out[len] = '\0';
	return true;
}

uint32_t clickhouse_file_head_bytes(const struct clickhouse_origin *origin)
{
	return (uint32_t)(FIXED + 2 + strlen(origin->box) + 2 + strlen(origin->columns) + SUM);
}

size_t clickhouse_file_head(uint8_t out[CLICKHOUSE_FILE_HEAD_MAX],
	const struct clickhouse_spooled *what, const struct clickhouse_origin *origin,
	const void *body)
{
	struct wr w = wr_init(out, CLICKHOUSE_FILE_HEAD_MAX);
	wr_bytes(&w, magic, sizeof(magic));
	wr_u32(&w, VERSION << 16 | what->coding << 8);
	wr_u32(&w, clickhouse_file_head_bytes(origin));
	put_u64(&w, what->chunk.run);
	put_u64(&w, what->chunk.number);
	put_u64(&w, what->weight);
	wr_u32(&w, what->hour);
	wr_u32(&w, what->rows);
	put_u64(&w, what->bytes);
	put_u64(&w, contenthash(body, what->bytes));
	put_text(&w, origin->box);
	put_text(&w, origin->columns);
	if (!wr_ok(&w) || w.pos + SUM > CLICKHOUSE_FILE_HEAD_MAX)
		return 0;
	uint64_t sum = contenthash(out, w.pos);
	put_u64(&w, sum);
	return w.pos;
}

// Reads a file of a build without heads: `named`, its name, has all that is known.
static int bare_read(const uint8_t *at, size_t len, const struct clickhouse_spooled *named,
	struct clickhouse_origin *origin, size_t *body_at, size_t *body_len)
{
	static const uint8_t gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
	bool fits = named->coding == CLICKHOUSE_GZIP
			    ? len > sizeof(gzip) && memcmp(at, gzip, sizeof(gzip)) == 0
			    : len > sizeof(zstd) && memcmp(at, zstd, sizeof(zstd)) == 0;
	if (!fits || len > CLICKHOUSE_FILE_BODY_MAX)
		return -EBADMSG;
	origin->box[0] = '\0';
	strcpy(origin->columns, clickhouse_layout_first);
	*body_at = 0;
	*body_len = len;
	return 0;
}

static bool is_as_named(struct rd *r, const struct clickhouse_spooled *named)
{
	bool same = get_u64(r) == named->chunk.run;
	same &= get_u64(r) == named->chunk.number;
	same &= get_u64(r) == named->weight;
	same &= rd_u32(r) == named->hour;
	same &= rd_u32(r) == named->rows;
	return same;
}

// Reads the head behind magic and version.
static int head_read(struct rd *r, const struct clickhouse_spooled *named,
	struct clickhouse_origin *origin, size_t *head_len, uint64_t *body_len, uint64_t *body_sum)
{
	struct clickhouse_layout layout;
	bool same = rd_u8(r) == named->coding;
	rd_skip(r, 1);
	*head_len = rd_u32(r);
	same &= is_as_named(r, named);
	*body_len = get_u64(r);
	*body_sum = get_u64(r);
	if (!get_text(r, origin->box, sizeof(origin->box))
		|| !get_text(r, origin->columns, sizeof(origin->columns)))
		return -EBADMSG;
	size_t at = r->pos;
	uint64_t sum = get_u64(r);
	if (!rd_ok(r) || !same || *head_len != r->pos || sum != contenthash(r->base, at))
		return -EBADMSG;
	return clickhouse_layout_read(origin->columns, strlen(origin->columns), &layout) == 0
		       ? 0
		       : -EPROTONOSUPPORT;
}

int clickhouse_file_read(const void *bytes, size_t len, const struct clickhouse_spooled *named,
	struct clickhouse_origin *origin, size_t *body_at, size_t *body_len)
{
	struct rd r = rd_init(bytes, len);
	const uint8_t *begin = rd_bytes(&r, sizeof(magic));
	if (!begin || memcmp(begin, magic, sizeof(magic)) != 0)
		return bare_read(bytes, len, named, origin, body_at, body_len);
	if (rd_u16(&r) != VERSION)
		return rd_ok(&r) ? -EPROTONOSUPPORT : -EBADMSG;
	size_t head_len;
	uint64_t said, sum;
	int rc = head_read(&r, named, origin, &head_len, &said, &sum);
	if (rc)
		return rc;
	if (said != rd_left(&r) || said == 0 || said > CLICKHOUSE_FILE_BODY_MAX
		|| sum != contenthash(r.base + head_len, said))
		return -EBADMSG;
	*body_at = head_len;
	*body_len = said;
	return 0;
}

static uint32_t bit_of(unsigned server)
{
	return UINT32_C(1) << server;
}

void clickhouse_places_all(struct clickhouse_places *p, unsigned servers)
{
	*p = (struct clickhouse_places){.may_have = (uint32_t)((UINT64_C(1) << servers) - 1)};
}

bool clickhouse_places_is_at(const struct clickhouse_places *p, unsigned server)
{
	return (p->may_have | p->given_up) & bit_of(server);
}

bool clickhouse_places_is_elsewhere(const struct clickhouse_places *p, unsigned server)
{
	return (p->may_have | p->given_up) & ~bit_of(server);
}

void clickhouse_places_set(struct clickhouse_places *p, unsigned server, bool may_have)
{
	p->given_up &= ~bit_of(server);
	if (may_have)
		p->may_have |= bit_of(server);
	else
		p->may_have &= ~bit_of(server);
}

bool clickhouse_places_may_send(struct clickhouse_places *p, unsigned server, uint32_t replicas,
	unsigned hold_ms, bool *is_uncertain)
{
	uint32_t others = p->may_have & ~bit_of(server);
	uint64_t now_ms = clock_mono_ms();
	*is_uncertain = false;
	if (!others)
		p->since_ms = 0;
	if (!(others & ~replicas))
		return true;
	if (!p->since_ms)
		p->since_ms = now_ms;
	if (now_ms - p->since_ms < hold_ms)
		return false;
	p->may_have &= ~others;
	p->given_up |= others;
	p->since_ms = 0;
	*is_uncertain = true;
	return true;
}

struct clickhouse_outbox {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char folder[PATH_MAX - 256], box[CLICKHOUSE_BOX_MAX];
	uint64_t spool_max_bytes, memory_max_bytes;
	struct clickhouse_spool spool;
	bool is_spool_open, is_failing, is_hurried, is_closed;
	struct clickhouse_parcel chunk[CLICKHOUSE_OUTBOX_SLOTS]; // a ring
	unsigned first;
	// Rows, weight and bytes of the chunk that only the sender holds and no file has.
	uint64_t hand_rows, hand_weight, hand_bytes;
	struct clickhouse_outbox_counts counts;

	pthread_mutex_t shown_lock; // covers no I/O, unlike `lock`
	struct clickhouse_outbox_counts shown;
};

static int spool_open(struct clickhouse_outbox *o)
{
	if (o->is_spool_open)
		return 0;
	int rc = clickhouse_spool_open(&o->spool, o->folder, o->box, o->spool_max_bytes);
	o->is_spool_open = rc == 0;
	return rc;
}

// Updates the counts that readers get. Under `lock`.
static void show(struct clickhouse_outbox *o)
{
	const struct clickhouse_spooled *first =
		o->is_spool_open ? clickhouse_spool_first(&o->spool) : NULL;
	pthread_mutex_lock(&o->shown_lock);
	o->shown = o->counts;
	o->shown.rows += o->hand_rows;
	o->shown.weight += o->hand_weight;
	o->shown.memory = sizeof(*o) + o->counts.bytes + o->hand_bytes;
	o->shown.since_ms = o->counts.chunks ? o->chunk[o->first].put_ms : 0;
	o->shown.spool_hour = first ? first->hour : 0;
	pthread_mutex_unlock(&o->shown_lock);
}

static void unlock(struct clickhouse_outbox *o)
{
	show(o);
	pthread_mutex_unlock(&o->lock);
}

static void spool_count(struct clickhouse_outbox *o)
{
	struct clickhouse_outbox_counts *c = &o->counts;
	const struct clickhouse_spool *s = &o->spool;
	if (!o->is_spool_open)
		return;
	c->spooled = s->count;
	c->spool_bytes = s->bytes;
	c->aside = s->aside_count;
	c->aside_bytes = s->aside_bytes;
	c->dropped_chunks = s->dropped_files;
	c->dropped_rows = s->dropped_rows;
	c->dropped_weight = s->dropped_weight;
	if (s->count > c->spooled_most)
		c->spooled_most = s->count;
}

int clickhouse_outbox_open(
	struct clickhouse_outbox **out, const struct clickhouse_outbox_settings *s)
{
	struct clickhouse_outbox *o = heap_calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	pthread_mutex_init(&o->lock, NULL);
	pthread_mutex_init(&o->shown_lock, NULL);
	thread_cond_init(&o->changed);
	snprintf(o->folder, sizeof(o->folder), "%s", s->folder);
	snprintf(o->box, sizeof(o->box), "%s", s->box);
	o->spool_max_bytes = o->counts.spool_max_bytes = s->spool_max_bytes;
	o->memory_max_bytes = o->counts.bytes_max = s->memory_max_bytes;
	o->counts.spool_err = spool_open(o);
	spool_count(o);
	show(o);
	*out = o;
	return 0;
}

// Removes the oldest chunk in memory; the caller owns its body and origin.
static void memory_pop(struct clickhouse_outbox *o)
{
	o->counts.bytes -= o->chunk[o->first].what.bytes;
	o->counts.rows -= o->chunk[o->first].what.rows;
	o->counts.weight -= o->chunk[o->first].what.weight;
	o->first = (o->first + 1) % CLICKHOUSE_OUTBOX_SLOTS;
	o->counts.chunks--;
}

static void parcel_free(struct clickhouse_parcel *p)
{
	FREE_AND_NULL(p->body);
	FREE_AND_NULL(p->origin);
}

static void memory_drop(struct clickhouse_outbox *o)
{
	parcel_free(&o->chunk[o->first]);
	memory_pop(o);
}

void clickhouse_outbox_free(struct clickhouse_outbox *o)
{
	if (!o)
		return;
	while (o->counts.chunks)
		memory_drop(o);
	if (o->is_spool_open)
		clickhouse_spool_close(&o->spool);
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->lock);
	pthread_mutex_destroy(&o->shown_lock);
	heap_free(o);
}

static void hand_empty(struct clickhouse_outbox *o)
{
	o->hand_rows = o->hand_weight = o->hand_bytes = 0;
}

static void lose(struct clickhouse_outbox *o, const struct clickhouse_spooled *what)
{
	o->counts.lost_chunks++;
	o->counts.lost_rows += what->rows;
	o->counts.lost_weight += what->weight;
}

// New files evict old ones only while no server accepts them.
static bool may_drop(const struct clickhouse_outbox *o)
{
	return o->is_failing || o->is_hurried;
}

// Moves the oldest chunk in memory to the spool. -EAGAIN: the spool has no room, and without `drop`
// evicts nothing.
static int spill_one(struct clickhouse_outbox *o, bool drop)
{
	struct clickhouse_parcel *p = &o->chunk[o->first];
	int rc = spool_open(o);
	if (rc == 0 && !drop && !clickhouse_spool_has_room(&o->spool, p->what.bytes))
		return -EAGAIN;
	if (rc == 0)
		rc = clickhouse_spool_put(&o->spool, &p->what, p->origin, p->body);
	o->counts.spool_err = rc;
	if (rc)
		return rc;
	memory_drop(o);
	o->counts.spilled++;
	spool_count(o);
	return 0;
}

static bool memory_has_room(const struct clickhouse_outbox *o, uint64_t bytes)
{
	return o->counts.chunks < CLICKHOUSE_OUTBOX_MAX
	       && (!o->counts.chunks || o->counts.bytes + bytes <= o->memory_max_bytes);
}

int clickhouse_outbox_put(
	struct clickhouse_outbox *o, const struct clickhouse_spooled *what, void *body)
{
	struct clickhouse_outbox_counts *c = &o->counts;
	int rc = 0;
	pthread_mutex_lock(&o->lock);
	while (rc == 0 && !memory_has_room(o, what->bytes))
		rc = spill_one(o, may_drop(o));
	if (memory_has_room(o, what->bytes)) {
		o->chunk[(o->first + c->chunks++) % CLICKHOUSE_OUTBOX_SLOTS] =
			(struct clickhouse_parcel){
				.what = *what, .body = body, .put_ms = clock_mono_ms()};
		c->bytes += what->bytes;
		c->rows += what->rows;
		c->weight += what->weight;
		if (c->chunks > c->chunks_most)
			c->chunks_most = c->chunks;
		while (o->is_failing && c->chunks && spill_one(o, false) == 0)
			;
		pthread_cond_signal(&o->changed);
		rc = 0;
	}
	c->refused += rc < 0;
	unlock(o);
	return rc;
}

void clickhouse_outbox_hurry(struct clickhouse_outbox *o)
{
	pthread_mutex_lock(&o->lock);
	o->is_hurried = true;
	unlock(o);
}

void clickhouse_outbox_close(struct clickhouse_outbox *o)
{
	pthread_mutex_lock(&o->lock);
	o->is_closed = true;
	pthread_cond_broadcast(&o->changed);
	unlock(o);
}

static bool is_want(int err)
{
	return err == -ENOMEM || err == -EMFILE || err == -ENFILE;
}

// Moves the unusable first file of the spool aside. Logs the first file, the second, the fourth and
// so on.
static void set_aside(struct clickhouse_outbox *o, const struct clickhouse_spooled *what, int err)
{
	uint64_t n = ++o->counts.unreadable;
	if ((n & (n - 1)) == 0)
		log_warning("clickhouse: unreadable spool file renamed: %s", strerror(-err));
	lose(o, what);
	clickhouse_spool_put_aside(&o->spool);
	spool_count(o);
}

// Reads the oldest spool file. A file that cannot be read is put aside and counted as lost, unless
// memory or descriptors are short.
static int spool_take(struct clickhouse_outbox *o, struct clickhouse_parcel *out)
{
	while (o->is_spool_open && clickhouse_spool_first(&o->spool)) {
		struct clickhouse_origin *origin;
		void *body;
		int rc = clickhouse_spool_read(&o->spool, &body, &origin);
		const struct clickhouse_spooled what = *clickhouse_spool_first(&o->spool);
		if (rc == 0) {
			*out = (struct clickhouse_parcel){what, body, origin, true, 0};
			o->spool.is_first_held = true;
			return 0;
		}
		if (is_want(rc))
			return rc;
		set_aside(o, &what, rc);
	}
	return -ENOENT;
}

// Chunks on disk are nearly always older than those in memory, but not than the pieces of a chunk
// that was cut in memory.
static bool memory_is_older(const struct clickhouse_outbox *o)
{
	const struct clickhouse_spooled *first =
		o->is_spool_open ? clickhouse_spool_first(&o->spool) : NULL;
	return o->counts.chunks
	       && (!first || clickhouse_spooled_order(&o->chunk[o->first].what, first) < 0);
}

int clickhouse_outbox_take(
	struct clickhouse_outbox *o, unsigned timeout_ms, struct clickhouse_parcel *out)
{
	const struct timespec until = clock_deadline(timeout_ms);
	pthread_mutex_lock(&o->lock);
	while (!o->counts.chunks && !(o->is_spool_open && o->spool.count) && !o->is_closed)
		if (pthread_cond_timedwait(&o->changed, &o->lock, &until) == ETIMEDOUT)
			break;
	int rc = memory_is_older(o) ? -ENOENT : spool_take(o, out);
	if (rc == -ENOENT && o->counts.chunks) {
		*out = o->chunk[o->first];
		memory_pop(o);
		o->hand_rows = out->what.rows;
		o->hand_weight = out->what.weight;
		o->hand_bytes = out->what.bytes;
		rc = 0;
	}
	unlock(o);
	return rc;
}

void clickhouse_outbox_done(struct clickhouse_outbox *o, struct clickhouse_parcel *p)
{
	pthread_mutex_lock(&o->lock);
	hand_empty(o);
	if (p->is_spooled)
		clickhouse_spool_remove(&o->spool);
	spool_count(o);
	o->is_failing = false;
	unlock(o);
	parcel_free(p);
}

void clickhouse_outbox_refuse(struct clickhouse_outbox *o, struct clickhouse_parcel *p)
{
	pthread_mutex_lock(&o->lock);
	hand_empty(o);
	if (p->is_spooled)
		set_aside(o, &p->what, -EPROTONOSUPPORT);
	else
		lose(o, &p->what);
	unlock(o);
	parcel_free(p);
}

static struct clickhouse_origin *origin_copy(const struct clickhouse_origin *origin)
{
	struct clickhouse_origin *copy = origin ? heap_malloc(sizeof(*copy)) : NULL;
	if (copy)
		*copy = *origin;
	return copy;
}

// Puts both halves before all chunks in memory.
static int memory_push(struct clickhouse_outbox *o, const struct clickhouse_parcel *p,
	const struct clickhouse_half half[2])
{
	struct clickhouse_origin *origin[2] = {origin_copy(p->origin), origin_copy(p->origin)};
	if (o->counts.chunks + 2 > CLICKHOUSE_OUTBOX_SLOTS
		|| (p->origin && (!origin[0] || !origin[1]))) {
		FREE_AND_NULL(origin[0]);
		FREE_AND_NULL(origin[1]);
		return -ENOSPC;
	}
	for (unsigned i = 2; i-- > 0;) {
		o->first = (o->first + CLICKHOUSE_OUTBOX_SLOTS - 1) % CLICKHOUSE_OUTBOX_SLOTS;
		o->chunk[o->first] = (struct clickhouse_parcel){.what = half[i].what,
			.body = half[i].body,
			.origin = origin[i],
			.put_ms = p->put_ms ? p->put_ms : clock_mono_ms()};
		o->counts.chunks++;
		o->counts.bytes += half[i].what.bytes;
		o->counts.rows += half[i].what.rows;
		o->counts.weight += half[i].what.weight;
	}
	if (o->counts.chunks > o->counts.chunks_most)
		o->counts.chunks_most = o->counts.chunks;
	return 0;
}

// Puts the halves on disk. If the disk does not accept them they go to memory, and from there into
// the space of the whole, because a kill would lose them. Halves that the disk does not accept even
// then (full, or its fsync fails) are counted and sent first. Without room in memory nothing
// changes: the whole stays on disk, and is cut at the next attempt.
static int halves_put(
	struct clickhouse_outbox *o, struct clickhouse_parcel *p, struct clickhouse_half half[2])
{
	if (!p->is_spooled)
		return memory_push(o, p, half);
	int rc = clickhouse_spool_cut(&o->spool, half, p->origin);
	o->counts.spool_err = rc;
	if (rc == 0) {
		FREE_AND_NULL(half[0].body);
		FREE_AND_NULL(half[1].body);
		return 0;
	}
	if (!memory_has_room(o, (uint64_t)half[0].what.bytes + half[1].what.bytes))
		return rc;
	rc = memory_push(o, p, half);
	if (rc)
		return rc;
	clickhouse_spool_remove(&o->spool);
	unsigned spilled = 0;
	while (spilled < 2 && spill_one(o, false) == 0)
		spilled++;
	o->counts.unspooled_halves += 2 - spilled;
	return 0;
}

int clickhouse_outbox_cut(
	struct clickhouse_outbox *o, struct clickhouse_parcel *p, struct clickhouse_half half[2])
{
	pthread_mutex_lock(&o->lock);
	int rc = halves_put(o, p, half);
	o->counts.cut_chunks += rc == 0;
	if (rc == 0)
		hand_empty(o);
	spool_count(o);
	unlock(o);
	if (rc == 0)
		parcel_free(p);
	return rc;
}

// Puts the chunk first into the spool: it is older than all chunks there.
static int parcel_spool(struct clickhouse_outbox *o, struct clickhouse_parcel *p)
{
	int rc = p->is_spooled ? 0 : spool_open(o);
	if (rc == 0 && !p->is_spooled) {
		rc = clickhouse_spool_put_first(&o->spool, &p->what, p->origin, p->body);
		o->counts.spool_err = rc;
		p->is_spooled = rc == 0;
	}
	if (p->is_spooled)
		hand_empty(o);
	spool_count(o);
	return rc;
}

// The lock is released between files, so that the maker does not wait for all of them.
void clickhouse_outbox_failed(struct clickhouse_outbox *o, struct clickhouse_parcel *p)
{
	pthread_mutex_lock(&o->lock);
	o->is_failing = true;
	(void)!parcel_spool(o, p);
	while (o->counts.chunks && spill_one(o, false) == 0) {
		unlock(o);
		pthread_mutex_lock(&o->lock);
	}
	unlock(o);
}

void clickhouse_outbox_give_back(struct clickhouse_outbox *o, struct clickhouse_parcel *p)
{
	pthread_mutex_lock(&o->lock);
	if (parcel_spool(o, p) < 0)
		lose(o, &p->what);
	hand_empty(o);
	if (o->is_spool_open)
		o->spool.is_first_held = false;
	unlock(o);
	parcel_free(p);
}

void clickhouse_outbox_spill(struct clickhouse_outbox *o)
{
	pthread_mutex_lock(&o->lock);
	while (o->counts.chunks) {
		if (spill_one(o, true) == 0) // the sender has ended
			continue;
		lose(o, &o->chunk[o->first].what);
		memory_drop(o);
	}
	unlock(o);
}

void clickhouse_outbox_counts(struct clickhouse_outbox *o, struct clickhouse_outbox_counts *out)
{
	pthread_mutex_lock(&o->shown_lock);
	*out = o->shown;
	pthread_mutex_unlock(&o->shown_lock);
}
