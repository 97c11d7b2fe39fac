// SPDX-License-Identifier: BSD-3-Clause
// From log rings to sinks: rows of records, what is left out and hidden, hostile records, rings
// that end with a debt, and the sum of weights through all of it.

#include "controlplane/querylog/querylog.h"
#include "controlplane/querylog/querylog_row.h"
#include "tests/unit/unit.h"

#include <weir/log_writer.h>
#include <weir/shm_msg.h>
#include <weir/shm_stats.h>

enum { UNITS = 4096, ROWS_KEPT = 64 };

static struct config config;
static struct upstream_book *book;
static struct config_group group = {.name = (char *)(uintptr_t) "child\x1bren"};
static struct config_client client_named = {.name = (char *)(uintptr_t) "laptop"};
static struct ip_address client_prefix = {.version = 4, .prefix_len = 32, .bytes = {192, 0, 2, 7}};
static struct ip_address excluded = {.version = 4, .prefix_len = 25, .bytes = {192, 0, 2, 128}};
static struct dns_name excluded_name;
static const struct rule_list_info lists[3] = {{.title = "a"}, {.title = "b"}, {.title = "ads"}};

struct ring {
	alignas(CACHE_LINE) struct ring_index tail, head;
	alignas(CACHE_LINE) uint8_t data[UNITS * RING_UNIT];
	_Atomic uint64_t owed;
	struct log_writer writer;
};

struct kept {
	_Atomic uint64_t weight, rows;
	_Atomic uint64_t number, forgotten; // of the last batch; what `forget` was called with
	_Atomic unsigned forgets;
	struct querylog_row row[ROWS_KEPT]; // the first
	char qname[ROWS_KEPT][QUERYLOG_NAME_MAX], client[ROWS_KEPT][64], list[ROWS_KEPT][32],
		group[ROWS_KEPT][64], name[ROWS_KEPT][32], verdict[ROWS_KEPT][32],
		upstream[ROWS_KEPT][32];
};

static void ring_open(struct ring *r, uint32_t sample)
{
	memset(r, 0, sizeof(*r));
	log_writer_init(&r->writer, &r->tail, &r->head, r->data, UNITS, &r->owed);
	log_writer_set(&r->writer, sample, 0);
}

static void ring_join(struct ring *r, struct querylog *q)
{
	struct querylog_source s = {.owed = &r->owed};
	ring_consumer_init(&s.ring, &r->tail, &r->head, r->data, UNITS);
	assert_int_equal(querylog_add_source(q, &s), 0);
}

static struct log_record plain = {
	.total_us = 0,
	.client = {192, 0, 2, 7},
	.client_port = 5353,
	.qtype = 28,
	.qclass = 1,
	.query_len = 40,
	.reply_len = 100,
	.rcode = 3,
	.ede = 15,
	.list = 2,
	.upstream = LOG_NO_UPSTREAM,
	.dataplane_us = 12,
	.verdict = VERDICT_blocked,
	.group = 1,
	.flags = LOG_ANSWERED | LOG_TIER_RULES << LOG_TIER_SHIFT,
};

static void put(struct ring *r, const struct log_record *like, const char *wire, size_t len)
{
	if (log_writer_left(&r->writer) > 1) {
		log_writer_skip(&r->writer, 1);
	} else {
		struct log_record *to = log_writer_take(&r->writer, (uint8_t)len);
		if (to) {
			uint32_t weight = to->weight;
			*to = *like;
			to->weight = weight;
			to->name_len = (uint8_t)len;
			memcpy(to + 1, wire, len);
		}
	}
	log_writer_publish(&r->writer);
}

static bool take(void *arg, const struct querylog_batch *b)
{
	struct kept *k = arg;
	uint64_t at = atomic_load(&k->rows);
	for (unsigned i = 0; i < b->count && at + i < ROWS_KEPT; i++) {
		const struct querylog_row *row = &b->row[i];
		k->row[at + i] = *row;
		snprintf(k->qname[at + i], QUERYLOG_NAME_MAX, "%s", row->qname.at);
		snprintf(k->client[at + i], 64, "%s", row->client.at);
		snprintf(k->list[at + i], 32, "%s", row->list.at);
		snprintf(k->group[at + i], 64, "%s", row->group.at);
		snprintf(k->name[at + i], 32, "%s", row->client_name.at);
		snprintf(k->verdict[at + i], 32, "%s", row->verdict.at);
		snprintf(k->upstream[at + i], 32, "%s", row->upstream.at);
	}
	k->number = b->number;
	atomic_fetch_add(&k->weight, b->weight);
	atomic_fetch_add(&k->rows, b->count);
	return true;
}

static void forget(void *arg, uint64_t number, uint64_t)
{
	struct kept *k = arg;
	k->forgotten = number;
	k->forgets++;
}

