// SPDX-License-Identifier: BSD-3-Clause

// Rule images: each input is laid over a head with sums that fit, so that the checks behind them
// and the reader are reached; whatever is accepted is asked about names and must stay in bounds.

#include "fuzz.h"

#include <string.h>
#include <weir/rule_data.h>

static const uint64_t everyone[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

static void seal(uint8_t *image, size_t len)
{
	struct rule_image_head h;
	memcpy(&h, image, sizeof h);
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
	h.octets %= 512;
	h.octets_off = h.octets_off % (len + 64) / 8 * 8;
	h.patterns %= 8;
	h.patterns_off = h.patterns_off % (len + 64) / 8 * 8;
	h.prefixes %= 8;
	h.prefixes_off = h.prefixes_off % (len + 64) / 8 * 8;
	h.texts %= 128;
	h.texts_off %= len + 64;
	h.depths &= (UINT64_C(2) << RULE_LABELS_MAX) - 2;
	h.body_sum = contenthash(image + sizeof h, len - sizeof h);
	h.head_sum = contenthash(&h, offsetof(struct rule_image_head, head_sum));
	memcpy(image, &h, sizeof h);
}

static unsigned seen; // so that nothing is read in vain

// Looks at every octet that the reader hands out.
static void look(const struct rule_reader *r, const struct rule_verdict *v)
{
	struct dns_answer_view a;
	struct rule_pattern p;
	struct rule_prefix_row row;
	unsigned sum = 0;
	for (unsigned list = 0; list < 4; list++) {
		bool has = rule_data_find(r, v->hash, list, DNS_TYPE_ANY, &a);
		FUZZ_CHECK(has == (a.ancount > 0));
		for (uint32_t i = 0; i < a.len; i++)
			sum += a.bytes[i];
		for (uint32_t i = 0; i < a.ttl_count; i++)
			sum += dns_answer_ttl_at(&a, i);
	}
	for (uint32_t i = 0; i <= r->pattern_count; i++)
		for (size_t k = 0; rule_pattern_at(r, i, &p) && k < p.len; k++)
			sum += (unsigned char)p.text[k];
	for (uint32_t i = 0; i <= r->prefix_count; i++)
		FUZZ_CHECK(!rule_prefix_at(r, i, &row) || row.length <= 128);
	seen += sum;
}

static void ask(const struct rule_reader *r)
{
	static const char *const names[] = {".", "com", "example.com", "a.b.c.d.e.f.g.example.com"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct dns_name name;
		struct rule_verdict v;
		FUZZ_CHECK(dns_name_from_text(names[i], strlen(names[i]), &name) == 0);
		rule_decide(r, &name, DNS_TYPE_A, everyone, &v);
		FUZZ_CHECK(v.d.action == RULE_PASS || v.d.matched);
		if (v.d.matched)
			FUZZ_CHECK(rule_suffix(&name, v.labels).labels == v.labels);
		FUZZ_CHECK(!v.d.matched || rule_list_info(r, v.d.list));
		look(r, &v);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rule_reader r;
	char why[128];
	void *image;
	size_t size = len < sizeof(struct rule_image_head) ? sizeof(struct rule_image_head) : len;
	if (posix_memalign(&image, CACHE_LINE, size))
		return 0;
	memset(image, 0, size);
	if (len > 0)
		memcpy(image, data, len);
	if (rule_reader_init(&r, image, len, true, why) == 0)
		ask(&r);
	seal(image, size);
	if (rule_reader_init(&r, image, size, true, why) == 0)
		ask(&r);
	free(image);
	return 0;
}
