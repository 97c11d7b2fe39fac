// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/shm/drop_list.h"
#include "tests/unit/unit.h"

enum { MINUTE_MS = 60000 };

static struct directory *dir;

static int setup(void **)
{
	dir = aligned_alloc(SHM_PAGE, sizeof(*dir));
	if (dir)
		memset(dir, 0, sizeof(*dir));
	return dir ? 0 : -1;
}

FIXTURE(teardown, free(dir))

static int add(const char *text, unsigned minutes, uint64_t now_ms)
{
	struct ip_address a = address_of_text(text);
	return drop_list_add(dir, &a, minutes, now_ms);
}

static unsigned listed(uint64_t now_ms)
{
	unsigned n = 0;
	for (unsigned i = 0; i < DIRECTORY_DROPS_MAX; i++) {
		struct ip_address a;
		uint64_t left_ms;
		n += drop_list_at(dir, i, now_ms, &a, &left_ms);
	}
	return n;
}

TEST_WITH(entries_end_with_their_time, setup, teardown)
{
	struct ip_address a = address_of_text("198.18.0.0/24"), seen;
	uint64_t left_ms;
	assert_int_equal(drop_list_add(dir, &a, 2, 1000), 0);
	assert_int_equal(dir->drops.sequence % 2, 0);
	assert_true(drop_list_at(dir, 0, 1000, &seen, &left_ms));
	assert_int_equal(left_ms, 2 * MINUTE_MS);
	assert_memory_equal(seen.bytes, "\xc6\x12\x00\x00", 4);
	assert_int_equal(seen.prefix_len, 24);
	assert_int_equal(listed(1000 + 2 * MINUTE_MS - 1), 1);
	assert_int_equal(listed(1000 + 2 * MINUTE_MS), 0);
	// Its place is free then.
	assert_int_equal(add("fd53::/64", 1, 1000 + 2 * MINUTE_MS), 0);
	assert_int_equal(dir->drops.entry[0].version, 6);
}

TEST_WITH(same_source_is_one_entry, setup, teardown)
{
	uint64_t before = dir->drops.sequence;
	assert_int_equal(add("198.18.0.7", 1, 0), 0);
	assert_int_equal(add("198.18.0.8/32", 1, 0), 0);
	assert_int_equal(add("198.18.0.8", 9, 0), 0);
	assert_int_equal(listed(0), 2);
	assert_int_equal(listed(MINUTE_MS), 1);
	assert_int_equal(dir->drops.sequence, before + 6);
	struct ip_address a = address_of_text("198.18.0.8");
	assert_int_equal(drop_list_remove(dir, &a, 0), 0);
	assert_int_equal(drop_list_remove(dir, &a, 0), -ENOENT);
	a = address_of_text("198.18.0.7");
	assert_int_equal(drop_list_remove(dir, &a, MINUTE_MS), -ENOENT); // over by then
}

TEST_WITH(nonsense_is_refused, setup, teardown)
{
	assert_int_equal(add("198.0.0.0/7", 1, 0), -EINVAL);
	assert_int_equal(add("fd53::/23", 1, 0), -EINVAL);
	assert_int_equal(add("198.18.0.1", 0, 0), -EINVAL);
	assert_int_equal(add("fd53::1/64", 1, 0), -EDOM);
	struct ip_address wide = address_of_text("198.18.3.0/15");
	assert_int_equal(drop_list_add(dir, &wide, 1, 0), -EDOM); // a slip for /24?
	assert_memory_equal(wide.bytes, "\xc6\x12\x00\x00", 4);
	assert_int_equal(add("198.18.0.1", DROP_MINUTES_MAX + 1, 0), -EINVAL);
	assert_int_equal(listed(0), 0);
	assert_int_equal(dir->drops.sequence, 0);
}

TEST_WITH(full_list_refuses, setup, teardown)
{
	for (unsigned i = 0; i < DIRECTORY_DROPS_MAX; i++) {
		struct ip_address a = address_of_text("198.18.0.0/32");
		a.bytes[3] = (uint8_t)i;
		assert_int_equal(drop_list_add(dir, &a, 1, 0), 0);
	}
	assert_int_equal(add("198.18.9.9", 1, 0), -ENOSPC);
	assert_int_equal(add("198.18.0.5", 2, 0), 0); // that one is there
	assert_int_equal(add("198.18.9.9", 1, MINUTE_MS), 0);
}

TEST_WITH(half_written_list_is_cleared, setup, teardown)
{
	assert_int_equal(add("198.18.0.7", 5, 0), 0);
	drop_list_open(dir);
	assert_int_equal(listed(0), 1); // a restart keeps what is whole
	dir->drops.sequence |= 1;
	drop_list_open(dir);
	assert_int_equal(listed(0), 0);
	assert_int_equal(dir->drops.sequence % 2, 0);
	assert_int_equal(add("198.18.0.7", 5, 0), 0);
	dir->drops.entry[9] = (struct directory_drop){.version = 5};
	drop_list_open(dir);
	assert_int_equal(listed(0), 0);
}
