// SPDX-License-Identifier: BSD-3-Clause

// Rule images: each input is laid over a head with sums that fit, so that the checks behind them
// and the reader are reached; whatever is accepted is asked about names and must stay in bounds.

#include "fuzz.h"

#include <string.h>
#include <weir/rule_image.h>

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
	h.depths &= (UINT64_C(2) << RULE_LABELS_MAX) - 2;
	h.body_sum = contenthash(image + sizeof h, len - sizeof h);
	h.head_sum = contenthash(&h, offsetof(struct rule_image_head, head_sum));
	memcpy(image, &h, sizeof h);
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
