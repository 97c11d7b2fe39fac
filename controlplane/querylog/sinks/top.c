// SPDX-License-Identifier: BSD-3-Clause
#include "top.h"

#include "base/age_list.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <weir/dns_proto.h>

enum { CLIENT_TEXT_MAX = 64 };

const char *const top_kind_names[TOP_KINDS] = {
	[TOP_NAMES] = "names",
	[TOP_CLIENTS] = "clients",
	[TOP_BLOCKED] = "blocked",
	[TOP_NXDOMAIN] = "nxdomain",
	[TOP_SLOW] = "slow",
};

struct pane { // a period
	uint64_t since_ms;
	uint64_t queries[TOP_KINDS];
	struct topk *topk[TOP_KINDS];
};

struct top {
	pthread_mutex_t lock;
	uint64_t key[2];
	unsigned now; // the pane that counts; the other one has the period before
	struct pane pane[2];
	struct topk_item room[2 * TOP_CAP], best[TOP_ITEMS_MAX];
};

static int panes_open(struct top *t, uint64_t now_ms)
{
	for (unsigned p = 0; p < ARRAY_LEN(t->pane); p++) {
		t->pane[p].since_ms = now_ms;
		for (unsigned k = 0; k < TOP_KINDS; k++) {
			int rc = topk_open(&t->pane[p].topk[k], TOP_CAP,
				k == TOP_CLIENTS ? CLIENT_TEXT_MAX : TOP_TEXT_MAX);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int top_open(struct top **out, uint64_t now_ms)
{
	struct top *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	int rc = panes_open(t, now_ms);
	if (rc == 0 && getrandom(t->key, sizeof(t->key), 0) != (ssize_t)sizeof(t->key))
		rc = -EIO;
	if (rc < 0) {
		top_free(t);
		return rc;
	}
	*out = t;
	return 0;
}

void top_free(struct top *t)
{
	if (!t)
		return;
	for (unsigned p = 0; p < ARRAY_LEN(t->pane); p++)
		for (unsigned k = 0; k < TOP_KINDS; k++)
			topk_free(t->pane[p].topk[k]);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void count(struct pane *p, enum top_kind kind, uint64_t hash,
	const struct querylog_text *text, uint64_t weight)
{
	p->queries[kind] += weight;
	topk_add(p->topk[kind], hash, text->at, text->len, weight);
}

// A row without a name or a client stands for queries that nothing else is known of.
static void row_count(struct top *t, struct pane *p, const struct querylog_row *row)
{
	if (row->qname.len) {
		uint64_t hash = topk_hash(t->key, row->qname.at, row->qname.len);
		count(p, TOP_NAMES, hash, &row->qname, row->weight);
		if (row->is_blocked)
			count(p, TOP_BLOCKED, hash, &row->qname, row->weight);
		else if (row->is_answered && row->rcode == DNS_RCODE_NXDOMAIN)
			count(p, TOP_NXDOMAIN, hash, &row->qname, row->weight);
		if (row->total_us > TOP_SLOW_US)
			count(p, TOP_SLOW, hash, &row->qname, row->weight);
	}
	if (row->client.len)
		count(p, TOP_CLIENTS, topk_hash(t->key, row->client.at, row->client.len),
			&row->client, row->weight);
}

static bool on_take(void *arg, const struct querylog_batch *b)
{
	struct top *t = arg;
	pthread_mutex_lock(&t->lock);
	for (unsigned i = 0; i < b->count; i++)
		row_count(t, &t->pane[t->now], &b->row[i]);
	pthread_mutex_unlock(&t->lock);
	return true;
}

static void on_beat(void *arg, uint64_t now_ms)
{
	struct top *t = arg;
	if (now_ms - t->pane[t->now].since_ms < TOP_PERIOD_MS)
		return;
	pthread_mutex_lock(&t->lock);
	t->now ^= 1;
	struct pane *p = &t->pane[t->now];
	p->since_ms = now_ms;
	memset(p->queries, 0, sizeof(p->queries));
	for (unsigned k = 0; k < TOP_KINDS; k++)
		topk_clear(p->topk[k]);
	pthread_mutex_unlock(&t->lock);
}

struct querylog_sink top_sink(struct top *t)
{
	return (struct querylog_sink){.name = "top", .take = on_take, .beat = on_beat, .arg = t};
}

static void items_copy(const struct topk_item *from, unsigned n, struct top_item out[TOP_ITEMS_MAX])
{
	for (unsigned i = 0; i < n; i++) {
		size_t len = strlen(from[i].text);
		memcpy(out[i].text, from[i].text, len + 1);
		out[i].count = from[i].count;
		out[i].error = from[i].error;
	}
}

void top_read(struct top *t, unsigned max, struct top_report *out)
{
	if (max > TOP_ITEMS_MAX)
		max = TOP_ITEMS_MAX;
	pthread_mutex_lock(&t->lock);
	const struct pane *now = &t->pane[t->now], *before = &t->pane[t->now ^ 1];
	out->since_ms = before->since_ms;
	for (unsigned k = 0; k < TOP_KINDS; k++) {
		out->queries[k] = now->queries[k] + before->queries[k];
		out->count[k] = topk_best(now->topk[k], before->topk[k], t->room, t->best, max);
		items_copy(t->best, out->count[k], out->item[k]);
	}
	pthread_mutex_unlock(&t->lock);
}

void top_size(struct top *t, struct top_size *out)
{
	*out = (struct top_size){.bytes = sizeof(*t)};
	pthread_mutex_lock(&t->lock);
	out->since_ms = age_earlier(t->pane[0].since_ms, t->pane[1].since_ms);
	for (unsigned p = 0; p < ARRAY_LEN(t->pane); p++) {
		for (unsigned k = 0; k < TOP_KINDS; k++) {
			out->cap += TOP_CAP;
			out->used += topk_used(t->pane[p].topk[k]);
			out->evicted += topk_evicted(t->pane[p].topk[k]);
			out->bytes += topk_bytes(t->pane[p].topk[k]);
		}
	}
	pthread_mutex_unlock(&t->lock);
}
