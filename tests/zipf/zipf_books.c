// SPDX-License-Identifier: BSD-3-Clause
#include "zipf_books.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	WARM_PART = 10,
	SLACK_MS = 3000, // from the upstream's answer to its storing, on a machine with no CPU left
	TOLD_MAX = 50,
};

static uint8_t heat_of(double per_minute, uint32_t hot_per_minute)
{
	if (per_minute >= hot_per_minute)
		return ZIPF_HOT;
	return per_minute * WARM_PART >= hot_per_minute ? ZIPF_WARM : ZIPF_COLD;
}

bool zipf_books_open(struct zipf_books *b, uint32_t rate, uint32_t hot_per_minute)
{
	double sum = 0;

	b->name = calloc(b->names, sizeof(*b->name));
	b->below = calloc(b->names, sizeof(*b->below));
	if (!b->name || !b->below)
		return false;
	for (uint32_t i = 0; i < b->names; i++) {
		sum += 1.0 / (i + 1);
		b->below[i] = sum;
	}
	for (uint32_t i = 0; i < b->names; i++) {
		b->below[i] /= sum;
		b->name[i].heat = heat_of(rate * 60.0 / sum / (i + 1), hot_per_minute);
		b->tally[b->name[i].heat].names++;
	}
	return true;
}

