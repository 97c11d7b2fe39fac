// SPDX-License-Identifier: BSD-3-Clause
// A control plane gone wild: whatever stands in the table, the images of rules and policy, the
// answer ring and the ring indices, workers read and write nothing beyond them (run under
// sanitizers too), end every frame in one verdict, lose no buffer, and serve again once the
// nonsense is gone. With `WEIR_FLIPS`, random single bits in all of that instead, so many.
#include "controlplane/rule_image/rule_build.h"
#include "harness.h"

enum { FLIPS = 20000, FLIPS_A_ROUND = 32 };
enum { NAMES = 48, ROUNDS = 6000, RESTORE_EACH = 16, UNITS_SCRIBBLED = 4096, SANE = 3 };

static uint32_t seed;
static char name[NAMES][24];

static uint32_t next(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

// An area that the control plane writes, and what it held when it was sane.
struct area {
	uint8_t *base;
	size_t size;
	uint8_t *sane;
};

static struct area area_of(void *base, size_t size)
{
	struct area a = {.base = base, .size = size, .sane = malloc(size)};
	assert_non_null(a.sane);
	memcpy(a.sane, base, size);
	return a;
}

// Numbers that bounds checks get wrong, and any others; `at` is where a field may begin.
static void scribble(uint8_t *at, size_t left)
{
	static const uint64_t odd[] = {
		0, 1, 0x7f, 0xff, 0x100, 0x7fff, 0xffff, 0x10000, UINT32_MAX, UINT64_MAX};
	uint64_t value =
		next(2) ? odd[next(10)] : (uint64_t)next(UINT32_MAX) << 32 | next(UINT32_MAX);
	size_t len = (size_t)1 << next(4);
	memcpy(at, &value, len < left ? len : left);
}

static void scribble_area(const struct area *a)
{
	size_t at = next((uint32_t)a->size);
	scribble(a->base + at, a->size - at);
}

// The same record once more, but where the table ends before it does; its number.
static uint32_t move_to_end(const struct area *l0, const struct l0_reader *r, uint32_t record)
{
	uint32_t left = 1 + next(2), number = r->unit_count - left;
	uint8_t *units = l0->base + (r->units - l0->base);
	if (record + left <= number)
		memcpy(units + (size_t)number * L0_UNIT, units + (size_t)record * L0_UNIT,
			(size_t)left * L0_UNIT);
	return number;
}

// In the head of a record that can be found, or in the slot that leads to it.
static void scribble_record(struct harness *h, const struct area *l0)
{
	const struct l0_reader *r = &h->tables.l0;
	for (unsigned tries = 0; tries < 4096; tries++) {
		uint32_t bucket = next((uint32_t)r->bucket_mask + 1), slot = next(L0_BUCKET_SLOTS);
		struct l0_bucket *b = (struct l0_bucket *)(uintptr_t)&r->buckets[bucket];
		uint32_t record = b->record[slot];
		if (!b->tag[slot] || record >= r->unit_count)
			continue;
		size_t at = (size_t)(r->units - l0->base) + (size_t)record * L0_UNIT + next(80);
		if (next(8) == 0)
			b->record[slot] = next(2) ? move_to_end(l0, r, record) : next(UINT32_MAX);
		else if (at < l0->size)
			scribble(l0->base + at, l0->size - at);
		return;
	}
}

// Records with TTLs at even steps and with a table of them, and every kind of rule.
static const struct harness_rule rules[] = {
	{"n0.example", RULE_CLASS_BLOCK, RULE_REPLY_GROUP, 0, 0, NULL},
	{"n1.example", RULE_CLASS_LOCAL, RULE_REPLY_DATA, 1, 4, "abcd"},
	{"n1.example", RULE_CLASS_LOCAL, RULE_REPLY_DATA, 1, 4, "efgh"},
	{"n2.example", RULE_CLASS_BLOCK, RULE_REPLY_DATA, 16, 5, "\4abcd"},
	{"n2.example", RULE_CLASS_BLOCK, RULE_REPLY_DATA, 16, 4, "\3efg"},
	{"n2.example", RULE_CLASS_BLOCK, RULE_REPLY_DATA, 16, 9, "\10ijklmnop"},
	{"n3.example", RULE_CLASS_OPERATOR_DENY, RULE_REPLY_DROP, 0, 0, NULL}, // pattern or not
	{"n4.example", RULE_CLASS_SAFE, RULE_REPLY_RESOLVE, 0, 0, NULL},
	{"n5.example", RULE_CLASS_EXCEPT, RULE_REPLY_GROUP, 0, 0, NULL},
	{"n6.example", RULE_CLASS_OPERATOR_ALLOW, RULE_REPLY_GROUP, 0, 0, NULL},
	{"n7.example", RULE_CLASS_IMPORTANT_BLOCK, RULE_REPLY_GROUP, 0, 0, NULL},
	{"/n8/", RULE_CLASS_ALLOW, RULE_REPLY_GROUP, 0, 0, NULL},
};
static const struct policy_group groups[] = {{.lists = {-1, -1, -1}},
	{.lists = {-1, -1, -1}, .view = 1, .safe_view = 2}, {.lists = {0}, .block_all = 1}};
static const char *const clients[] = {
	"198.18.1.0/24 fd53:1::/32", "198.18.2.0/24 fd53:2::/64 02:00:00:00:00:09"};

static void prepare(struct harness *h)
{
	static const struct rule_set masked = {{0, 0, 0, 1}}; // by a list of no group
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(name[i], sizeof(name[i]), "n%u.example", i);
		HARNESS_PUT(h, .name = name[i], .count = i, .refresh_ms = i & 1 ? 1 : 0,
			.created_ms = i % 5 ? -1000 : -400000, .mask = i % 3 ? NULL : &masked);
	}
	harness_groups(h, clients, ARRAY_LEN(clients), groups);
	harness_rules(h, rules, ARRAY_LEN(rules));
}

