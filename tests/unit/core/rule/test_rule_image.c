// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/cp/rule_image/listgen.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"

#include <weir/rule_data.h>
#include <weir/rule_probe.h>

static const uint64_t everyone[4] = {~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)};

// Lists 0 and 1 are the operator's, then two block lists (A, B) and two allow lists (C, D).
static const char *const lists[] = {
	"ok.ads.example both.example deep.evil.net",            // operator allows
	"bad.good.org both.example evil.net never.allowed.org", // operator denies
	"ads.example tracker.example x.y.z.example evil.net",
	"ads.example other.example good.org",
	"+allowed.org fine.tracker.example",
	"+fine.other.example",
};
enum { A = 2, B = 3, C = 4, D = 5 };
#define ALL 0x3f

static const struct {
	const char *name;
	uint64_t group;
	enum rule_action action;
	const char *rule; // NULL: none matched
	uint64_t set;
} decisions[] = {
	{"ads.example", ALL, RULE_BLOCK, "ads.example", 1 << A | 1 << B},
	{"www.ads.example", ALL, RULE_BLOCK, "ads.example", 1 << A | 1 << B},
	{"a.b.c.d.e.f.g.ads.example", ALL, RULE_BLOCK, "ads.example", 1 << A | 1 << B},
	{"example", ALL, RULE_PASS, NULL, 0},
	{".", ALL, RULE_PASS, NULL, 0},
	{"xads.example", ALL, RULE_PASS, NULL, 0},
	{"ads.example.org", ALL, RULE_PASS, NULL, 0},
	{"z.example", ALL, RULE_PASS, NULL, 0},
	{"y.z.example", ALL, RULE_PASS, NULL, 0},
	{"x.y.z.example", ALL, RULE_BLOCK, "x.y.z.example", 1 << A},
	// The group's mask selects.
	{"ads.example", 1 << B, RULE_BLOCK, "ads.example", 1 << B},
	{"tracker.example", 1 << B, RULE_PASS, NULL, 0},
	{"ads.example", 0, RULE_PASS, NULL, 0},
	{"evil.net", 1 << A, RULE_BLOCK, "evil.net", 1 << A},
	// The operator's nearest entry decides, whatever the lists say.
	{"ok.ads.example", ALL, RULE_PASS, "ok.ads.example", 1 << RULE_LIST_ALLOW},
	{"www.ok.ads.example", ALL, RULE_PASS, "ok.ads.example", 1 << RULE_LIST_ALLOW},
	{"both.example", ALL, RULE_PASS, "both.example", 1},
	{"deep.evil.net", ALL, RULE_PASS, "deep.evil.net", 1},
	{"x.deep.evil.net", ALL, RULE_PASS, "deep.evil.net", 1},
	{"other.evil.net", ALL, RULE_BLOCK, "evil.net", 1 << RULE_LIST_DENY},
	{"never.allowed.org", ALL, RULE_BLOCK, "never.allowed.org", 1 << RULE_LIST_DENY},
	// An allow list, anywhere above, beats every block list.
	{"sub.allowed.org", ALL, RULE_PASS, "allowed.org", 1 << C},
	{"fine.tracker.example", ALL, RULE_PASS, "fine.tracker.example", 1 << C},
	{"x.fine.other.example", ALL, RULE_PASS, "fine.other.example", 1 << D},
	{"x.fine.other.example", 1 << B | 1 << C, RULE_BLOCK, "other.example", 1 << B},
	{"other.example", ALL, RULE_BLOCK, "other.example", 1 << B},
	{"bad.good.org", ALL, RULE_BLOCK, "bad.good.org", 1 << RULE_LIST_DENY},
	{"good.org", ALL, RULE_BLOCK, "good.org", 1 << B},
};

static void check_verdict(const struct rule_verdict *v, size_t i)
{
	const char *name = decisions[i].name;
	if (v->d.action != decisions[i].action || v->d.matched != (decisions[i].rule != NULL))
		fail_msg("%s: action %d, matched %d", name, v->d.action, v->d.matched);
	if (!v->d.matched)
		return;
	struct dns_name rule = fixture_name(decisions[i].rule);
	if (v->labels != rule.labels || v->set.lists[0] != decisions[i].set)
		fail_msg("%s: %u labels, set %llx", name, v->labels,
			(unsigned long long)v->set.lists[0]);
}

