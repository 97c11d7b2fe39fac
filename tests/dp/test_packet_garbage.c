// SPDX-License-Identifier: BSD-3-Clause

// Garbage without end, of every kind that never reaches an answer: each frame moves one counter of
// its verdict, and nothing else does. What a worker shares with others, or keeps, is the same to
// the last byte afterwards, nothing is sent, and nothing was allocated.
#include "harness.h"
#include "tests/unit/core/dns/dns_rand.h"

#include <malloc.h>

enum { ROUNDS = 2000, NOISE = 24, BATCH = 256 };

struct kind {
	const char *what;
	enum verdict verdict;
	uint8_t frame[1600];
	size_t len;
};

static struct kind kinds[64];
static unsigned kind_count;

static struct kind *add(const char *what, enum verdict v, const struct wire_query *q)
{
	struct kind *k = &kinds[kind_count++];
	assert_in_range(kind_count, 1, ARRAY_LEN(kinds));
	k->what = what;
	k->verdict = v;
	k->len = wire_make(q, k->frame);
	return k;
}

static void add_message(const char *what, enum verdict v, const uint8_t *dns, size_t len)
{
	static const struct wire_query plain = {.name = ""};
	struct kind *k = add(what, v, &plain);
	k->len = wire_make_udp(&plain, dns, len, k->frame);
}

// Below IP: frames that are cut, broken or for another host.
static void make_frames(void)
{
	static const struct wire_query good = {.name = "warm.example"};
	struct kind *k = add("a runt", VERDICT_drop_runt, &good);
	k->len = 13;
	k = add("an IP header cut short", VERDICT_drop_runt, &good);
	k->len = 20;
	k = add("an IP packet cut short", VERDICT_drop_ip_header, &good);
	k->len -= 4;
	k = add("IP version 5", VERDICT_drop_ip_header, &good);
	k->frame[14] = 0x55;
	k = add("a wrong IPv4 checksum", VERDICT_drop_ip_csum, &good);
	k->frame[24] ^= 0x40;
	k = add("an unknown EtherType", VERDICT_drop_not_ours, &good);
	wire_put16(k->frame + 12, 0x9000);
	k = add("for another port", VERDICT_drop_not_ours,
		&(struct wire_query){.name = "a", .dst_port = 54});
	k = add("for another address", VERDICT_drop_not_ours,
		&(struct wire_query){.name = "a", .dst = "198.18.0.54"});
	add("a wrong UDP checksum", VERDICT_drop_udp_csum,
		&(struct wire_query){.name = "warm.example", .csum = WIRE_CSUM_BAD});
	add("a wrong UDP checksum, IPv6", VERDICT_drop_udp_csum,
		&(struct wire_query){.name = "warm.example", .version = 6, .csum = WIRE_CSUM_BAD});
	add("no UDP checksum, IPv6", VERDICT_drop_udp_csum,
		&(struct wire_query){.name = "warm.example", .version = 6, .csum = WIRE_CSUM_ZERO});
	add("a first fragment", VERDICT_drop_fragment,
		&(struct wire_query){.name = "warm.example", .fragment = 0x2000});
	add("a later fragment", VERDICT_drop_not_ours,
		&(struct wire_query){.name = "warm.example", .fragment = 0x2001});
}

// Queries from where none can come from.
static void make_sources(void)
{
	static const char *const v4[] = {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255",
		WIRE_BROADCAST4, WIRE_SERVICE4};
	static const char *const v6[] = {
		"::", "::1", "ff02::1", "::ffff:198.18.0.2", WIRE_SERVICE6};
	static const uint16_t ports[] = {7, 13, 17, 19, 53};
	for (size_t i = 0; i < ARRAY_LEN(v4); i++)
		add(v4[i], VERDICT_drop_source,
			&(struct wire_query){.name = "warm.example", .src = v4[i]});
	for (size_t i = 0; i < ARRAY_LEN(v6); i++)
		add(v6[i], VERDICT_drop_source,
			&(struct wire_query){.name = "warm.example", .version = 6, .src = v6[i]});
	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		add("a port that answers all", VERDICT_drop_source_port,
			&(struct wire_query){.name = "warm.example", .src_port = ports[i]});
	add("port 0", VERDICT_drop_udp_header,
		&(struct wire_query){.name = "warm.example", .zero_src_port = true});
	struct kind *k = add("to all on the link", VERDICT_drop_mac,
		&(struct wire_query){.name = "warm.example"});
	memset(k->frame, 0xff, 6);
}

