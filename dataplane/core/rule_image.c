// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>
#include <weir/rule_probe.h>

static void load_key(const struct keyhash_secret *secret, uint64_t key[RULE_KEY_WORDS])
{
	memcpy(key, secret->bytes, RULE_KEY_WORDS * sizeof *key);
}

uint64_t rule_name_hash(const struct keyhash_secret *secret, const struct dns_name *name)
{
	uint64_t key[RULE_KEY_WORDS], chain[RULE_CHAIN_MAX + 1];
	load_key(secret, key);
	rule_chain(key, name, chain);
	return rule_suffix_hash(key, chain, name, 0);
}

static int refuse(char why[128], const char *text)
{
	strncpy(why, text, 127);
	why[127] = 0;
	return -EPROTO;
}

// Does an array of `count` things of `each` octets lie inside the image, behind its head?
static bool fits(uint64_t size, uint64_t off, uint64_t count, uint64_t each, uint64_t align)
{
	return off >= sizeof(struct rule_image_head) && off <= size && off % align == 0
	       && count <= (size - off) / each;
}

static const char *geometry_fault(const struct rule_image_head *h)
{
	if (h->bloom_blocks == 0 || h->bloom_blocks > UINT32_MAX
		|| !fits(h->size, h->bloom_off, h->bloom_blocks, sizeof(struct rule_bloom_block),
			sizeof(struct rule_bloom_block)))
		return "bloom filter out of bounds";
	if (h->table_buckets <= RULE_WALK_MAX || h->table_buckets > UINT32_MAX
		|| !fits(h->size, h->table_off, h->table_buckets, sizeof(struct rule_bucket),
			sizeof(struct rule_bucket)))
		return "table out of bounds";
	if (h->set_count > RULE_SETS_MAX
		|| !fits(h->size, h->sets_off, h->set_count, sizeof(struct rule_set),
			sizeof(struct rule_set)))
		return "sets out of bounds";
	if (h->list_count > RULE_LISTS_MAX
		|| !fits(h->size, h->lists_off, h->list_count, sizeof(struct rule_list_info), 8))
		return "lists out of bounds";
	if (h->depths & 1 || h->depths >> (RULE_LABELS_MAX + 1))
		return "label counts out of bounds";
	return NULL;
}

int rule_reader_init(
	struct rule_reader *r, const void *image, size_t size, bool verify_body, char why[128])
{
	struct rule_image_head h;
	const uint8_t *base = image;
	if (size < sizeof h)
		return refuse(why, "shorter than its head");
	if ((uintptr_t)base % CACHE_LINE)
		return refuse(why, "not aligned to a cache line");
	memcpy(&h, base, sizeof h);
	if (h.magic != RULE_IMAGE_MAGIC)
		return refuse(why, "not a rule image");
	if (h.version != RULE_IMAGE_VERSION)
		return refuse(why, "made by another version of weir");
	if (h.head_sum != contenthash(&h, offsetof(struct rule_image_head, head_sum)))
		return refuse(why, "checksum of the head differs");
	if (h.size < sizeof h || h.size > size)
		return refuse(why, "cut short");
	const char *fault = geometry_fault(&h);
	if (fault)
		return refuse(why, fault);
	if (verify_body && h.body_sum != contenthash(base + sizeof h, h.size - sizeof h))
		return refuse(why, "checksum of the body differs");
	const struct rule_list_info *lists = (const void *)(base + h.lists_off);
	for (unsigned i = 0; i < h.list_count; i++)
		if (!memchr(lists[i].title, 0, sizeof lists[i].title))
			return refuse(why, "list title without end");
	*r = (struct rule_reader){
		.base = base,
		.bloom = (const void *)(base + h.bloom_off),
		.table = (const void *)(base + h.table_off),
		.sets = (const void *)(base + h.sets_off),
		.lists = lists,
		.bloom_blocks = h.bloom_blocks,
		.table_homes = h.table_buckets - RULE_WALK_MAX,
		.depths = h.depths,
		.set_count = (uint32_t)h.set_count,
		.list_count = h.list_count,
	};
	load_key(&h.secret, r->key);
	memcpy(r->allow_lists, h.allow_lists, sizeof r->allow_lists);
	return 0;
}

const struct rule_list_info *rule_list_info(const struct rule_reader *r, unsigned list)
{
	return list < r->list_count ? &r->lists[list] : NULL;
}