static void ask_some(struct harness *h)
{
	for (unsigned i = 1 + next(8); i > 0; i--) {
		static const char *const from[2][3] = {
			{NULL, "198.18.1.1", "198.18.2.1"}, {NULL, "fd53:1::1", "fd53:2::1"}};
		uint8_t f[WIRE_MAX];
		unsigned six = next(2);
		struct wire_query q = {.name = name[next(next(2) ? NAMES : NAMES / 4)],
			.src = from[six][next(3)],
			.version = six ? 6 : 4,
			.qtype = next(2) ? 1 : 16,
			.edns = next(2),
			.edns_size = 4096,
			.has_vlan = next(2)};
		harness_inject(h, f, wire_make(&q, f));
	}
	harness_turns(h);
}

static void answer_some(struct harness *h, const struct msg_answer *head)
{
	static uint8_t dns[MSG_DNS_MAX];
	struct msg_answer a = *head;
	uint32_t len = next(600);
	dns[2] = 0x81;
	a.dns_len = (uint16_t)(next(4) ? len : next(65536));
	a.sum = csum_partial(dns, len);
	if (next(2))
		scribble((uint8_t *)&a + next(sizeof(a)), 1);
	uint8_t *room = ring_reserve(&h->answer, MSG_ANSWER, (uint32_t)sizeof(a) + len);
	if (!room)
		return;
	memcpy(room, &a, sizeof(a));
	memcpy(room + sizeof(a), dns, len);
	ring_publish(&h->answer);
}

static void restore(struct harness *h, const struct area *areas, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		memcpy(areas[i].base, areas[i].sane, areas[i].size);
	// As a control plane that starts again would find them.
	h->cp.miss_head.units = h->dp.miss_tail.units;
	h->cp.answer_tail.units = h->dp.answer_head.units;
	ring_producer_init(
		&h->answer, &h->cp.answer_tail, &h->dp.answer_head, h->answer_data, 32768);
	while (stage_answer(&h->w))
		harness_drain(h);
}

static void flip(const struct area *a)
{
	uint32_t at = next((uint32_t)a->size);
	a->base[at] ^= (uint8_t)(1 << next(8));
}

// Half of them where something lies: in a record that can be found.
static void flip_record(struct harness *h, const struct area *l0)
{
	const struct l0_reader *r = &h->tables.l0;
	const struct l0_bucket *b = &r->buckets[next((uint32_t)r->bucket_mask + 1)];
	uint32_t record = b->record[next(L0_BUCKET_SLOTS)];
	size_t at = (size_t)(r->units - l0->base) + (size_t)record * L0_UNIT + next(512);
	if (at < l0->size)
		l0->base[at] ^= (uint8_t)(1 << next(8));
	else
		flip(l0);
}

