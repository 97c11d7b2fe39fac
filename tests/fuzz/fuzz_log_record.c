// SPDX-License-Identifier: BSD-3-Clause

// What a data plane puts on a log ring: a record, or one with messages, is no row or one whose
// texts may be printed, whose numbers a store may index by, and whose messages are what lay there.
//
// The first byte: which of the two it is, and how clients are hidden; the rest is the message.

#include "controlplane/querylog/querylog_row.h"
#include "fuzz.h"

#include <weir/log_msg.h>

enum { HIDE_SHIFT = 1, WAYS = 3, WHOLE = 1 << 7 };

static const enum log_clients ways[WAYS] = {
	LOG_CLIENTS_WHOLE, LOG_CLIENTS_TRUNCATED, LOG_CLIENTS_HASHED};
static const int64_t wall_us = 1700000000000000;
static struct querylog_names *names[WAYS];
static struct querylog_hide hide;
static struct querylog_macs macs;
static struct querylog_pool *pool;

FUZZ_BEGIN
{
	static struct config config;
	for (unsigned i = 0; i < WAYS; i++) {
		config.query_log.anonymize = ways[i];
		names[i] = querylog_names_new(&config, NULL, 0, NULL);
		FUZZ_CHECK(names[i]);
	}
	querylog_macs_open(&macs);
	FUZZ_CHECK(querylog_hide_beat(&hide, 1) == 0);
	FUZZ_CHECK(querylog_pool_open(&pool) == 0);
	return 0;
}

static void check_text(const struct querylog_text *t, size_t most)
{
	FUZZ_CHECK(t->at && strlen(t->at) == t->len && t->len < most);
	for (unsigned i = 0; i < t->len; i++)
		FUZZ_CHECK(t->at[i] >= ' ' && t->at[i] < 0x7f);
}

static void check_row(const struct querylog_row *row)
{
	check_text(&row->qname, QUERYLOG_NAME_MAX);
	check_text(&row->client, QUERYLOG_CLIENT_TEXT_MAX);
	check_text(&row->group, 1);
	check_text(&row->list, 1);
	check_text(&row->upstream, 1);
	check_text(&row->verdict, 64);
	FUZZ_CHECK(row->verdict.len > 0);
	FUZZ_CHECK(row->weight > 0 && row->weight <= UINT32_MAX);
	FUZZ_CHECK(row->tier < QUERYLOG_TIERS && row->transport < QUERYLOG_TRANSPORTS);
	FUZZ_CHECK(row->time_us < (UINT64_C(1) << 32) * 1000000);
	FUZZ_CHECK(row->rcode <= 0xfff);
}

static void check_bytes(const uint8_t *kept, const uint8_t *from, size_t len)
{
	FUZZ_CHECK(!kept || (from && memcmp(kept, from, len) == 0));
}

static void check_whole(
	unsigned way, const struct querylog_row *row, const struct log_whole_view *whole)
{
	FUZZ_CHECK((row->whole != NULL) == (whole != NULL && row->client.len > 0));
	if (!row->whole)
		return;
	FUZZ_CHECK(ways[way] == LOG_CLIENTS_WHOLE || (!row->whole->query && !row->whole->reply));
	check_bytes(row->whole->query, whole->query, row->query_len);
	check_bytes(row->whole->reply, whole->reply, row->reply_len);
}

static void take(unsigned way, const uint8_t *msg, size_t len, const struct log_whole_view *whole)
{
	uint64_t weight = 0;
	struct querylog_batch *b = querylog_pool_take(pool, "box", 1);
	FUZZ_CHECK(b);
	const struct querylog_maker by = {
		.names = names[way], .hide = &hide, .macs = &macs, .wall_us = wall_us};
	enum querylog_made made = querylog_row_make(b, &by, msg, len, whole, &weight);
	FUZZ_CHECK(made == QUERYLOG_MADE || made == QUERYLOG_BAD);
	FUZZ_CHECK(b->count == (made == QUERYLOG_MADE));
	// What would be carried on if its time alone made no sense.
	uint64_t carried = querylog_row_weight(msg, len);
	FUZZ_CHECK(carried <= UINT32_MAX && (made != QUERYLOG_MADE || carried == weight));
	if (made == QUERYLOG_MADE) {
		FUZZ_CHECK(b->weight == weight && b->row[0].weight == weight);
		check_row(&b->row[0]);
		check_whole(way, &b->row[0], whole);
	}
	querylog_release(b);
}

static void take_whole(unsigned way, const uint8_t *msg, size_t len)
{
	struct log_whole_view whole;
	if (log_whole_read(msg, len, &whole) < 0)
		return;
	FUZZ_CHECK(whole.record_len + sizeof(whole.ends) <= len);
	take(way, msg, whole.record_len, &whole);
}

FUZZ_BODY(data, len)
{
	if (len == 0)
		return 0;
	unsigned way = ((data[0] & ~WHOLE) >> HIDE_SHIFT) % WAYS;
	if (data[0] & WHOLE)
		take_whole(way, data + 1, len - 1);
	else
		take(way, data + 1, len - 1, NULL);
	return 0;
}
