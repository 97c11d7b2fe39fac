// SPDX-License-Identifier: BSD-3-Clause
#include "policy_leaves.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool covers(const struct ip_address *p, const struct ip_address *a)
{
	return p->version == a->version && p->prefix_len <= a->prefix_len
	       && bits_same(p->bytes, a->bytes, p->prefix_len);
}

// The longest that covers `a`, -1: none.
static int longest(const struct ip_address *list, unsigned count, const struct ip_address *a)
{
	int length = -1;
	for (unsigned i = 0; i < count; i++)
		if ((int)list[i].prefix_len > length && covers(&list[i], a))
			length = list[i].prefix_len;
	return length;
}

static bool is_limited(const struct config *c)
{
	return c->access.rate > 0 || c->access.network_rate > 0;
}

static enum policy_access access_of(const struct config *c, const struct ip_address *a)
{
	const struct config_access *x = &c->access;
	if (x->allow_count == 0)
		return POLICY_ASK;
	if (longest(x->allow, x->allow_count, a) <= longest(x->deny, x->deny_count, a))
		return POLICY_DENIED; // also where neither has it
	if (!is_limited(c) || longest(x->unlimited, x->unlimited_count, a) >= 0)
		return POLICY_ASK;
	return POLICY_ASK_LIMITED;
}

static unsigned group_of(const struct config *c, const struct ip_address *a)
{
	int best = -1;
	unsigned group = 0;
	for (unsigned i = 0; i < c->group_count; i++) {
		int length = longest(c->groups[i].clients, c->groups[i].client_count, a);
		if (length > best) {
			best = length;
			group = i + 1;
		}
	}
	return group;
}

int policy_leaves_order(const void *a, const void *b)
{
	const struct policy_prefix *x = a, *y = b;
	if (x->address->prefix_len != y->address->prefix_len)
		return x->address->prefix_len < y->address->prefix_len ? -1 : 1;
	return memcmp(x->address->bytes, y->address->bytes, sizeof(x->address->bytes));
}

static void add(
	struct policy_prefixes *p, const struct ip_address *list, unsigned count, unsigned version)
{
	for (unsigned i = 0; i < count; i++)
		if (list[i].version == version)
			p->one[p->count++] = (struct policy_prefix){.address = &list[i]};
}

// In order, so equal ones are neighbours.
static void drop_twins(struct policy_prefixes *p)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < p->count; i++)
		if (kept == 0 || policy_leaves_order(&p->one[i], &p->one[kept - 1]) != 0)
			p->one[kept++] = p->one[i];
	p->count = kept;
}

// What is left covers every address by the same leaf. The prefixes of a local network, say, that is
// a private one too: lookups end where the first bits alone decide.
static void drop_idle(struct policy_prefixes *p, uint8_t other)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < p->count; i++) {
		unsigned k = kept; // behind the longest that covers it
		while (k > 0 && !covers(p->one[k - 1].address, p->one[i].address))
			k--;
		if (p->one[i].leaf != (k > 0 ? p->one[k - 1].leaf : other))
			p->one[kept++] = p->one[i];
	}
	p->count = kept;
}

int policy_leaves_collect(const struct config *c, unsigned version, struct policy_prefixes *out)
{
	const struct config_access *x = &c->access;
	unsigned n = 0, all = x->allow_count + x->deny_count + x->unlimited_count;
	for (unsigned i = 0; i < c->group_count; i++)
		n += c->groups[i].client_count;
	if (n > POLICY_PREFIXES_MAX || c->group_count >= POLICY_GROUPS_MAX)
		return -E2BIG;
	out->one = calloc(n + all + 1, sizeof(*out->one));
	if (!out->one)
		return -ENOMEM;
	for (unsigned i = 0; i < c->group_count; i++)
		add(out, c->groups[i].clients, c->groups[i].client_count, version);
	add(out, x->allow, x->allow_count, version);
	add(out, x->deny, x->deny_count, version);
	add(out, x->unlimited, x->unlimited_count, version);
	qsort(out->one, out->count, sizeof(*out->one), policy_leaves_order);
	drop_twins(out);
	for (unsigned i = 0; i < out->count; i++) {
		const struct ip_address *a = out->one[i].address;
		out->one[i].leaf =
			(uint8_t)(group_of(c, a) | access_of(c, a) << POLICY_ACCESS_SHIFT);
	}
	drop_idle(out, policy_leaf_other(c));
	return 0;
}

uint8_t policy_leaf_other(const struct config *c)
{
	return c->access.allow_count == 0 ? 0 : POLICY_DENIED << POLICY_ACCESS_SHIFT;
}

bool policy_leaves_access(const struct config *c)
{
	return c->access.allow_count > 0;
}
