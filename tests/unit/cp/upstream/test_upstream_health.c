// SPDX-License-Identifier: BSD-3-Clause
// Records of servers that sets share: by address, for as long as a set has it, and no more than
// there is room for.

#include "controlplane/base/table_registry.h"
#include "controlplane/upstream/upstream_internal.h"
#include "tests/unit/unit.h"

static union upstream_peer peer(uint32_t address, uint16_t port)
{
	return (union upstream_peer){.v4 = {.sin_family = AF_INET,
					     .sin_port = htons(port),
					     .sin_addr.s_addr = htonl(address)}};
}

static uint64_t used(void)
{
	struct table_registry r = {0};
	upstream_health_tables(&r);
	assert_int_equal(r.count, 1);
	return r.table[0].used;
}

TEST(test_one_for_each_address)
{
	const union upstream_peer a = peer(0xc0000201, 53), b = peer(0xc0000201, 54);
	struct upstream_health *first = upstream_health_acquire(&a);
	struct upstream_health *other = upstream_health_acquire(&b);
	assert_non_null(first);
	assert_non_null(other);
	assert_ptr_not_equal(first, other);
	assert_int_equal(used(), 2);
	first->silent = 7;
	assert_ptr_equal(upstream_health_acquire(&a), first);
	assert_int_equal(first->silent, 7);
	assert_int_equal(used(), 2);
	upstream_health_release(first);
	assert_ptr_equal(upstream_health_acquire(&a), first);
	assert_int_equal(first->silent, 7); // one set has had it all the time
	upstream_health_release(first);
	upstream_health_release(first);
	first = upstream_health_acquire(&a);
	assert_int_equal(first->silent, 0); // nobody had
	upstream_health_release(first);
	upstream_health_release(other);
	upstream_health_release(NULL);
	assert_int_equal(used(), 0);
}

TEST(test_full)
{
	struct upstream_health *h[UPSTREAM_HEALTH_MAX];
	union upstream_peer a;
	for (unsigned i = 0; i < UPSTREAM_HEALTH_MAX; i++) {
		a = peer(i, 53);
		h[i] = upstream_health_acquire(&a);
		assert_non_null(h[i]);
		assert_int_equal((uintptr_t)h[i] % 64, 0);
	}
	a = peer(UPSTREAM_HEALTH_MAX, 53);
	assert_null(upstream_health_acquire(&a));
	upstream_health_release(h[5]);
	h[5] = upstream_health_acquire(&a);
	assert_non_null(h[5]);
	for (unsigned i = 0; i < UPSTREAM_HEALTH_MAX; i++)
		upstream_health_release(h[i]);
}

// A set goes by what it has measured itself, and by the record once that is a second old.
TEST(test_times_of_another_set)
{
	enum { OWN_US = 1000, THEIRS_US = 9000, SECOND_US = 1000000 };
	const union upstream_peer a = peer(0xc0000201, 53);
	struct upstream s = {.health = upstream_health_acquire(&a)};
	uint64_t now_us = 10 * SECOND_US;
	upstream_server_answered(&s, OWN_US, now_us);
	assert_int_equal(s.srtt_us, OWN_US);
	upstream_health_set(s.health, srtt_us, THEIRS_US);
	now_us += SECOND_US - 1;
	upstream_server_answered(&s, OWN_US, now_us);
	assert_int_equal(s.srtt_us, OWN_US);
	upstream_health_set(s.health, srtt_us, THEIRS_US);
	now_us += SECOND_US;
	upstream_server_answered(&s, OWN_US, now_us);
	assert_int_equal(s.srtt_us, (7 * THEIRS_US + OWN_US) / 8);
	upstream_health_release(s.health);
}