// Messages that no reply is due to.
static void make_messages(void)
{
	uint8_t dns[600] = {0x12, 0x34, 0x81, 0x80, 0, 1};
	struct dns_rand rnd = {3};
	add_message("nothing", VERDICT_drop_dns_short, dns, 0);
	add_message("eleven bytes", VERDICT_drop_dns_short, dns, 11);
	add("a response", VERDICT_drop_dns_response,
		&(struct wire_query){.name = "warm.example", .flags = 0x8180});
	for (unsigned n = 0; n < NOISE; n++) {
		for (size_t i = 12; i < sizeof(dns); i++)
			dns[i] = (uint8_t)dns_rand_next(&rnd);
		add_message("noise with QR=1", VERDICT_drop_dns_response, dns,
			12 + dns_rand_below(&rnd, sizeof(dns) - 12));
	}
}

// All that a worker reads or writes beside its counters, the packets and its own struct.
struct kept {
	const void *at;
	size_t size;
	void *copy;
};

static void keep(struct kept *k, const void *at, size_t size)
{
	*k = (struct kept){.at = at, .size = size, .copy = malloc(size)};
	assert_non_null(k->copy);
	memcpy(k->copy, at, size);
}

static void check_kept(struct kept *k)
{
	assert_memory_equal(k->at, k->copy, k->size);
	free(k->copy);
}

static void pour(struct harness *h)
{
	for (unsigned i = 0, waiting = 0; i < ROUNDS * kind_count; i++) {
		const struct kind *k = &kinds[i % kind_count];
		harness_inject(h, k->frame, k->len);
		if (++waiting == BATCH) {
			harness_turns(h);
			waiting = 0;
		}
	}
	harness_turns(h);
}

PACKET_TEST(test_nothing_but_counters_moves)
{
	uint64_t expected[VERDICT_COUNT] = {0};
	const size_t l0_size = ((struct region_header *)h->l0_base)->total_size;
	struct kept kept[7];
	HARNESS_PUT(h, .name = "warm.example", .count = 3);
	pour(h); // also whatever is made once
	keep(&kept[0], h->l0_base, l0_size);
	keep(&kept[1], (const void *)(uintptr_t)h->marks,
		((struct region_header *)h->l0_base)->geometry[1]);
	keep(&kept[2], h->dedup, sizeof(*h->dedup) * DEDUP_SETS * DEDUP_WAYS);
	keep(&kept[3], &h->dp.miss_tail, sizeof(h->dp.miss_tail));
	keep(&kept[4], &h->dp.answer_head, sizeof(h->dp.answer_head));
	keep(&kept[5], &h->cp, sizeof(h->cp));
	keep(&kept[6], &h->tables, sizeof(h->tables));
	const size_t allocated = mallinfo2().uordblks;
	const struct stats_worker before = h->stats;

	pour(h);
	for (unsigned i = 0; i < kind_count; i++)
		expected[kinds[i].verdict] += ROUNDS;
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		if (h->stats.verdict[v] - before.verdict[v] != expected[v])
			fail_msg("%s: %llu of %llu", verdict_names[v],
				(unsigned long long)(h->stats.verdict[v] - before.verdict[v]),
				(unsigned long long)expected[v]);
	assert_int_equal(harness_counter(h, COUNTER_tx_frames), 0);
	assert_int_equal(harness_counter(h, COUNTER_kernel_tx), 0);
	assert_int_equal(harness_waiting(h), 0);
	assert_int_equal(mallinfo2().uordblks, allocated);
	for (unsigned i = 0; i < ARRAY_LEN(kept); i++)
		check_kept(&kept[i]);
}

static int frames_begin(void **)
{
	make_frames();
	make_sources();
	make_messages();
	return 0;
}
TEST_GROUP(frames_begin, NULL)