uint32_t zipf_books_draw(struct zipf_books *b)
{
	double at = (double)(zipf_mix(b->seed++) >> 11) / (double)(UINT64_C(1) << 53);
	uint32_t low = 0, high = b->names - 1;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (b->below[mid] < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void model_ask(struct zipf_books *b, struct zipf_name *n, const struct zipf_question *q)
{
	bool again = n->in_model, gone = !again || !zipf_after(n->over_ms, q->sent_ms);

	if (gone) {
		b->model_upstream++;
		n->in_model = true;
		n->ready_ms = q->sent_ms + b->delay_ms;
		n->over_ms = n->ready_ms + zipf_ttl_s(&b->ttl, q->number) * 1000;
	}
	if (!zipf_after(n->ready_ms, q->sent_ms))
		return;
	b->tally[n->heat].model_misses++;
	b->tally[n->heat].model_late += gone && again;
}

void zipf_books_sent(struct zipf_books *b, const struct zipf_question *q)
{
	struct zipf_name *n = &b->name[q->number];

	b->tally[n->heat].sent++;
	model_ask(b, n, q);
}

static void tell(struct zipf_books *b, const struct zipf_question *q, const struct zipf_reply *r,
	const char *what, uint32_t now_ms)
{
	const struct zipf_name *n = &b->name[q->number];

	if (b->lines++ >= TOLD_MAX)
		return;
	fprintf(stderr,
		"%s: z%u (TTL %u s, filled %u ms ago): asked, then made after %d ms, came after %u "
		"ms; the copy before ran out %d ms before it was asked\n",
		what, (unsigned)q->number, (unsigned)zipf_ttl_s(&b->ttl, q->number),
		(unsigned)(now_ms - n->filled_ms), (int)(r->born_ms - q->sent_ms),
		(unsigned)(now_ms - q->sent_ms), (int)(q->sent_ms - n->ends_ms));
}

static bool is_wrong(const struct zipf_books *b, const struct zipf_question *q,
	const struct zipf_reply *r, uint32_t now_ms)
{
	uint32_t ttl_s = zipf_ttl_s(&b->ttl, q->number);
	uint32_t over_ms = r->born_ms + ttl_s * 1000 + SLACK_MS;

	if (r->number != q->number || zipf_after(r->born_ms, now_ms))
		return true;
	// Its TTL must not outlive the record. A stale one has a TTL of its own.
	return !r->stale && (r->ttl_s > ttl_s || zipf_after(q->sent_ms + r->ttl_s * 1000, over_ms));
}

static void judge(struct zipf_books *b, const struct zipf_question *q, const struct zipf_reply *r,
	uint32_t now_ms)
{
	struct zipf_name *n = &b->name[q->number];
	struct zipf_tally *t = &b->tally[n->heat];
	uint32_t over_ms = r->born_ms + zipf_ttl_s(&b->ttl, q->number) * 1000 + SLACK_MS;
	// Others may have waited for this very answer, and have got it already.
	uint32_t before_ms = r->serial == n->serial ? n->before_ms : n->ends_ms;

	if (r->stale || zipf_after(q->sent_ms, over_ms)) {
		t->stale++;
		if (n->heat == ZIPF_HOT)
			tell(b, q, r, "stale", now_ms);
	} else if (zipf_after(r->born_ms, q->sent_ms)) {
		if (!n->filled || !zipf_after(q->sent_ms, n->filled_ms)) {
			t->first_waits++;
		} else if (zipf_after(before_ms, now_ms)) {
			t->overtaken++;
		} else {
			t->missed++;
			if (n->heat == ZIPF_HOT)
				tell(b, q, r, "missed", now_ms);
		}
	}
}

void zipf_books_reply(struct zipf_books *b, const struct zipf_question *q,
	enum zipf_verdict verdict, const struct zipf_reply *r, uint32_t now_ms)
{
	struct zipf_name *n = &b->name[q->number];
	struct zipf_tally *t = &b->tally[n->heat];

	if (verdict == ZIPF_SERVFAIL) {
		t->servfail++;
		return;
	}
	if (verdict != ZIPF_ANSWER || is_wrong(b, q, r, now_ms)) {
		b->wrong++;
		return;
	}
	t->answers++;
	judge(b, q, r, now_ms);
	if (!n->filled) {
		n->filled = true;
		n->filled_ms = now_ms;
		n->serial = r->serial - 1;
		n->ends_ms = now_ms;
		t->filled++;
	}
	// An older copy than one seen before: an answer that lay in a queue, or asked for earlier.
	if ((int32_t)(r->serial - n->serial) <= 0)
		return;
	n->serial = r->serial;
	n->before_ms = n->ends_ms;
	n->ends_ms = r->born_ms + zipf_ttl_s(&b->ttl, q->number) * 1000;
}

void zipf_books_unanswered(struct zipf_books *b, const struct zipf_question *q)
{
	b->tally[b->name[q->number].heat].unanswered++;
}

void zipf_books_print(const struct zipf_books *b)
{
	static const char *const heats[] = {"hot", "warm", "cold"};
	struct zipf_tally all = {0};

	printf("{");
	for (unsigned i = 0; i < ZIPF_HEATS; i++) {
		const struct zipf_tally *t = &b->tally[i];
		printf("\"%s\": {\"names\": %ju, \"filled\": %ju, \"sent\": %ju, \"answers\": %ju, "
		       "\"first_waits\": %ju, \"missed\": %ju, \"stale\": %ju, \"overtaken\": %ju, "
		       "\"servfail\": %ju, \"unanswered\": %ju, \"late_without\": %ju}, ",
			heats[i], (uintmax_t)t->names, (uintmax_t)t->filled, (uintmax_t)t->sent,
			(uintmax_t)t->answers, (uintmax_t)t->first_waits, (uintmax_t)t->missed,
			(uintmax_t)t->stale, (uintmax_t)t->overtaken, (uintmax_t)t->servfail,
			(uintmax_t)t->unanswered, (uintmax_t)t->model_late);
		all.sent += t->sent;
		all.answers += t->answers;
		all.missed += t->first_waits + t->missed;
		all.unanswered += t->unanswered;
		all.model_misses += t->model_misses;
	}
	printf("\"sent\": %ju, \"answers\": %ju, \"wrong\": %ju, \"unanswered\": %ju, \"misses\": "
	       "%ju, \"misses_without\": %ju, \"upstream_without\": %ju}\n",
		(uintmax_t)all.sent, (uintmax_t)all.answers, (uintmax_t)b->wrong,
		(uintmax_t)all.unanswered, (uintmax_t)all.missed, (uintmax_t)all.model_misses,
		(uintmax_t)b->model_upstream);
}