static int set_up(void **)
{
	plain.time_us = clock_mono_us(); // records of another day are rejected
	config = (struct config){
		.group_count = 1, .groups = &group, .client_count = 1, .clients = &client_named};
	client_named.address_count = 1;
	client_named.addresses = &client_prefix;
	config.query_log.exclude_clients = &excluded;
	config.query_log.exclude_client_count = 1;
	config.query_log.exclude_domains = &excluded_name;
	config.query_log.exclude_domain_count = 1;
	if (upstream_book_open(&book) < 0 || upstream_book_number(book, "first") != 0
		|| upstream_book_number(book, "isp\x1b") != 1)
		return -1;
	return dns_name_from_text("secret.example", 14, &excluded_name);
}

static void names_set(struct querylog *q)
{
	struct querylog_names *n = querylog_names_new(&config, lists, ARRAY_LEN(lists), book);
	assert_non_null(n);
	querylog_set_names(q, n);
}

static struct querylog *log_open(struct kept *k, enum log_clients how)
{
	struct querylog *q;
	memset(k, 0, sizeof(*k));
	config.query_log.anonymize = how;
	assert_int_equal(querylog_open(&q, &(struct querylog_settings){.box = "box"}), 0);
	const struct querylog_sink sink = {
		.name = "kept", .take = take, .forget = forget, .arg = k};
	assert_int_equal(querylog_add(q, &sink), 0);
	names_set(q);
	return q;
}

static struct querylog *log_of_ring(struct kept *k, struct ring *r, enum log_clients how)
{
	struct querylog *q = log_open(k, how);
	ring_open(r, 1);
	ring_join(r, q);
	return q;
}

static void run_through(struct querylog *q)
{
	assert_int_equal(querylog_start(q), 0);
	querylog_stop(q);
}

// Sinks forget clients and names when others are hidden or excluded, and at no other reload.
TEST(test_other_clients_are_hidden)
{
	static struct ring r;
	static struct kept k;
	struct querylog *q = log_of_ring(&k, &r, LOG_CLIENTS_WHOLE);
	assert_int_equal(querylog_start(q), 0);
	put(&r, &plain, "\3www\7example", 13);
	WAIT_FOR(k.rows == 1);
	names_set(q);
	put(&r, &plain, "\3www\7example", 13);
	WAIT_FOR(k.rows == 2);
	assert_int_equal(k.forgets, 0);
	config.query_log.anonymize = LOG_CLIENTS_TRUNCATED;
	names_set(q);
	WAIT_FOR(k.forgets == 1);
	assert_true(k.forgotten >= k.number);
	put(&r, &plain, "\3www\7example", 13);
	WAIT_FOR(k.rows == 3);
	assert_true(k.forgotten < k.number);
	assert_string_equal(k.client[2], "192.0.2.0");
	excluded.prefix_len = 24;
	names_set(q);
	WAIT_FOR(k.forgets == 2);
	excluded.prefix_len = 25;
	config.query_log.exclude_domain_count = 0;
	names_set(q);
	WAIT_FOR(k.forgets == 3);
	config.query_log.exclude_domain_count = 1;
	querylog_close(q);
}

