// SPDX-License-Identifier: BSD-3-Clause
// The line of the log about memory: when it comes, and what it says.

#include "controlplane/memory/memory_meter.h"
#include "tests/unit/unit.h"

#include <weir/mem_account.h>

enum { MIB = 1 << 20 };

static struct memory_line line;
static struct memory_sample sample;
static char text[MEMORY_LINE_MAX];

static void fill_put(const char *name, uint64_t used, uint64_t cap)
{
	struct memory_item *i = &sample.item[sample.count++];
	*i = (struct memory_item){.kind = MEMORY_FILL, .value = used, .cap = cap};
	strcpy(i->name, name);
}

static void sample_make(unsigned second, unsigned redis_mib, unsigned upstream_mib)
{
	sample = (struct memory_sample){.uptime_ms = second * 1000};
	memory_sample_bytes(&sample, "rss", (uint64_t)(100 + second) * MIB);
	memory_sample_bytes(&sample, "heap", 50ull * MIB + MIB / 2);
	memory_sample_bytes(&sample, METER_DATAPLANE "rss", 40ull * MIB);
	memory_sample_bytes(
		&sample, mem_account_names[MEM_ACCOUNT_redis], (uint64_t)redis_mib * MIB);
	memory_sample_bytes(
		&sample, mem_account_names[MEM_ACCOUNT_upstream], (uint64_t)upstream_mib * MIB);
	memory_sample_bytes(&sample, METER_DATAPLANE "images", (uint64_t)redis_mib * 2 * MIB);
	fill_put("inflight", 1, 100);
	fill_put("l0", 99, 100);
	fill_put("empty", 0, 100);
	fill_put("waiters", 50, 100);
	fill_put("views", 25, 100);
}

FIXTURE(setup, memset(&line, 0, sizeof(line)))

TEST_WITH(test_it_is_off, setup, NULL)
{
	for (unsigned second = 1; second < 1000; second++) {
		sample_make(second, 0, 0);
		assert_null(memory_line_take(&line, &sample, 0, text));
	}
}

TEST_WITH(test_it_comes_each_interval, setup, NULL)
{
	unsigned lines = 0;
	for (unsigned second = 1; second <= 301; second++) {
		sample_make(second, 0, 0);
		lines += memory_line_take(&line, &sample, 60, text) != NULL;
	}
	assert_int_equal(lines, 5);
}

TEST_WITH(test_it_says_what_grew_and_what_is_full, setup, NULL)
{
	sample_make(1, 2, 7);
	assert_null(memory_line_take(&line, &sample, 10, text));
	sample_make(11, 5, 6);
	assert_ptr_equal(memory_line_take(&line, &sample, 10, text), text);
	assert_string_equal(text, "memory in MiB: rss 111.0, heap 50.5; data plane rss 40.0; "
				  "gained in 10 s: dataplane.images +6.0, redis +3.0; "
				  "fullest: l0 99%, waiters 50%, views 25%");
	sample_make(21, 5, 6);
	assert_non_null(memory_line_take(&line, &sample, 10, text));
	assert_non_null(strstr(text, "; gained in 10 s: none; fullest: l0 99%"));
}
