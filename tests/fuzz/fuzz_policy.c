// SPDX-License-Identifier: BSD-3-Clause

// Policy images: each input is laid over a head with sums that fit, so that the checks behind them
// and the reader are reached; an accepted image is queried for addresses, then once more after a
// writer gone wild has scribbled over all of it, and must stay in bounds.

#include "fuzz.h"

#include <weir/keyhash.h>
#include <weir/policy.h>

enum {
	V4_BLOCKS = 2 * POLICY_LEAVES,
	V4_AREA = (POLICY_V4_TOP + V4_BLOCKS * POLICY_V4_BLOCK) * sizeof(uint16_t)
};

static uint32_t power_of(uint32_t n)
{
	return UINT32_C(1) << n % 6;
}

static void seal_table(struct policy_v6_table *t, size_t len)
{
	t->pilots = power_of(t->pilots);
	t->slots = power_of(t->slots);
	t->pilot_off = len - t->pilot_off % 512 / 2 * 2;
	const unsigned align = t->slot_off % 8 ? 32 : 8; // of a slot, or less
	t->slot_off = (len - t->slot_off % 2048) / align * align;
}

// In order, as others are refused, the first few anywhere; or beyond the last that there is.
static void seal_lengths(struct policy_v6_table *t)
{
	for (unsigned i = 0, least = 0; i < POLICY_V6_LENGTHS; i++) {
		const unsigned length = least + t[i].length % (i < 3 ? 43 : 1);
		t[i].length = (uint8_t)length;
		least = length + 1;
	}
}

// Numbers small enough to pass now and then, some just too large: the input decides which.
static void seal(uint8_t *image, size_t len)
{
	struct policy_head h;
	memcpy(&h, image, sizeof(h));
	h.magic = POLICY_MAGIC;
	h.version = POLICY_VERSION;
	h.size = len;
	h.group_count = (h.group_count % (POLICY_GROUPS_MAX + 2) + 1) % (POLICY_GROUPS_MAX + 2);
	h.v4_blocks = V4_BLOCKS >> h.v4_blocks % 2;
	h.limit.rate %= 2 * POLICY_RATE_MAX;
	h.limit.network_rate %= 2 * POLICY_RATE_MAX;
	h.limit.burst_s %= 2 * POLICY_BURST_MAX_S;
	h.v4_off = sizeof(h) + h.v4_off % 4;
	h.v6_length_count %= h.v6_length_count & 1 ? POLICY_V6_LENGTHS + 1 : 4;
	for (unsigned i = 0; i < POLICY_GROUPS_MAX; i++)
		h.group[i].block.mode %= DNS_BLOCK_MODES + (i == 0);
	for (unsigned i = 0; i < POLICY_V6_LENGTHS; i++)
		seal_table(&h.v6[i], len);
	seal_lengths(h.v6);
	h.mac_count %= 2;
	seal_table(&h.mac, len);
	h.mac.length %= 130;
	if (h.mac.length != 129)
		h.mac.length = 8 * POLICY_MAC_LEN;
	h.iid_count %= 2;
	seal_table(&h.iid, len);
	if (h.iid.length % 4)
		h.iid.length = 8 * POLICY_IID_LEN;
	h.balancer_count %= POLICY_BALANCERS_MAX + 2;
	for (unsigned i = 0; i < POLICY_BALANCERS_MAX; i++) {
		struct policy_balancer *b = &h.balancer[i];
		b->ip_version = b->ip_version & 1 ? 6 : 4;
		b->prefix_len %= (b->ip_version == 4 ? 33 : 129) + (i == 0);
	}
	for (unsigned i = 0; i < POLICY_VLANS; i++)
		h.vlan[i] %= h.group_count + (i == 0 || h.group_count == 0);
	h.body_sum = contenthash(image + sizeof(h), len - sizeof(h));
	h.head_sum = contenthash(&h, offsetof(struct policy_head, head_sum));
	memcpy(image, &h, sizeof(h));
}

static void ask(const struct policy_reader *r, const uint8_t *data, size_t len)
{
	uint8_t address[16] = {0};
	for (unsigned i = 0; i < 64; i++) {
		for (unsigned k = 0; k < sizeof(address); k++)
			address[k] = (uint8_t)(len ? data[(i * 16 + k) % len] + i : i);
		FUZZ_CHECK(policy_leaf_v4(r, address) < POLICY_LEAVES);
		FUZZ_CHECK(policy_leaf_v6(r, address) < POLICY_LEAVES);
		const bool any =
			policy_is_balancer(r, 4, address) || policy_is_balancer(r, 6, address);
		FUZZ_CHECK(
			r->balancer_count <= POLICY_BALANCERS_MAX && (!any || r->balancer_count));
		FUZZ_CHECK(policy_group_vlan(r, get_u16(address), 0) < r->group_count);
		if (r->has_iids)
			FUZZ_CHECK(policy_group_iid(r, address, 0) < POLICY_GROUPS_MAX);
		if (r->has_macs)
			FUZZ_CHECK(policy_group_mac(r, address, 0) < POLICY_GROUPS_MAX);
	}
}

static bool take(uint8_t *image, size_t size, const uint8_t *data, size_t len)
{
	static struct policy_reader r;
	char why[128];
	if (policy_reader_init(&r, image, size, why) < 0)
		return false;
	ask(&r, data, len);
	for (size_t at = 0; len && at < size; at += len)
		memcpy(image + at, data, len < size - at ? len : size - at);
	ask(&r, data, len);
	memset(image, 0xff, size);
	ask(&r, data, len);
	return true;
}

static void refuse(const void *image, size_t size)
{
	static struct policy_reader r;
	char why[128];
	FUZZ_CHECK(policy_reader_init(&r, image, size, why) == -EPROTO);
}

// One byte of the head or the body changed, without a new sum; cut.
static void check_damaged(uint8_t *image, size_t size)
{
	const size_t bytes[] = {
		offsetof(struct policy_head, size), sizeof(struct policy_head), size - 1};
	for (unsigned i = 0; i < ARRAY_LEN(bytes); i++) {
		image[bytes[i]] ^= 1;
		refuse(image, size);
		image[bytes[i]] ^= 1;
	}
	refuse(image, size - 1);
	refuse(image, sizeof(struct policy_head) - 1);
}

static bool try_both(const uint8_t *data, size_t len)
{
	size_t size = sizeof(struct policy_head) + V4_AREA + len / 8 * 8;
	void *memory;
	if (posix_memalign(&memory, CACHE_LINE, size))
		return true;
	uint8_t *image = memory;
	memset(image, 0, size);
	if (len > 0)
		memcpy(image, data, len);
	take(image, size, data, len);
	seal(image, size);
	if (!data)
		check_damaged(image, size);
	bool good = take(image, size, data, len);
	free(image);
	return good;
}

// Or no input would get past the head; and each damage is seen.
FUZZ_BEGIN
{
	FUZZ_CHECK(try_both(NULL, 0));
	return 0;
}

FUZZ_BODY(data, len)
{
	try_both(data, len);
	return 0;
}
