// SPDX-License-Identifier: BSD-3-Clause

// Groups and access in one policy image, against a model.

#include "policy_world.h"

struct access_lists {
	struct ip_address allow[64], deny[64], unlimited[64];
};

static int longest_in(
	const struct ip_address *list, unsigned count, unsigned version, const uint8_t *address)
{
	int best = -1;
	for (unsigned i = 0; i < count; i++)
		if (list[i].version == version && list[i].prefix_len > best
			&& covers(&list[i], address))
			best = list[i].prefix_len;
	return best;
}

static unsigned model_leaf(unsigned version, const uint8_t *address)
{
	const struct config_access *x = &w.config.access;
	unsigned access = POLICY_ASK_LIMITED;
	if (longest_in(x->allow, x->allow_count, version, address)
		<= longest_in(x->deny, x->deny_count, version, address))
		access = POLICY_DENIED;
	else if (longest_in(x->unlimited, x->unlimited_count, version, address) >= 0)
		access = POLICY_ASK;
	return model(version, address) | access << POLICY_ACCESS_SHIFT;
}

static unsigned random_prefixes(struct ip_address *out, unsigned count)
{
	unsigned n = 0;
	while (n < count) {
		struct ip_address a = random_prefix(n % 2 ? 4 : 6);
		bool twice = false;
		for (unsigned i = 0; i < n; i++)
			twice |= memcmp(&out[i], &a, sizeof(a)) == 0;
		if (!twice)
			out[n++] = a;
	}
	return n;
}

static void compare_leaves(const struct ip_address *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned flip = 0; flip < 128; flip += 5) {
			uint8_t a[16];
			unsigned bits = list[i].version == 4 ? 32 : 128, at = flip % bits;
			memcpy(a, list[i].bytes, sizeof(a));
			a[at / 8] ^= (uint8_t)(0x80u >> at % 8);
			unsigned leaf = list[i].version == 4 ? policy_leaf_v4(&w.reader, a)
							     : policy_leaf_v6(&w.reader, a);
			assert_int_equal(leaf, model_leaf(list[i].version, a));
		}
}

// Groups and access each by their own longest prefix, however the prefixes lie to each other.
TEST(test_groups_and_access)
{
	static struct access_lists l;
	for (unsigned round = 0; round < 20; round++) {
		rnd.state = round + 1;
		world_clear(4);
		for (unsigned i = 0; i < 100; i++) {
			struct ip_address a = random_prefix(i % 2 ? 4 : 6);
			add(i % 4, &a);
		}
		w.config.access = (struct config_access){
			.allow = l.allow,
			.deny = l.deny,
			.unlimited = l.unlimited,
			.allow_count = random_prefixes(l.allow, 1 + round * 3),
			.deny_count = random_prefixes(l.deny, round),
			.unlimited_count = random_prefixes(l.unlimited, round * 2),
			.network_rate = 1,
		};
		if (round % 2)
			l.deny[0] = l.allow[0];
		build();
		assert_true(w.reader.has_access);
		compare_leaves(l.allow, w.config.access.allow_count);
		compare_leaves(l.deny, w.config.access.deny_count);
		compare_leaves(l.unlimited, w.config.access.unlimited_count);
		for (unsigned g = 0; g < 4; g++)
			compare_leaves(w.prefix[g], w.group[g].client_count);
		free(w.image.head);
	}
	memset(&w.config.access, 0, sizeof(w.config.access));
}
