// SPDX-License-Identifier: BSD-3-Clause
#include "querylog_batch.h"

#include "base/age_list.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/own_file.h>

#define HAND_MAGIC UINT64_C(0x646e61682d676f6c) // "log-hand"

struct record {
	uint64_t magic, sum;
	uint64_t count;
	struct querylog_hand_rows sink[QUERYLOG_HAND_SINKS];
	uint8_t rest[512 - 24 - QUERYLOG_HAND_SINKS * sizeof(struct querylog_hand_rows)];
};
static_assert(sizeof(struct querylog_hand_rows) == 32 && sizeof(struct record) == 512);

// FNV-1a of the fields behind `sum`: tells a record of weir's from other data.
static uint64_t sum_of(const struct record *r)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);
	const uint8_t *from = (const uint8_t *)&r->count;
	for (size_t i = 0; i < sizeof(*r) - offsetof(struct record, count); i++)
		sum = (sum ^ from[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static bool name_is_plain(const char name[QUERYLOG_HAND_NAME])
{
	size_t len = strnlen(name, QUERYLOG_HAND_NAME);
	return len > 0 && len < QUERYLOG_HAND_NAME
	       && strspn(name, "abcdefghijklmnopqrstuvwxyz-_") == len;
}

static void was_read(struct querylog_hand *h)
{
	struct record r;
	if (pread(h->fd, &r, sizeof(r), 0) != (ssize_t)sizeof(r) || r.magic != HAND_MAGIC
		|| r.sum != sum_of(&r) || r.count > QUERYLOG_HAND_SINKS)
		return;
	for (unsigned i = 0; i < r.count; i++)
		if (name_is_plain(r.sink[i].name) && r.sink[i].rows)
			h->was[h->was_count++] = r.sink[i];
}

int querylog_hand_open(struct querylog_hand *h, const char *path)
{
	*h = (struct querylog_hand){.fd = -1};
	int fd = own_file_open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return fd;
	h->fd = fd;
	FAULT_POINT(hand_opened);
	was_read(h);
	return 0;
}

void querylog_hand_begin(struct querylog_hand *h)
{
	h->is_begun = true;
	querylog_hand_put(h, NULL, 0);
}

void querylog_hand_put(
	struct querylog_hand *h, const struct querylog_hand_rows *rows, unsigned count)
{
	struct record r = {.magic = HAND_MAGIC, .count = count};
	assert(count <= QUERYLOG_HAND_SINKS);
	if (h->fd < 0)
		return;
	if (count)
		memcpy(r.sink, rows, count * sizeof(*rows));
	r.sum = sum_of(&r);
	FAULT_POINT(hand_before);
	// If the tmpfs is full the file keeps an older record, or has none: the bound may be
	// missing.
	(void)!pwrite(h->fd, &r, sizeof(r), 0);
	FAULT_POINT(hand_written);
}

void querylog_hand_close(struct querylog_hand *h)
{
	if (h->is_begun)
		querylog_hand_put(h, NULL, 0);
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

const char *const querylog_transport_names[QUERYLOG_TRANSPORTS] = {[QUERYLOG_UDP] = "udp",
	[QUERYLOG_TCP] = "tcp",
	[QUERYLOG_DOT] = "dot",
	[QUERYLOG_DOH] = "doh"};
const char *const querylog_validation_names[QUERYLOG_VALIDATIONS] = {
	[QUERYLOG_NOT_VALIDATED] = "none",
	[QUERYLOG_SECURE] = "secure",
	[QUERYLOG_INSECURE] = "insecure",
	[QUERYLOG_BOGUS] = "bogus"};
const char *const querylog_tier_names[QUERYLOG_TIERS] = {
	[QUERYLOG_TIER_NONE] = "none",
	[QUERYLOG_TIER_RULES] = "rules",
	[QUERYLOG_TIER_L0] = "l0",
	[QUERYLOG_TIER_L1] = "l1",
	[QUERYLOG_TIER_UPSTREAM] = "upstream",
	[QUERYLOG_TIER_STALE] = "stale",
};

struct batch {
	struct querylog_batch out;
	_Atomic unsigned references;
	struct querylog_pool *pool;
	struct batch *next; // next spare batch
	struct age_link age;
	void (*drop)(void *arg);
	void *drop_arg;
	size_t text_used;
	struct querylog_row row[QUERYLOG_ROWS_MAX];
	char text[QUERYLOG_TEXT_MAX];
};

struct querylog_pool {
	pthread_mutex_t lock;
	struct batch *spare;
	unsigned spares, out, out_most;
	uint64_t starved;
	struct age_list ages; // ages of the batches in use
	struct growth growth;
};

static struct batch *batch_of(const struct querylog_batch *b)
{
	return (struct batch *)((uintptr_t)b - offsetof(struct batch, out));
}

int querylog_pool_open(struct querylog_pool **out)
{
	struct querylog_pool *p = heap_calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	*out = p;
	return 0;
}

void querylog_pool_close(struct querylog_pool *p)
{
	if (!p)
		return;
	assert(p->out == 0);
	while (p->spare) {
		struct batch *b = p->spare;
		p->spare = b->next;
		heap_free(b);
	}
	pthread_mutex_destroy(&p->lock);
	heap_free(p);
}

// Returns a batch to fill, or NULL. Counts it before it allocates, so that malloc runs without the
// lock.
static struct batch *pool_get(struct querylog_pool *p)
{
	pthread_mutex_lock(&p->lock);
	struct batch *b = p->spare;
	bool may = p->out < QUERYLOG_BATCHES_MAX;
	if (may) {
		p->out++;
		if (b) {
			p->spare = b->next;
			p->spares--;
		}
	} else {
		p->starved++;
	}
	pthread_mutex_unlock(&p->lock);
	if (!may)
		return NULL;
	bool is_new = !b;
	if (is_new)
		b = heap_malloc(sizeof(*b));
	pthread_mutex_lock(&p->lock);
	if (b) {
		age_add(&p->ages, &b->age);
		if (is_new)
			growth_step(&p->growth, 0, sizeof(*b));
		if (p->out > p->out_most)
			p->out_most = p->out;
	} else {
		p->out--;
		p->starved++;
	}
	pthread_mutex_unlock(&p->lock);
	return b;
}

struct querylog_batch *querylog_pool_take(struct querylog_pool *p, const char *box, uint64_t number)
{
	struct batch *b = pool_get(p);
	if (!b)
		return NULL;
	b->out = (struct querylog_batch){.number = number, .box = box, .row = b->row};
	b->pool = p;
	b->next = NULL;
	b->drop = NULL;
	b->text_used = 0;
	atomic_store_explicit(&b->references, 1, memory_order_relaxed);
	return &b->out;
}

struct querylog_row *querylog_batch_row(struct querylog_batch *out, size_t text)
{
	struct batch *b = batch_of(out);
	if (out->count == QUERYLOG_ROWS_MAX || text > sizeof(b->text) - b->text_used)
		return NULL;
	const struct querylog_text none = {.at = "", .len = 0};
	struct querylog_row *row = &b->row[out->count];
	*row = (struct querylog_row){.qname = none,
		.client = none,
		.client_name = none,
		.group = none,
		.verdict = none,
		.list = none,
		.upstream = none,
		.ede = QUERYLOG_NO_EDE};
	return row;
}

char *querylog_batch_text(struct querylog_batch *out, size_t size)
{
	struct batch *b = batch_of(out);
	assert(size <= sizeof(b->text) - b->text_used);
	char *at = b->text + b->text_used;
	b->text_used += size;
	return at;
}

void querylog_batch_end_row(struct querylog_batch *out)
{
	out->weight += batch_of(out)->row[out->count].weight;
	out->count++;
}

void querylog_batch_add_weight(struct querylog_batch *out, uint64_t weight)
{
	assert(out->count > 0);
	out->weight += weight;
	batch_of(out)->row[out->count - 1].weight += weight;
}

void querylog_batch_keep(struct querylog_batch *out, void (*drop)(void *arg), void *arg)
{
	struct batch *b = batch_of(out);
	b->drop = drop;
	b->drop_arg = arg;
}

void querylog_hold(const struct querylog_batch *out)
{
	atomic_fetch_add_explicit(&batch_of(out)->references, 1, memory_order_relaxed);
}

void querylog_release(const struct querylog_batch *out)
{
	struct batch *b = batch_of(out);
	if (atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) != 1)
		return;
	if (b->drop)
		b->drop(b->drop_arg);
	struct querylog_pool *p = b->pool;
	pthread_mutex_lock(&p->lock);
	p->out--;
	age_remove(&p->ages, &b->age);
	bool keep = p->spares < QUERYLOG_SPARE_MAX;
	if (keep) {
		b->next = p->spare;
		p->spare = b;
		p->spares++;
	} else {
		growth_step(&p->growth, sizeof(*b), 0);
	}
	pthread_mutex_unlock(&p->lock);
	if (!keep)
		heap_free(b);
}

void querylog_pool_counts(struct querylog_pool *p, struct querylog_pool_counts *out)
{
	pthread_mutex_lock(&p->lock);
	*out = (struct querylog_pool_counts){.out = p->out,
		.made = p->out + p->spares,
		.bytes = (uint64_t)(p->out + p->spares) * sizeof(struct batch),
		.starved = p->starved,
		.out_most = p->out_most,
		.since_ms = age_since(&p->ages),
		.growth = p->growth};
	pthread_mutex_unlock(&p->lock);
}