TEST(test_decisions)
{
	struct rule_arena *arena = fixture_arena();
	struct rule_reader r = fixture_image(lists, ARRAY_LEN(lists), arena);
	for (size_t i = 0; i < ARRAY_LEN(decisions); i++) {
		struct dns_name name = fixture_name(decisions[i].name);
		const uint64_t group[4] = {decisions[i].group};
		struct rule_verdict v;
		rule_decide(&r, &name, DNS_TYPE_A, group, &v);
		check_verdict(&v, i);
	}
}

// The three steps over a query, as the data plane takes them, say the same.
TEST(test_probe_of_a_query)
{
	struct rule_arena *arena = fixture_arena();
	struct rule_reader r = fixture_image(lists, ARRAY_LEN(lists), arena);
	for (size_t i = 0; i < ARRAY_LEN(decisions); i++) {
		struct dns_name name = fixture_name(decisions[i].name);
		uint8_t msg[DNS_HEADER_LEN + DNS_NAME_MAX + 4] = {[5] = 1};
		struct dns_query q;
		struct rule_probe p;
		struct rule_verdict v;
		memcpy(msg + DNS_HEADER_LEN, name.wire, name.len);
		put_u16(msg + DNS_HEADER_LEN + name.len, DNS_TYPE_A);
		put_u16(msg + DNS_HEADER_LEN + name.len + 2, 1);
		assert_int_equal(
			dns_query_parse(msg, DNS_HEADER_LEN + name.len + 4U, &q), DNS_QUERY_OK);
		const uint64_t group[4] = {decisions[i].group};
		rule_probe_hash(&r, &q, &p);
		rule_probe_bloom(&r, &p);
		rule_probe_reach(&r, &p);
		struct rule_decision d = rule_probe_decide(&r, &p, &q.name, q.qtype, group);
		rule_decide(&r, &name, DNS_TYPE_A, group, &v);
		assert_memory_equal(&d, &v.d, sizeof(d));
		check_verdict(&v, i);
	}
}

// Entries from 1 to 40 labels, and long labels; queries for names of up to 127 labels.
TEST(test_depths_and_long_labels)
{
	struct rule_builder *b = fixture_builder();
	struct rule_arena *arena = fixture_arena();
	struct rule_reader r;
	struct rule_verdict v;
	struct dns_name name;
	char why[128], text[600], label[64];
	assert_int_equal(rule_builder_source(b, "allow"), 0);
	assert_int_equal(rule_builder_source(b, "deny"), 0);
	assert_int_equal(fixture_add(b, RULE_CLASS_OPERATOR_DENY, "zone"), 0);
	for (unsigned n = 1; n <= 63;
		n++) { // each label length, at the end of a name and before it
		memset(label, 'a', n);
		label[n] = 0;
		snprintf(text, sizeof(text), "%s.top", label);
		assert_int_equal(fixture_add(b, RULE_CLASS_OPERATOR_DENY, text), 0);
	}
	for (unsigned i = 0; i < 41; i++)
		memcpy(text + 2 * i, "b.", 2);
	text[80] = 0; // 40 labels
	assert_int_equal(fixture_add(b, RULE_CLASS_OPERATOR_DENY, text), 0);
	memcpy(text + 80, "b.", 3);
	assert_int_equal(fixture_add(b, RULE_CLASS_OPERATOR_DENY, text), -EINVAL);
	assert_int_equal(fixture_add(b, RULE_CLASS_OPERATOR_DENY, "."), -EINVAL);
	fixture_finish(b, arena);
	assert_int_equal(rule_reader_init(&r, arena->base, arena->size, true, why), 0);

	for (unsigned n = 1; n <= 63; n++) {
		memset(label, 'a', n);
		label[n] = 0;
		snprintf(text, sizeof(text), "%s.%s.%s.%s.top", label, n < 60 ? label : "x", "y",
			label);
		name = fixture_name(text);
		rule_decide(&r, &name, DNS_TYPE_A, everyone, &v);
		assert_int_equal(v.d.action, RULE_BLOCK);
		assert_int_equal(v.labels, 2);
		label[n / 2] = 'b';
		snprintf(text, sizeof(text), "%s.top", label);
		name = fixture_name(text);
		rule_decide(&r, &name, DNS_TYPE_A, everyone, &v);
		assert_int_equal(v.d.action, RULE_PASS);
	}
	for (unsigned labels = 38; labels <= 127; labels++) {
		for (unsigned i = 0; i < labels; i++)
			memcpy(text + 2 * i, "b.", 3);
		name = fixture_name(text);
		rule_decide(&r, &name, DNS_TYPE_A, everyone, &v);
		assert_int_equal(v.d.action, labels >= 40 ? RULE_BLOCK : RULE_PASS);
		memcpy(text + 2 * labels - 2, "zone", 5);
		if (strlen(text) > 253)
			continue;
		name = fixture_name(text);
		rule_decide(&r, &name, DNS_TYPE_A, everyone, &v);
		assert_int_equal(v.d.action, RULE_BLOCK);
		assert_int_equal(v.labels, 1);
	}
}