static void flip_rounds(struct harness *h, const struct area areas[5],
	const struct msg_answer *head, uint64_t flips)
{
	for (uint64_t done = 0, i = 0; done < flips; i++) {
		for (unsigned k = 0; k < FLIPS_A_ROUND; k++, done++) {
			if (next(2))
				flip_record(h, &areas[0]);
			else
				flip(&areas[next(8) ? next(3) : 3 + next(2)]);
		}
		h->tables.config.stale_mode = (uint8_t)next(2);
		ask_some(h);
		answer_some(h, head);
		(void)stage_answer(&h->w);
		harness_drain(h);
		if (i % RESTORE_EACH == RESTORE_EACH - 1)
			restore(h, areas, SANE);
	}
}

// `flips`: 0 for wild values, else that many single bits.
static void run(uint32_t first_seed, uint64_t flips)
{
	struct harness *h = harness_begin(NULL);
	h->any_replies = true; // what the other side makes of them
	seed = first_seed;
	prepare(h);
	const struct rule_arena *arena = h->rules;
	uint32_t units = h->tables.l0.unit_count;
	struct area areas[] = {
		area_of(h->l0_base,
			(size_t)(h->tables.l0.units - h->l0_base) + (size_t)units * L0_UNIT),
		area_of((void *)(uintptr_t)arena->base, arena->size),
		area_of(h->policy, ((const struct policy_head *)h->policy)->size),
	};
	struct area rings[] = {
		area_of(&h->cp, sizeof(h->cp)), area_of(h->answer_data, UNITS_SCRIBBLED)};
	struct msg_answer head = {.dp_incarnation = h->w.dp_incarnation,
		.path = {.worker = 3, .ip_version = 4, .client_udp = 99, .service_udp = 0x3500}};
	memcpy(head.path.service_ip, &h->service.v4[0], 4);
	memcpy(head.path.client_ip, (uint8_t[]){198, 18, 0, 2}, 4);
	if (flips) {
		struct area all[] = {areas[0], areas[1], areas[2], rings[0], rings[1]};
		flip_rounds(h, all, &head, flips);
	}
	for (unsigned i = 0; i < (flips ? 0 : ROUNDS); i++) {
		for (unsigned k = next(8); k > 0; k--)
			scribble_record(h, &areas[0]);
		scribble_area(&areas[next(3)]);
		scribble_area(&areas[1]);
		if (next(4) == 0)
			scribble_area(&rings[next(2)]);
		h->tables.config.stale_mode = (uint8_t)next(2);
		ask_some(h);
		answer_some(h, &head);
		(void)stage_answer(&h->w);
		harness_drain(h);
		if (i % RESTORE_EACH == RESTORE_EACH - 1)
			restore(h, areas, SANE);
	}
	assert_true(harness_counter(h, COUNTER_record_anomaly) > 0);
	assert_true(harness_counter(h, COUNTER_answer_bad) > 0);
	assert_true(harness_counter(h, COUNTER_answers) > 0);
	assert_true(harness_verdict(h, VERDICT_hit) > (flips ? 0 : ROUNDS / 4));
	assert_true(harness_verdict(h, VERDICT_local) > 0);
	assert_true(harness_verdict(h, VERDICT_blocked) > 0);
	assert_true(harness_verdict(h, VERDICT_drop_rule) > 0);
	restore(h, areas, SANE);
	for (unsigned i = NAMES / 4; i < NAMES; i++) {
		struct wire_query q = {.name = name[i], .edns = true};
		h->tables.config.stale_mode = STALE_IMMEDIATE;
		struct wire_reply r = harness_ask(h, &q, i % 5 ? VERDICT_hit : VERDICT_hit_stale);
		assert_int_equal(r.count, i);
	}
	for (unsigned i = 0; i < ARRAY_LEN(areas); i++)
		free(areas[i].sane);
	for (unsigned i = 0; i < ARRAY_LEN(rings); i++)
		free(rings[i].sane);
	harness_end(h);
}

TEST(test_wild_control_plane)
{
	run(11, 0);
	run(12, 0);
}

static uint64_t flips_wanted = FLIPS;

TEST(test_random_bits)
{
	run(13, flips_wanted);
}

static int flips_read(void **)
{
	const char *wanted = getenv("WEIR_FLIPS");
	if (wanted)
		flips_wanted = strtoull(wanted, NULL, 10);
	return 0;
}
TEST_GROUP(flips_read, NULL)
