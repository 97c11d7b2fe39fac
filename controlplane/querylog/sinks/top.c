// SPDX-License-Identifier: BSD-3-Clause
#include "top.h"

#include "base/age_list.h"
#include "rule_hits.h"
#include "shm/mapped_rules.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/heap_site.h>

enum { SHORT_TEXT_MAX = 64, LISTS_CAP = 512 };
static_assert((int)RULE_TITLE_MAX <= (int)SHORT_TEXT_MAX && (int)LISTS_CAP <= (int)TOP_CAP);

const char *const top_kind_names[TOP_KINDS] = {
	[TOP_NAMES] = "names",
	[TOP_CLIENTS] = "clients",
	[TOP_BLOCKED] = "blocked",
	[TOP_NXDOMAIN] = "nxdomain",
	[TOP_SLOW] = "slow",
	[TOP_LISTS] = "lists",
	[TOP_RULES] = "rules",
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
	struct top_totals totals;
	struct rule_hits hits;
	struct publisher *publisher; // NULL: rules are not known
	struct mapped_rules rules;   // used by the log thread alone
	struct topk_item room[2 * TOP_CAP], best[TOP_ITEMS_MAX];
};

static unsigned cap_of(enum top_kind kind)
{
	return kind == TOP_LISTS ? LISTS_CAP : TOP_CAP;
}

static int panes_open(struct top *t, uint64_t now_ms)
{
	for (unsigned p = 0; p < ARRAY_LEN(t->pane); p++) {
		t->pane[p].since_ms = now_ms;
		for (unsigned k = 0; k < TOP_KINDS; k++) {
			const bool is_short = k == TOP_CLIENTS || k == TOP_LISTS;
			int rc = topk_open(&t->pane[p].topk[k], cap_of(k),
				is_short ? SHORT_TEXT_MAX : TOP_TEXT_MAX);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int top_open(struct top **out, struct publisher *publisher, uint64_t now_ms)
{
	struct top *t = heap_calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	t->publisher = publisher;
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
	mapped_rules_close(&t->rules);
	pthread_mutex_destroy(&t->lock);
	heap_free(t);
}

static void count(struct pane *p, enum top_kind kind, uint64_t hash,
	const struct querylog_text *text, uint64_t weight)
{
	p->queries[kind] += weight;
	topk_add(p->topk[kind], hash, text->at, text->len, weight);
}

static void total_count(struct top_totals *s, const struct querylog_row *row)
{
	const bool is_hit = row->tier == QUERYLOG_TIER_L0 || row->tier == QUERYLOG_TIER_L1
			    || row->tier == QUERYLOG_TIER_STALE;
	s->queries += row->weight;
	s->hits += is_hit && !row->is_blocked ? row->weight : 0;
	s->blocked += row->is_blocked ? row->weight : 0;
	s->upstream += row->tier == QUERYLOG_TIER_UPSTREAM ? row->weight : 0;
	s->nxdomain += !row->is_blocked && row->is_answered && row->rcode == DNS_RCODE_NXDOMAIN
			       ? row->weight
			       : 0;
	s->slow += row->total_us > TOP_SLOW_US ? row->weight : 0;
}

// Counts the list that blocked a query, and its rule.
static void list_count(struct top *t, struct pane *p, const struct querylog_row *row)
{
	char text[RULE_HIT_TEXT_MAX];
	const size_t len = rule_hits_text(mapped_rules_reader(&t->rules), row, text);
	const struct querylog_text rule = {.at = text, .len = (uint16_t)len};
	rule_hits_add(&t->hits, &row->list, row->weight);
	count(p, TOP_LISTS, topk_hash(t->key, row->list.at, row->list.len), &row->list,
		row->weight);
	count(p, TOP_RULES, topk_hash(t->key, text, len), &rule, row->weight);
}

// Counts a row. A row without a name or a client stands for unlogged queries.
static void row_count(struct top *t, struct pane *p, const struct querylog_row *row)
{
	total_count(&t->totals, row);
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
	if (row->is_blocked && row->list.len)
		list_count(t, p, row);
	if (row->client.len)
		count(p, TOP_CLIENTS, topk_hash(t->key, row->client.at, row->client.len),
			&row->client, row->weight);
}

static void rules_look(struct top *t, uint64_t now_ms)
{
	if (t->publisher)
		mapped_rules_look(&t->rules, t->publisher, now_ms);
}

static bool on_take(void *arg, const struct querylog_batch *b)
{
	struct top *t = arg;
	rules_look(t, clock_mono_ms());
	pthread_mutex_lock(&t->lock);
	for (unsigned i = 0; i < b->count; i++)
		row_count(t, &t->pane[t->now], &b->row[i]);
	pthread_mutex_unlock(&t->lock);
	return true;
}

static void pane_clear(struct pane *p, uint64_t now_ms)
{
	p->since_ms = now_ms;
	memset(p->queries, 0, sizeof(p->queries));
	for (unsigned k = 0; k < TOP_KINDS; k++)
		topk_clear(p->topk[k]);
}

// Clears all kinds, as names may be excluded now, and `since_ms` counts for all of them.
static void on_forget(void *arg, uint64_t, uint64_t now_ms)
{
	struct top *t = arg;
	pthread_mutex_lock(&t->lock);
	for (unsigned p = 0; p < ARRAY_LEN(t->pane); p++)
		pane_clear(&t->pane[p], now_ms);
	pthread_mutex_unlock(&t->lock);
}

static void on_beat(void *arg, uint64_t now_ms)
{
	struct top *t = arg;
	rules_look(t, now_ms); // even without queries, so that no old image stays mapped
	if (now_ms - t->pane[t->now].since_ms < TOP_PERIOD_MS)
		return;
	pthread_mutex_lock(&t->lock);
	t->now ^= 1;
	pane_clear(&t->pane[t->now], now_ms);
	pthread_mutex_unlock(&t->lock);
}

struct querylog_sink top_sink(struct top *t)
{
	return (struct querylog_sink){
		.name = "top", .take = on_take, .beat = on_beat, .forget = on_forget, .arg = t};
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
	out->totals = t->totals;
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
	out->lists_left_out = t->hits.left_out;
	out->since_ms = age_earlier(t->pane[0].since_ms, t->pane[1].since_ms);
	for (unsigned p = 0; p < ARRAY_LEN(t->pane); p++) {
		for (unsigned k = 0; k < TOP_KINDS; k++) {
			out->cap += cap_of(k);
			out->used += topk_used(t->pane[p].topk[k]);
			out->evicted += topk_evicted(t->pane[p].topk[k]);
			out->bytes += topk_bytes(t->pane[p].topk[k]);
		}
	}
	pthread_mutex_unlock(&t->lock);
}

uint64_t top_list_hits(struct top *t, const char *title)
{
	pthread_mutex_lock(&t->lock);
	const uint64_t queries = rule_hits_of(&t->hits, title);
	pthread_mutex_unlock(&t->lock);
	return queries;
}

bool top_list_at(struct top *t, unsigned i, char title[RULE_TITLE_MAX], uint64_t *queries)
{
	pthread_mutex_lock(&t->lock);
	const bool is_there = i < t->hits.count;
	if (is_there) {
		memcpy(title, t->hits.list[i].title, RULE_TITLE_MAX);
		*queries = t->hits.list[i].queries;
	}
	pthread_mutex_unlock(&t->lock);
	return is_there;
}
