// SPDX-License-Identifier: BSD-3-Clause

// Rule images, in two ways, with sums that fit, so that the checks behind them and the reader are
// reached: each input is laid over a head; and it is a list of changes, each its place (two
// bytes), its length (one) and its bytes, to an image as the builder makes it. Whatever is
// accepted is queried for names and must stay in bounds; unchanged it decides what rule_kinds.c
// says.

#include "fuzz.h"
#include "rule_kinds.h"
#include "tests/unit/core/rule/rule_fast_twin.h"

#include <weir/rule_data.h>

enum { LISTS_LOOKED_AT = 32 };
static const uint64_t everyone[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

static void seal(uint8_t *image, size_t len)
{
	struct rule_image_head h;
	memcpy(&h, image, sizeof(h));
	h.magic = RULE_IMAGE_MAGIC;
	h.version = RULE_IMAGE_VERSION;
	h.size = len;
	// Numbers small enough to pass now and then: the input decides which.
	h.list_count %= 4;
	h.set_count %= 16;
	h.bloom_blocks %= 8;
	h.table_buckets %= RULE_WALK_MAX + 8;
	h.bloom_off = h.bloom_off % (len + 64) / 32 * 32;
	h.table_off = h.table_off % (len + 64) / 64 * 64;
	h.sets_off = h.sets_off % (len + 64) / 32 * 32;
	h.lists_off = h.lists_off % (len + 64) / 8 * 8;
	h.source_count %= 4;
	h.sources_off = h.sources_off % (len + 64) / 8 * 8;
	h.index_slots %= 16;
	h.index_off = h.index_off % (len + 64) / 4 * 4;
	h.data_entries %= 16;
	h.entries_off = h.entries_off % (len + 64) / 8 * 8;
	h.answers %= 16;
	h.answers_off = h.answers_off % (len + 64) / 8 * 8;
	h.bytes %= 512;
	h.bytes_off = h.bytes_off % (len + 64) / 8 * 8;
	h.patterns %= 8;
	h.patterns_off = h.patterns_off % (len + 64) / 8 * 8;
	h.prefixes %= 8;
	h.prefixes_off = h.prefixes_off % (len + 64) / 8 * 8;
	h.globs %= 8;
	h.globs_off = h.globs_off % (len + 64) / 8 * 8;
	h.glob_names %= RULE_WALK_MAX + 8;
	h.glob_names_off = h.glob_names_off % (len + 64) / 8 * 8;
	h.texts %= 128;
	h.texts_off %= len + 64;
	h.depths &= (UINT64_C(2) << RULE_LABELS_MAX) - 2;
	h.body_sum = contenthash(image + sizeof(h), len - sizeof(h));
	h.head_sum = contenthash(&h, offsetof(struct rule_image_head, head_sum));
	memcpy(image, &h, sizeof(h));
}

static unsigned seen; // so that nothing is read in vain

// Looks at every byte that the reader hands out.
static void look(const struct rule_reader *r, const struct rule_verdict *v)
{
	struct dns_answer_view a;
	struct rule_pattern p;
	struct rule_prefix_row row;
	struct rule_glob g;
	unsigned sum = 0, lists = r->list_count < LISTS_LOOKED_AT ? r->list_count : LISTS_LOOKED_AT;
	for (unsigned k = 0; k < 2 * lists; k++) {
		uint64_t hash = v->d.safe ? v->safe_hash : v->hash;
		bool has = rule_data_find(r, hash, k / 2, k % 2 ? DNS_TYPE_ANY : DNS_TYPE_A, &a);
		FUZZ_CHECK(has == (a.ttl_count > 0));
		for (uint32_t i = 0; i < a.len; i++)
			sum += a.bytes[i];
		for (uint32_t i = 0; i < a.ttl_count; i++)
			sum += dns_answer_ttl_at(&a, i);
	}
	const struct rule_source_info *s;
	for (unsigned i = 0; (s = rule_source_info(r, i)); i++)
		FUZZ_CHECK(i < RULE_SOURCES_MAX && memchr(s->title, 0, sizeof(s->title)));
	for (uint32_t i = 0; i <= r->pattern_count; i++)
		for (size_t k = 0; rule_pattern_at(r, i, &p) && k < p.len; k++)
			sum += (unsigned char)p.text[k];
	for (uint32_t i = 0; i <= r->prefix_count; i++)
		FUZZ_CHECK(!rule_prefix_at(r, i, &row) || row.length <= 128);
	for (uint32_t i = 0; i <= r->glob_count; i++)
		for (unsigned k = 0; rule_glob_at(r, i, &g) && k < g.len; k++)
			sum += (unsigned char)g.text[k];
	seen += sum;
}

static bool is_empty(const struct rule_set *s)
{
	return !(s->lists[0] | s->lists[1] | s->lists[2] | s->lists[3]);
}

// The steps of the packet path decide what rule_decide does.
static void check_probe(const struct rule_reader *r, const struct dns_name *name, uint16_t qtype,
	const uint64_t lists[4], const struct rule_verdict *v)
{
	struct rule_probe p;
	rule_fast_probe(r, name, &p);
	rule_probe_reach(r, &p);
	struct rule_decision d = rule_probe_decide(r, &p, name, qtype, lists);
	FUZZ_CHECK(memcmp(&d, &v->d, sizeof(d)) == 0);
	const struct rule_fast_said said = rule_fast_ask(r, &p, lists);
	FUZZ_CHECK(rule_fast_is_right(&said, &d));
}

// Those that fit are some of those that hold the name; nearest first.
static void check_matches(const struct rule_reader *r, const struct dns_name *name, uint16_t qtype)
{
	struct rule_match holds[RULE_LABELS_MAX], fits[RULE_LABELS_MAX];
	unsigned holders = rule_holders(r, name, holds), n = rule_matches(r, name, qtype, fits);
	for (unsigned i = 0, k = 0; i < n; i++, k++) {
		while (k < holders && holds[k].labels != fits[i].labels)
			k++;
		FUZZ_CHECK(k < holders && !is_empty(&fits[i].set));
		for (unsigned w = 0; w < 4; w++)
			FUZZ_CHECK(!(fits[i].set.lists[w] & ~holds[k].set.lists[w]));
	}
	for (unsigned i = 1; i < holders; i++)
		FUZZ_CHECK(holds[i].labels < holds[i - 1].labels);
}

static void ask_one(const struct rule_reader *r, const struct rule_kinds_ask *a,
	const uint64_t lists[4], struct rule_verdict *v)
{
	struct dns_name name;
	FUZZ_CHECK(dns_name_from_text(a->name, strlen(a->name), &name) == 0);
	rule_decide(r, &name, a->qtype, lists, v);
	FUZZ_CHECK(v->d.action == RULE_PASS || v->d.matched);
	FUZZ_CHECK(v->d.allowed == (v->d.matched && v->d.action == RULE_PASS));
	if (v->d.matched) {
		FUZZ_CHECK(rule_suffix(&name, v->labels).labels == v->labels);
		FUZZ_CHECK(rule_list_info(r, v->d.list));
		FUZZ_CHECK(v->set.lists[v->d.list / 64] >> v->d.list % 64 & 1);
	}
	check_probe(r, &name, a->qtype, lists, v);
	check_matches(r, &name, a->qtype);
	look(r, v);
}

// `some`: the lists of a group; the lists of everyone are used as well.
static void ask(const struct rule_reader *r, uint64_t some)
{
	const uint64_t lists[4] = {some, ~some, some, some};
	struct rule_verdict v;
	for (unsigned i = 0; i < rule_kinds_ask_count; i++) {
		ask_one(r, &rule_kinds_asks[i], everyone, &v);
		ask_one(r, &rule_kinds_asks[i], lists, &v);
	}
}

static struct rule_arena intact;

static void refuse_byte(size_t at)
{
	struct rule_reader r;
	char why[128];
	uint8_t *image = intact.base;
	image[at] ^= 1;
	FUZZ_CHECK(rule_reader_init(&r, image, intact.size, true, why) == -EPROTO);
	image[at] ^= 1;
}

// Any byte of it changed, without a new sum; cut; at an odd place.
static void check_damaged(void)
{
	struct rule_reader r;
	char why[128];
	for (size_t i = 0; i < intact.size; i++)
		refuse_byte(i);
	FUZZ_CHECK(rule_reader_init(&r, intact.base, intact.size - 1, true, why) == -EPROTO);
	FUZZ_CHECK(rule_reader_init(&r, (char *)intact.base + 8, intact.size - 8, true, why)
		   == -EPROTO);
}

static void check_intact(void)
{
	struct rule_reader r;
	struct rule_verdict v;
	struct dns_answer_view data;
	char why[128];
	FUZZ_CHECK(rule_reader_init(&r, intact.base, intact.size, true, why) == 0);
	for (unsigned i = 0; i < rule_kinds_ask_count; i++) {
		const struct rule_kinds_ask *a = &rule_kinds_asks[i];
		ask_one(&r, a, everyone, &v);
		if (v.d.matched ? v.d.action != a->action : a->action != -1) {
			fprintf(stderr, "%s type %u: %d\n", a->name, a->qtype, v.d.action);
			abort();
		}
		if (v.d.matched && v.d.action == RULE_DATA)
			FUZZ_CHECK(rule_data_find(&r, v.hash, v.d.list, a->qtype, &data));
	}
}

FUZZ_BEGIN
{
	rule_kinds_build(&intact);
	check_intact();
	check_damaged();
	return 0;
}

static void change(uint8_t *image, const uint8_t *data, size_t len)
{
	while (len > 3) {
		size_t at = get_u16(data) % intact.size, n = data[2];
		data += 3, len -= 3;
		n = n < len ? n : len;
		memcpy(image + at, data, n < intact.size - at ? n : intact.size - at);
		data += n, len -= n;
	}
}

static uint8_t *image_new(size_t size)
{
	void *image;
	if (posix_memalign(&image, CACHE_LINE, size))
		abort();
	return image;
}

static void try_changed(const uint8_t *data, size_t len)
{
	struct rule_reader r;
	struct rule_image_head h;
	char why[128];
	uint8_t *image = image_new(intact.size);
	memcpy(image, intact.base, intact.size);
	change(image, data, len);
	memcpy(&h, image, sizeof(h));
	h.body_sum = contenthash(image + sizeof(h), intact.size - sizeof(h));
	h.head_sum = contenthash(&h, offsetof(struct rule_image_head, head_sum));
	memcpy(image, &h, sizeof(h));
	if (rule_reader_init(&r, image, intact.size, true, why) == 0)
		ask(&r, len ? UINT64_C(0x9e3779b97f4a7c15) * data[len - 1] : 0);
	free(image);
}

static void try_laid(const uint8_t *data, size_t len)
{
	struct rule_reader r;
	char why[128];
	size_t size = len < sizeof(struct rule_image_head) ? sizeof(struct rule_image_head) : len;
	uint8_t *image = image_new(size);
	memset(image, 0, size);
	if (len > 0)
		memcpy(image, data, len);
	if (rule_reader_init(&r, image, len, true, why) == 0)
		ask(&r, UINT64_MAX);
	seal(image, size);
	if (rule_reader_init(&r, image, size, true, why) == 0)
		ask(&r, UINT64_MAX);
	free(image);
}

FUZZ_BODY(data, len)
{
	try_laid(data, len);
	try_changed(data, len);
	return 0;
}
