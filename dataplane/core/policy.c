// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <weir/keyhash.h>
#include <weir/policy.h>

static int refuse(char why[128], const char *text)
{
	snprintf(why, 128, "%s", text);
	return -EPROTO;
}

void policy_v6_bits(unsigned length, uint64_t out[2])
{
	uint8_t octets[16] = {0};
	for (unsigned i = 0; i < length && i < 128; i++)
		octets[i / 8] |= (uint8_t)(0x80u >> i % 8);
	memcpy(out, octets, sizeof octets);
}

static int head_check(const struct policy_head *h, size_t size, char why[128])
{
	if (h->magic != POLICY_MAGIC)
		return refuse(why, "not a policy image");
	if (h->version != POLICY_VERSION)
		return refuse(why, "policy image of another version");
	if (h->head_sum != contenthash(h, offsetof(struct policy_head, head_sum)))
		return refuse(why, "policy image: its head is damaged");
	if (h->size < sizeof *h || h->size > size)
		return refuse(why, "policy image: cut short");
	if (h->group_count < 1 || h->group_count > POLICY_GROUPS_MAX
		|| h->v6_length_count > POLICY_V6_LENGTHS)
		return refuse(why, "policy image: too many groups or lengths");
	return 0;
}

static bool fits(uint64_t off, uint64_t octets, unsigned align, uint64_t size)
{
	return off % align == 0 && off >= sizeof(struct policy_head) && off <= size
	       && octets <= size - off;
}

static int geometry_check(const struct policy_head *h, char why[128])
{
	uint64_t v4 = (POLICY_V4_TOP + (uint64_t)h->v4_blocks * POLICY_V4_BLOCK) * sizeof(uint16_t);
	if (h->v4_blocks < POLICY_GROUPS_MAX || h->v4_blocks > POLICY_V4_BLOCKS_MAX
		|| !fits(h->v4_off, v4, 2, h->size))
		return refuse(why, "policy image: IPv4 table outside of it");
	if (h->v6_buckets == 0 || h->v6_buckets & (h->v6_buckets - 1)
		|| h->v6_buckets > POLICY_V6_BUCKETS_MAX
		|| !fits(h->v6_off, h->v6_buckets * sizeof(struct policy_v6_bucket), CACHE_LINE,
			h->size))
		return refuse(why, "policy image: IPv6 table outside of it");
	for (unsigned i = 0; i < h->v6_length_count; i++)
		if (h->v6_length[i] > 128)
			return refuse(why, "policy image: a prefix longer than an address");
	return 0;
}

int policy_reader_init(struct policy_reader *r, const void *image, size_t size, char why[128])
{
	struct policy_head h; // ours alone from here on
	if (size < sizeof h)
		return refuse(why, "policy image: cut short");
	memcpy(&h, image, sizeof h);
	int rc = head_check(&h, size, why);
	if (rc == 0)
		rc = geometry_check(&h, why);
	if (rc < 0)
		return rc;
	const uint8_t *base = image;
	if (contenthash(base + sizeof h, h.size - sizeof h) != h.body_sum)
		return refuse(why, "policy image: its body is damaged");
	*r = (struct policy_reader){
		.v4 = (const uint16_t *)(const void *)(base + h.v4_off),
		.v6 = (const struct policy_v6_bucket *)(const void *)(base + h.v6_off),
		.v6_mask = h.v6_buckets - 1,
		.v6_seed = h.v6_seed,
		.v4_blocks = h.v4_blocks,
		.group_count = h.group_count,
		.v6_length_count = h.v6_length_count,
	};
	for (unsigned i = 0; i < h.v6_length_count; i++) {
		r->v6_length[i] = h.v6_length[i];
		policy_v6_bits(h.v6_length[i], r->v6_bits[i]);
	}
	for (unsigned i = 0; i < POLICY_GROUPS_MAX; i++)
		r->group[i] = h.group[i < h.group_count ? i : 0];
	return 0;
}
