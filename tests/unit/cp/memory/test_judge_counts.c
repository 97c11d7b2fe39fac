// SPDX-License-Identifier: BSD-3-Clause
// Alarms of counts: packet buffers, descriptors, mappings of deleted files.

#include "judge_rig.h"

// One more of `name` each `each_s`; seconds until the alarm.
static unsigned count_run(const char *name, unsigned each_s, unsigned entries)
{
	struct table_info t = {.name = "tcp_connections", .kind = TABLE_CACHE, .cap = 100000};
	for (uint64_t n = 0; n < 4000; n++) {
		uint64_t more = n > WARM && each_s ? (n - WARM) / each_s : 0;
		t.descriptors = n * entries;
		sample_begin();
		s.descriptors = t.descriptors;
		memory_sample_count(&s, name, 50 + n % 3 + more + t.descriptors);
		memory_sample_table(&s, &t);
		sample_end();
		if (status->count)
			return (unsigned)n - WARM;
	}
	return UINT32_MAX;
}

TEST_WITH(counts_alarm_in_time, setup, teardown)
{
	assert_true(count_run("dataplane.buffers", 2, 0) <= 60);
	assert_alone(JUDGE_BUFFERS, "buffers");
	teardown(NULL);
	assert_int_equal(setup(NULL), 0);
	assert_true(count_run("descriptors socket", 1, 0) <= 60);
	teardown(NULL);
	assert_int_equal(setup(NULL), 0);
	assert_true(count_run("descriptors file", 400, 0) <= 3600);
	assert_alone(JUDGE_DESCRIPTORS, "file");
}

TEST_WITH(descriptors_of_tables_are_explained, setup, teardown)
{
	assert_true(count_run("descriptors socket", 0, 1) == UINT32_MAX);
	assert_int_equal(status->raised, 0);
}

// Connections come and go, and weir counts them each five seconds, when some are in no table yet;
// one in two seconds stays open.
TEST_WITH(sockets_that_waver_hide_no_leak, setup, teardown)
{
	enum { BEGINS = 3000, SECONDS = 60 };
	uint64_t random = 88172645463325252u, leaked = 0, open = 0, held = 0;
	for (uint64_t n = 0; n <= BEGINS + SECONDS && !(status && status->count); n++) {
		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		leaked += n > BEGINS && n % 2;
		if (n % 5 == 0) {
			held = random % 60;
			open = held + random / 64 % 4 + leaked;
		}
		sample_begin();
		s.descriptors = held;
		memory_sample_count(&s, "descriptors socket", open);
		sample_end();
		if (n == BEGINS)
			assert_int_equal(status->raised, 0);
	}
	assert_alone(JUDGE_DESCRIPTORS, "socket");
}

TEST_WITH(deleted_mappings_alarm_at_once, setup, teardown)
{
	for (uint64_t n = 0; n < 100; n++) {
		sample_begin();
		memory_sample_count(&s, "dataplane.deleted", n > 50);
		memory_sample_by(&s, MEMORY_COUNT, "dataplane.deleted", "rule_image");
		sample_end();
	}
	assert_alone(JUDGE_DELETED_MAPPINGS, "deleted");
	assert_string_equal(status->alarm[0].by, "rule_image");
}
