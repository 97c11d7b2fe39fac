// SPDX-License-Identifier: BSD-3-Clause
// Batches of every size through a full table: records of both buckets of their keys, with and
// without names that rules settle before the lookup. Each packet must come to its record at the
// first candidate: a look that was left out would still be made good, as an anomaly.
#include "dataplane/core/l0/l0_read.h"
#include "harness.h"

enum { NAMES = 36000, KEPT = 32, BLOCKED_EACH = 5, SPECIAL_EACH = 3 };

struct name {
	char text[24];
};

static struct name home[KEPT], elsewhere[KEPT];

// Is it in the table still, and where?
static uint32_t candidate_of(const struct harness *h, const char *text)
{
	const struct l0_reader *r = &h->tables.l0;
	struct dns_name name;
	assert_int_equal(dns_name_from_text(text, strlen(text), &name), 0);
	struct l0_key key = {.name = name.wire, .name_len = name.len, .qtype = 1, .qclass = 1};
	uint64_t anomalies = 0;
	l0_key_hash(r, &key);
	uint32_t found = l0_find(r, &key, l0_candidate(r, key.hash), &anomalies);
	uint32_t first = l0_read_home(r, key.hash);
	if (found == L0_NONE || (first != found && first != L0_ELSEWHERE))
		return L0_NONE; // gone, or hidden behind another's tag
	return first;
}

static void fill(struct harness *h)
{
	unsigned homes = 0, others = 0;
	struct name n;
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(n.text, sizeof(n.text), "n%u.example", i);
		HARNESS_PUT(h, .name = n.text, .count = 1);
	}
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(n.text, sizeof(n.text), "n%u.example", i);
		uint32_t first = candidate_of(h, n.text);
		if (first == L0_ELSEWHERE && others < KEPT)
			elsewhere[others++] = n;
		else if (first != L0_ELSEWHERE && first != L0_NONE && homes < KEPT)
			home[homes++] = n;
	}
	assert_int_equal(homes, KEPT);
	assert_int_equal(others, KEPT);
}

struct mix {
	bool has_blocked; // every fifth query is for a listed name
	bool has_special; // every third client may ask for nothing
};

static bool is_blocked(const struct mix *m, unsigned at)
{
	return (m->has_blocked && at % BLOCKED_EACH == 1)
	       || (m->has_special && at % SPECIAL_EACH == 2);
}

static struct wire_query query(const struct mix *m, unsigned at, unsigned round)
{
	unsigned which = (round * WORKER_BATCH + at) % KEPT;
	bool listed = m->has_blocked && at % BLOCKED_EACH == 1;
	return (struct wire_query){
		.name = listed                     ? "listed.test"
			: (at + round / 3) % 4 < 2 ? elsewhere[which].text
						   : home[which].text,
		.src = m->has_special && at % SPECIAL_EACH == 2 ? "198.18.1.9" : "198.18.0.9",
		.id = (uint16_t)(at + 1),
	};
}

// Leaves no packet of the batch a record that the next one could take for its own.
static void ask_cold(struct harness *h)
{
	uint8_t frame[WIRE_MAX];
	const struct wire_query q = {.name = "cold.test"};
	for (unsigned i = 0; i < WORKER_BATCH; i++)
		harness_inject(h, frame, wire_make(&q, frame));
	assert_int_equal(worker_turn(&h->w, 0), WORKER_BATCH);
	harness_drain(h);
}

static void ask_batch(struct harness *h, const struct mix *m, unsigned size, unsigned round)
{
	uint8_t frame[WIRE_MAX];
	uint64_t hits = harness_verdict(h, VERDICT_hit);
	unsigned seen[WORKER_BATCH] = {0}, blocked = 0;
	for (unsigned i = 0; i < size; i++) {
		struct wire_query q = query(m, i, round);
		blocked += is_blocked(m, i);
		harness_inject(h, frame, wire_make(&q, frame));
	}
	h->w.rules_settle = round % 2; // or else it looks for records before the rules
	assert_int_equal(worker_turn(&h->w, 0), size);
	for (unsigned i = 0; i < size; i++) {
		struct wire_reply r;
		size_t len = harness_take(h, frame);
		assert_true(len > 44);
		unsigned at = wire_u16(frame + 42) - 1U;
		assert_true(at < size && !seen[at]++);
		struct wire_query q = query(m, at, round);
		wire_check_answers(frame, len, &q, &r);
		assert_int_equal(r.rcode, is_blocked(m, at) ? 3 : 0);
		if (!is_blocked(m, at))
			assert_int_not_equal(harness_mark(h, q.name) & MARK_VISITED, 0);
	}
	assert_int_equal(harness_verdict(h, VERDICT_hit) - hits, size - blocked);
}

static void ask(const struct mix *m)
{
	const struct dns_block block = {.mode = DNS_BLOCK_NXDOMAIN, .ttl_s = 60};
	const struct policy_group groups[] = {
		{.lists = {7}, .block = block}, {.lists = {7}, .block = block, .block_all = 1}};
	struct harness *h = harness_begin(NULL);
	fill(h);
	h->w.control_alive = 0; // or cold names would fill its ring
	if (m->has_blocked)
		harness_block(h, (const char *const[]){"listed.test"}, 1);
	if (m->has_special)
		harness_groups(h, (const char *const[]){"198.18.1.0/24"}, 1, groups);
	for (unsigned size = 1; size <= WORKER_BATCH; size++)
		for (unsigned round = 0; round < 16; round++) {
			ask_cold(h);
			ask_batch(h, m, size, size * 16 + round);
		}
	assert_int_equal(harness_counter(h, COUNTER_record_anomaly), 0);
	harness_end(h);
}

TEST(test_hits)
{
	ask(&(struct mix){0});
}

TEST(test_between_blocked)
{
	ask(&(struct mix){.has_blocked = true});
}

TEST(test_between_special)
{
	ask(&(struct mix){.has_special = true});
	ask(&(struct mix){.has_special = true, .has_blocked = true});
}

// Frames and their bytes, of several in one turn.
PACKET_TEST(test_bytes_are_counted)
{
	uint8_t frame[WIRE_MAX];
	size_t bytes = 0;
	for (unsigned i = 0; i < 3; i++) {
		const size_t len = wire_make(
			&(struct wire_query){.name = "cold.example", .extra_bytes = i}, frame);
		bytes += len;
		harness_inject(h, frame, len);
	}
	assert_int_equal(worker_turn(&h->w, 0), 3);
	assert_int_equal(harness_counter(h, COUNTER_rx_frames), 3);
	assert_int_equal(harness_counter(h, COUNTER_rx_bytes), bytes);
	harness_drain(h);
}