// False positives of the bloom filter: at most one in a thousand, at three sizes.
TEST(test_bloom_rate)
{
	for (unsigned size = 1000; size <= 100000; size *= 10) {
		struct rule_builder *b = fixture_builder();
		struct rule_arena arena;
		struct rule_reader r;
		struct rule_probe p;
		struct dns_query q;
		struct listgen g = {.state = size};
		char text[LISTGEN_NAME_MAX + 16], why[128];
		uint64_t asked = 0, passed = 0;
		assert_int_equal(rule_builder_source(b, "allow"), 0);
		for (unsigned i = 0; i < size; i++) {
			listgen_name(&g, text);
			assert_int_equal(fixture_add(b, RULE_CLASS_OPERATOR_DENY, text), 0);
		}
		fixture_finish(b, &arena);
		assert_int_equal(rule_reader_init(&r, arena.base, arena.size, true, why), 0);
		for (unsigned i = 0; i < 300000; i++) {
			sprintf(text, "%u.miss%u", i, i % 7);
			memset(&q, 0, sizeof(q));
			q.name = fixture_name(text);
			q.label_off[1] = (uint8_t)(q.name.wire[0] + 1);
			rule_probe_hash(&r, &q, &p);
			rule_probe_bloom(&r, &p);
			asked += p.count;
			passed += (unsigned)__builtin_popcountll(p.candidates);
		}
		assert_true(asked >= 300000);
		if (passed * 1000 > asked)
			fail_msg("%u names: %llu of %llu", size, (unsigned long long)passed,
				(unsigned long long)asked);
		rule_arena_free(&arena);
	}
}

// All kinds and sections in one image; the names are those of the decisions.
static void mixed_image(struct rule_arena *out)
{
	static const uint8_t address[4] = {198, 18, 0, 1};
	struct rule_builder *b = fixture_builder();
	char title[16];
	for (unsigned i = 0; i < 8; i++) {
		sprintf(title, "source %u", i);
		assert_int_equal(rule_builder_source(b, title), 0);
		for (size_t k = i; k < ARRAY_LEN(decisions); k += 3) {
			struct dns_name name = fixture_name(decisions[k].name);
			struct list_rule rule = rule_of_name((i + k) % RULE_CLASSES, &name);
			rule.kind.covers = (uint8_t)(1 + (i + k) % 3);
			rule.kind.reply = (uint8_t)(k % 2 ? RULE_REPLY_DATA : k % RULE_REPLIES);
			rule.kind.types.count = (uint8_t)(k % 5 == 0);
			rule.kind.types.type[0] = DNS_TYPE_A * (k % 5 == 0);
			rule.rtype = k % 2 ? k % 4 == 1 ? DNS_TYPE_A : DNS_TYPE_CNAME : 0;
			rule.rdata = k % 4 == 1 ? address : name.wire;
			rule.rdata_len = rule.rtype ? k % 4 == 1 ? 4 : name.len : 0;
			rule.kind.globs = rule.kind.covers == RULE_COVERS_BELOW && k % 4;
			rule.glob = "*.*a*";
			rule.glob_len = rule.kind.globs ? 1 + k % 5 : 0;
			if (name.labels > 0)
				assert_int_equal(rule_builder_rule(b, &rule), 0);
			rule.kind.globs = 0;
			rule.glob_len = 0;
			rule.what = k % 2 ? LIST_RULE_PATTERN : LIST_RULE_ADDRESS;
			rule.pattern = decisions[k].name;
			rule.pattern_len = strlen(rule.pattern);
			rule.prefix = (struct ip_address){.version = 4, .prefix_len = (uint8_t)k};
			assert_int_equal(rule_builder_rule(b, &rule), 0);
		}
	}
	fixture_finish(b, out);
}

