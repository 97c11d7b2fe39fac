// SPDX-License-Identifier: BSD-3-Clause
// Few frames, whose questions are read before anything else is known of them, come to the same end
// as a batch that is read in order: frames of all kinds, whole, and with each bit of theirs turned,
// alone and in a batch of their like get the same verdict and the same reply to the last octet.
#include "harness.h"

enum { MANY = BATCH_FEW + 1 };

struct outcome {
	unsigned verdict;
	size_t len; // of the reply; 0: none
	uint8_t reply[WIRE_MAX];
};

static unsigned verdict_of(
	const struct harness *h, const uint64_t before[VERDICT_COUNT], unsigned n)
{
	unsigned verdict = VERDICT_COUNT;
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		if (harness_verdict(h, v) == before[v])
			continue;
		assert_int_equal(harness_verdict(h, v), before[v] + n);
		assert_int_equal(verdict, VERDICT_COUNT);
		verdict = v;
	}
	assert_int_not_equal(verdict, VERDICT_COUNT);
	return verdict;
}

// `n` of the frame in one turn: one outcome.
static void pass(struct harness *h, const uint8_t *frame, size_t len, unsigned n, struct outcome *o)
{
	uint64_t before[VERDICT_COUNT];
	struct msg_miss msg;
	uint8_t other[WIRE_MAX], question[300];
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		before[v] = harness_verdict(h, v);
	for (unsigned i = 0; i < n; i++)
		harness_inject(h, frame, len);
	assert_int_equal(worker_turn(&h->w, 0), n);
	o->verdict = verdict_of(h, before, n);
	o->len = harness_waiting(h) ? harness_take(h, o->reply) : 0;
	for (unsigned i = 1; o->len && i < n; i++) {
		assert_int_equal(harness_take(h, other), o->len);
		assert_memory_equal(other, o->reply, o->len);
	}
	assert_int_equal(harness_waiting(h), 0);
	while (harness_miss(h, &msg, question))
		continue;
}

static unsigned compare(struct harness *h, const uint8_t *frame, size_t len)
{
	struct outcome few, many;
	pass(h, frame, len, 1, &few);
	pass(h, frame, len, MANY, &many);
	assert_int_equal(few.verdict, many.verdict);
	assert_int_equal(few.len, many.len);
	assert_memory_equal(few.reply, many.reply, few.len);
	return few.verdict;
}

static struct harness *begin(bool csum_unseen)
{
	static const char *const listed[] = {"listed.test"};
	struct harness *h =
		harness_begin(&(struct harness_options){.rx_csum_compute = csum_unseen});
	// Whatever the age of a record: the clock goes on between two sendings.
	h->tables.config.client_ttl_cap_s = 60;
	harness_put(h, &(struct harness_record){.name = "cached.example", .count = 1});
	harness_put(h, &(struct harness_record){
			       .name = "cached.example", .count = 1, .key_flags = L0_KEY_DO});
	harness_block(h, listed, ARRAY_LEN(listed));
	return h;
}

static const struct {
	struct wire_query query;
	enum verdict verdict;
} kinds[] = {
	{{.name = "cached.example"}, VERDICT_hit},
	{{.name = "CaChed.eXamplE", .edns = true}, VERDICT_hit},
	{{.name = "cached.example", .edns = true, .dnssec_ok = true}, VERDICT_hit},
	{{.name = "cached.example", .version = 6}, VERDICT_hit},
	{{.name = "cached.example", .has_vlan = true}, VERDICT_hit},
	{{.name = "cached.example", .ip_option_len = 8}, VERDICT_hit},
	{{.name = "cached.example", .padding = 18}, VERDICT_hit},
	{{.name = "cached.example", .extra_octets = 3}, VERDICT_hit},
	{{.name = "cached.example", .edns = true, .edns_version = 1}, VERDICT_badvers},
	{{.name = "cached.example", .qclass = 3}, VERDICT_refused},
	{{.name = "cached.example", .flags = 0x0110}, VERDICT_miss},
	{{.name = "cached.example", .flags = 0x2900}, VERDICT_notimp},
	{{.name = "below.listed.test"}, VERDICT_blocked},
	{{.name = "listed.test", .version = 6}, VERDICT_blocked},
	{{.name = "unknown.example"}, VERDICT_miss},
};

static void test_kinds(void **)
{
	struct harness *h = begin(false);
	uint8_t frame[WIRE_MAX];
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		const size_t len = wire_make(&kinds[i].query, frame);
		assert_int_equal(compare(h, frame, len), kinds[i].verdict);
	}
	harness_end(h);
}

// No checksum is looked at here, so that a turned bit is not all that there is to say of it. A
// question that is asked so often would be dropped as a duplicate in the end.
static void test_turned_bits(void **)
{
	struct harness *h = begin(true);
	uint8_t frame[WIRE_MAX];
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		const size_t len = wire_make(&kinds[i].query, frame);
		if (kinds[i].verdict == VERDICT_miss)
			continue;
		for (size_t bit = 0; bit < 8 * len; bit++) {
			frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
			(void)compare(h, frame, len);
			frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	harness_end(h);
}

// What is cut off is another frame's, or nobody's.
static void test_cut(void **)
{
	struct harness *h = begin(false);
	uint8_t frame[WIRE_MAX];
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		for (size_t len = wire_make(&kinds[i].query, frame); len > 0; len--)
			(void)compare(h, frame, len);
	}
	harness_end(h);
}

static bool took(struct harness *h, const struct outcome *a, const struct outcome *b)
{
	uint8_t reply[WIRE_MAX];
	const size_t len = harness_take(h, reply);
	const bool is_a = len == a->len && memcmp(reply, a->reply, len) == 0;
	assert_true(is_a || (len == b->len && memcmp(reply, b->reply, len) == 0));
	return is_a;
}

// Behind a frame that stage_net settles, so that places in the batch and in its store differ, and
// behind one of another kind: each has the verdict and the reply that it has alone.
static void test_among_others(void **)
{
	enum { RUNT = 13 };
	struct harness *h = begin(false);
	uint8_t plain[WIRE_MAX], frame[WIRE_MAX];
	const size_t plain_len =
		wire_make(&(struct wire_query){.name = "cached.example", .id = 7}, plain);
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		struct outcome first, second;
		const size_t len = wire_make(&kinds[i].query, frame);
		pass(h, plain, plain_len, 1, &first);
		pass(h, frame, len, 1, &second);
		const uint64_t before = harness_verdict(h, second.verdict);
		harness_inject(h, plain, RUNT);
		harness_inject(h, plain, plain_len);
		harness_inject(h, frame, len);
		assert_int_equal(worker_turn(&h->w, 0), 3);
		assert_int_equal(harness_verdict(h, second.verdict) - before,
			second.verdict == first.verdict ? 2 : 1);
		unsigned firsts = 0, replies = 1 + (second.len > 0);
		for (unsigned k = 0; k < replies; k++)
			firsts += took(h, &first, &second);
		assert_int_equal(firsts, 1);
		assert_int_equal(harness_waiting(h), 0);
	}
	harness_drain(h);
	harness_end(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_turned_bits),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_among_others),
	};
	return HARNESS_MAIN(tests);
}