TEST(test_a_record_becomes_a_row)
{
	static struct ring r;
	static struct kept k;
	struct querylog *q = log_of_ring(&k, &r, LOG_CLIENTS_WHOLE);
	struct log_record resolved = plain;
	resolved.upstream = 1;
	resolved.rcode = (uint16_t)(0xc000 | LOG_VALIDATION_BOGUS << LOG_VALIDATION_SHIFT | 0xfff);
	put(&r, &plain, "\3www\7example", 13);
	put(&r, &resolved, "\3www\7example", 13);
	resolved.upstream = 2; // nobody's
	put(&r, &resolved, "\3www\7example", 13);
	run_through(q);
	assert_int_equal(k.rows, 3);
	assert_string_equal(k.upstream[0], "");
	assert_string_equal(k.upstream[1], "isp\\x1b");
	assert_string_equal(k.upstream[2], "");
	const struct querylog_row *row = &k.row[0];
	assert_string_equal(k.qname[0], "www.example");
	assert_string_equal(k.client[0], "192.0.2.7");
	assert_string_equal(k.name[0], "laptop");
	assert_string_equal(k.group[0], "child\\x1bren");
	assert_string_equal(k.list[0], "ads");
	assert_string_equal(k.verdict[0], "blocked");
	assert_int_equal(row->client_port, 5353);
	assert_int_equal(row->qtype, 28);
	assert_int_equal(row->rcode, 3);
	assert_int_equal(row->validation, QUERYLOG_NOT_VALIDATED);
	assert_int_equal(k.row[1].validation, QUERYLOG_BOGUS); // whatever the bits above it
	assert_int_equal(k.row[1].rcode, 0xfff);
	assert_int_equal(row->ede, 15);
	assert_int_equal(row->dataplane_us, 12);
	assert_int_equal(row->total_us, 12);
	assert_int_equal(row->tier, QUERYLOG_TIER_RULES);
	assert_true(row->is_blocked && row->is_answered);
	// The record's clock, put on the wall's.
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t age_us =
		(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 - row->time_us;
	uint64_t meant_us = clock_mono_us() - plain.time_us;
	assert_true(age_us < meant_us + 10000000 && age_us + 10000000 > meant_us);
	querylog_close(q);
}

// Control bytes, quotes, NUL, halves of UTF-8, a dot within a label: escaped, and nothing lost.
TEST(test_malicious_names)
{
	static const struct {
		const char *wire;
		size_t len;
		const char *text;
	} names[] = {
		{"\1\0\0", 3, "\\000"},
		{"\4\x1b[2j\0", 6, "\\027[2j"},
		{"\3a.b\0", 5, "a\\.b"},
		{"\2\xc3\x28\0", 4, "\\195("},
		{"\5'\"; \n\0", 7, "'\";\\032\\010"},
		{"\0", 1, "."},
	};
	static struct ring r;
	static struct kept k;
	struct querylog *q = log_of_ring(&k, &r, LOG_CLIENTS_WHOLE);
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		put(&r, &plain, names[i].wire, names[i].len);
	run_through(q);
	assert_int_equal(k.rows, ARRAY_LEN(names));
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		assert_string_equal(k.qname[i], names[i].text);
		struct dns_name back = name_of_text(k.qname[i]);
		assert_int_equal(back.len, names[i].len);
		assert_memory_equal(back.wire, names[i].wire, names[i].len);
	}
	querylog_close(q);
}

TEST(test_left_out)
{
	static struct ring r;
	static struct kept k;
	struct querylog *q = log_of_ring(&k, &r, LOG_CLIENTS_WHOLE);
	struct querylog_status s;
	struct log_record other = plain;
	other.client[3] = 200;
	put(&r, &other, "\1a", 3);
	put(&r, &plain, "\1a\6secret\7example", 18);
	put(&r, &plain, "\7xsecret\7example", 17);
	run_through(q);
	querylog_status(q, &s);
	assert_int_equal(k.rows, 1);
	assert_string_equal(k.qname[0], "xsecret.example");
	assert_int_equal(s.excluded_rows, 2);
	assert_int_equal(s.excluded_weight, 2);
	querylog_close(q);
}

TEST(test_clients_are_hidden)
{
	static struct ring r;
	static struct kept k;
	struct log_record v6 = plain, other = plain;
	v6.flags |= LOG_IPV6;
	assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:2::3", v6.client), 1);
	other.client[3] = 8;
	for (unsigned how = LOG_CLIENTS_HASHED; how <= LOG_CLIENTS_TRUNCATED; how++) {
		struct querylog *q = log_of_ring(&k, &r, how);
		put(&r, &plain, "\1a", 3);
		put(&r, &v6, "\1a", 3);
		put(&r, &plain, "\1a", 3);
		put(&r, &other, "\1a", 3);
		run_through(q);
		assert_int_equal(k.rows, 4);
		assert_int_equal(k.row[0].client_port, 0);
		assert_string_equal(k.name[0], "");
		assert_string_equal(k.client[0], k.client[2]);
		if (how == LOG_CLIENTS_TRUNCATED) {
			assert_string_equal(k.client[0], "192.0.2.0");
			assert_string_equal(k.client[1], "2001:db8:1::");
		} else {
			static const uint8_t zeros[16];
			assert_int_equal(strlen(k.client[0]), 16);
			assert_string_not_equal(k.client[0], k.client[3]);
			assert_memory_equal(k.row[1].client_bytes, zeros, 16);
		}
		querylog_close(q);
	}
}