static void expect_refused(const void *image, size_t size, const char *what)
{
	struct rule_reader r;
	char why[128] = "";
	assert_int_equal(rule_reader_init(&r, image, size, true, why), -EPROTO);
	if (!strstr(why, what))
		fail_msg("expected <%s>, got <%s>", what, why);
}

static void reseal(struct rule_image_head *h)
{
	h->head_sum = contenthash(h, offsetof(struct rule_image_head, head_sum));
}

static size_t align_page(size_t size)
{
	return (size + SHM_PAGE - 1) / SHM_PAGE * SHM_PAGE;
}

TEST(test_refusals)
{
	struct rule_arena *arena = fixture_arena();
	mixed_image(arena);
	struct rule_image_head *h = arena->base, good = *h;
	expect_refused(arena->base, sizeof(good) - 1, "shorter");
	expect_refused((uint8_t *)arena->base + 8, arena->size - 8, "aligned");
	expect_refused(arena->base, arena->size - 1, "cut short");
	struct rule_reader r;
	char why[128];
	assert_int_equal(rule_reader_init(&r, h, align_page(arena->size), true, why), 0);
	h->version++;
	reseal(h);
	expect_refused(h, arena->size, "version");
	*h = good;
	h->magic ^= 1;
	expect_refused(h, arena->size, "not a rule image");
	*h = good;
	h->names++;
	expect_refused(h, arena->size, "checksum of the head");
	*h = good;
	((uint8_t *)arena->base)[arena->size - 1] ^= 1;
	expect_refused(h, arena->size, "checksum of the body");
	((uint8_t *)arena->base)[arena->size - 1] ^= 1;
	static const struct {
		size_t field;
		uint64_t value;
		const char *what;
	} faults[] = {
#define FIELD(f) offsetof(struct rule_image_head, f)
		{FIELD(globs), UINT64_MAX, "globs"},
		{FIELD(globs_off), 4, "globs"},
		{FIELD(glob_names), RULE_WALK_MAX, "globs"},
		{FIELD(glob_names), UINT32_MAX, "globs"},
		{FIELD(glob_names_off), 4, "globs"},
		{FIELD(bloom_blocks), 0, "bloom"},
		{FIELD(bloom_blocks), UINT64_MAX, "bloom"},
		{FIELD(bloom_blocks), UINT64_C(1) << 59, "bloom"},
		{FIELD(bloom_off), 0, "bloom"},
		{FIELD(bloom_off), UINT64_MAX - 31, "bloom"},
		{FIELD(table_buckets), RULE_WALK_MAX, "table"},
		{FIELD(table_buckets), UINT64_C(1) << 58, "table"},
		{FIELD(table_off), 96, "table"},
		{FIELD(table_off), UINT64_MAX - 63, "table"},
		{FIELD(set_count), RULE_SETS_MAX + 1, "sets"},
		{FIELD(sets_off), 1 << 30, "sets"},
		{FIELD(lists_off), UINT64_MAX - 7, "lists"},
		{FIELD(sources_off), UINT64_MAX - 7, "sources"},
		{FIELD(source_count), RULE_SOURCES_MAX + 1, "sources"},
		{FIELD(source_count), 0, "unknown source"},
		{FIELD(index_slots), UINT64_MAX, "records"},
		{FIELD(index_off), UINT64_MAX - 3, "records"},
		{FIELD(data_entries), UINT32_MAX, "records"},
		{FIELD(answers), UINT64_C(1) << 32, "records"},
		{FIELD(bytes), UINT64_C(1) << 31, "records"},
		{FIELD(patterns), UINT32_MAX, "patterns"},
		{FIELD(prefixes_off), 12, "patterns"},
		{FIELD(texts), UINT32_MAX, "patterns"},
		{FIELD(depths), 1, "label"},
		{FIELD(depths), UINT64_C(1) << 41, "label"},
		{FIELD(size), 1 << 30, "cut short"},
		{FIELD(size), 1000, "out of bounds"},
		{FIELD(size), 8, "cut short"},
#undef FIELD
	};
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		*h = good;
		memcpy((uint8_t *)h + faults[i].field, &faults[i].value, 8);
		reseal(h);
		expect_refused(h, arena->size, faults[i].what);
	}
}

static unsigned ask_data(const struct rule_reader *r, const struct dns_name *name)
{
	struct dns_answer_view view;
	struct rule_verdict v;
	unsigned bytes = 0;
	rule_decide(r, name, DNS_TYPE_AAAA, everyone, &v);
	for (unsigned list = 0; list < 40; list++) {
		(void)rule_data_find(r, v.hash, list, DNS_TYPE_ANY, &view);
		for (uint32_t i = 0; i < view.len; i++)
			bytes += view.bytes[i];
		for (uint32_t i = 0; i < view.ttl_count; i++)
			bytes += dns_answer_ttl_at(&view, i);
	}
	return bytes;
}

static unsigned ask_all(const struct rule_reader *r)
{
	unsigned bytes = 0;
	for (size_t i = 0; i < ARRAY_LEN(decisions); i++) {
		struct dns_name name = fixture_name(decisions[i].name);
		struct rule_match m[RULE_LABELS_MAX];
		struct rule_verdict v;
		rule_decide(r, &name, DNS_TYPE_A, everyone, &v);
		assert_true(v.d.action <= RULE_RESOLVE && v.d.reply < RULE_REPLIES);
		assert_true(!v.d.matched || rule_list_info(r, v.d.list));
		assert_true(rule_matches(r, &name, DNS_TYPE_A, m) <= name.labels);
		bytes += ask_data(r, &name);
	}
	for (unsigned i = 0; i <= RULE_LISTS_MAX; i++) {
		const struct rule_list_info *info = rule_list_info(r, i);
		assert_true(!info || memchr(info->title, 0, sizeof(info->title)));
	}
	for (uint32_t i = 0; i <= r->pattern_count && i < 1000; i++) {
		struct rule_pattern p;
		for (size_t k = 0; rule_pattern_at(r, i, &p) && k < p.len; k++)
			bytes += (unsigned char)p.text[k];
	}
	for (uint32_t i = 0; i <= r->prefix_count && i < 1000; i++) {
		struct rule_prefix_row row;
		assert_true(!rule_prefix_at(r, i, &row) || row.length <= 128);
	}
	return bytes;
}

// Flipped bits with sums that fit again, as a hostile writer would make them: the image is refused,
// or whatever the reader does stays inside (the sanitizer build sees it).
TEST(test_mutations_stay_in_bounds)
{
	struct rule_arena *arena = fixture_arena();
	struct rule_reader r;
	char why[128];
	unsigned accepted = 0, refused = 0, bytes = 0;
	mixed_image(arena);
	// An exact copy on the heap, where one byte too many is seen.
	void *copy_memory = NULL;
	assert_int_equal(posix_memalign(&copy_memory, CACHE_LINE, arena->size), 0);
	uint8_t *copy = copy_memory;
	srand(11);
	for (unsigned round = 0; round < 12000; round++) {
		struct rule_image_head *h = (void *)copy;
		memcpy(copy, arena->base, arena->size);
		size_t span = round % 2 ? offsetof(struct rule_image_head, secret) : arena->size;
		for (unsigned flips = 1 + (unsigned)rand() % 4; flips > 0; flips--)
			copy[(size_t)rand() % span] ^= (uint8_t)(1U << rand() % 8);
		if (round % 4) {
			h->body_sum = contenthash(copy + sizeof(*h), arena->size - sizeof(*h));
			reseal(h);
		}
		if (rule_reader_init(&r, copy, arena->size, true, why)) {
			refused++;
			continue;
		}
		accepted++;
		bytes += ask_all(&r);
	}
	assert_true(accepted > 2000 && refused > 2000);
	// What the worker maps may change after it was checked: all of it, or a few bytes.
	for (unsigned round = 0; round < 4000; round++) {
		memcpy(copy, arena->base, arena->size);
		assert_int_equal(rule_reader_init(&r, copy, arena->size, false, why), 0);
		for (size_t i = sizeof(struct rule_image_head); i < arena->size; i++)
			if (round % 2 || rand() % 64 == 0)
				copy[i] |= (uint8_t)rand();
		for (size_t i = 0; i < ARRAY_LEN(decisions); i++) {
			struct dns_name name = fixture_name(decisions[i].name);
			struct rule_verdict v;
			rule_decide(&r, &name, DNS_TYPE_A, everyone, &v);
			assert_true(!v.d.matched || rule_list_info(&r, v.d.list));
			bytes += ask_data(&r, &name);
		}
	}
	assert_true(bytes > 0);
	free(copy);
}