TEST(test_records_that_make_no_sense)
{
	static struct ring r;
	static struct kept k;
	struct querylog *q = log_of_ring(&k, &r, LOG_CLIENTS_WHOLE);
	struct querylog_status s;
	struct log_record bad = plain;
	put(&r, &plain, "\5abc", 5);    // a label past the end
	put(&r, &plain, "\1a\0\0", 4);  // bytes behind the name
	put(&r, &plain, "\300\014", 2); // a pointer
	bad.verdict = VERDICT_COUNT;
	put(&r, &bad, "\1a", 3);
	bad = plain;
	bad.flags = 0xf << LOG_TIER_SHIFT;
	put(&r, &bad, "\1a", 3);
	bad = plain;
	bad.time_us = UINT64_MAX / 2; // no store has a file for that hour
	put(&r, &bad, "\1a", 3);
	bad.time_us = UINT64_MAX;
	put(&r, &bad, "\1a", 3);
	bad.time_us = clock_mono_us() + UINT64_C(7200000000); // in two hours
	put(&r, &bad, "\1a", 3);
	bad.time_us = clock_mono_us() - UINT64_C(90000000000); // 25 hours ago
	put(&r, &bad, "\1a", 3);
	bad = plain;
	bad.list = 999; // a number that no list has: no name
	bad.group = 255;
	put(&r, &bad, "\1a", 3);
	void *small = ring_reserve(&r.writer.ring, MSG_LOG, 8);
	memset(small, 0, 8);
	void *foreign = ring_reserve(&r.writer.ring, MSG_MISS, 64);
	memset(foreign, 0, 64);
	log_writer_publish(&r.writer);
	run_through(q);
	querylog_status(q, &s);
	assert_int_equal(s.bad, 11);
	assert_int_equal(k.rows, 1);
	assert_string_equal(k.list[0], "");
	assert_string_equal(k.group[0], "");
	querylog_close(q);
}

// Only their time is wrong, as after hours without a control plane: their queries are none the
// less. The next row tells them, or one of its own.
TEST(test_weight_of_records_out_of_time)
{
	for (unsigned behind = 0; behind <= 2; behind += 2) {
		static struct ring r;
		static struct kept k;
		struct querylog *q = log_of_ring(&k, &r, LOG_CLIENTS_WHOLE);
		struct querylog_status s;
		struct log_record late = plain;
		late.time_us = clock_mono_us() - UINT64_C(90000000000); // 25 hours ago
		put(&r, &late, "\1a", 3);
		late.time_us = clock_mono_us() + UINT64_C(7200000000); // in two hours
		put(&r, &late, "\1a", 3);
		put(&r, &late, "\5abc", 5); // and more of it than that
		late.verdict = VERDICT_COUNT;
		put(&r, &late, "\1a", 3);
		for (unsigned i = 0; i < behind; i++)
			put(&r, &plain, "\1a", 3);
		log_writer_publish(&r.writer);
		run_through(q);
		querylog_status(q, &s);
		assert_int_equal(s.bad, 4);
		assert_int_equal(s.rows, behind ? behind : 1);
		assert_int_equal(s.weight, 2 + behind);
		assert_int_equal(s.carried_weight, 2);
		assert_int_equal(s.unlogged, 2);
		assert_int_equal(k.weight, 2 + behind);
		querylog_close(q);
	}
}

// Three writers, one of which ends with a full ring, sampled and not, while the thread runs.
TEST(test_weights_through_the_thread)
{
	static struct ring r[3];
	static struct kept k;
	struct querylog *q = log_open(&k, LOG_CLIENTS_WHOLE);
	struct querylog_status s;
	uint64_t written = 0;
	for (unsigned i = 0; i < 3; i++) {
		ring_open(&r[i], i == 1 ? 10 : 1);
		ring_join(&r[i], q);
	}
	assert_int_equal(querylog_start(q), 0);
	for (unsigned n = 0; n < 20000; n++)
		for (unsigned i = 0; i < 3; i++) {
			put(&r[i], &plain, "\3www\7example", 13);
			written++;
		}
	for (unsigned i = 0; i < 3; i++)
		WAIT_FOR(!r[i].writer.skipped || log_writer_rest(&r[i].writer, clock_mono_us()));
	querylog_stop(q);
	querylog_status(q, &s);
	assert_int_equal(s.weight, written);
	assert_int_equal(k.weight, written);
	assert_int_equal(s.rows, k.rows);
	assert_int_equal(s.bad, 0);
	assert_int_equal(s.sink[0].weight, written);
	querylog_close(q);
}

TEST(test_worker_rings_end_with_a_debt)
{
	static struct ring r;
	static struct kept k;
	const uint64_t hours = UINT64_C(5000000000);
	struct querylog *q = log_open(&k, LOG_CLIENTS_WHOLE);
	struct querylog_source s = {.owed = &r.owed, .has_ended = true};
	ring_open(&r, 1);
	for (unsigned i = 0; i < 10000; i++) // more than the ring holds
		put(&r, &plain, "\3www\7example", 13);
	assert_true(atomic_load(&r.owed) > 0);
	atomic_fetch_add(&r.owed, hours); // while there was no control plane
	ring_consumer_init(&s.ring, &r.tail, &r.head, r.data, UNITS);
	assert_int_equal(querylog_add_source(q, &s), 0);
	run_through(q);
	struct querylog_status status;
	querylog_status(q, &status);
	assert_true(status.weight == hours + 10000);
	assert_true(k.weight == hours + 10000);
	assert_int_equal(status.sources, 0);
	querylog_close(q);
}

TEST_GROUP(set_up, NULL)
