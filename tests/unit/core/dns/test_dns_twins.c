// SPDX-License-Identifier: BSD-3-Clause
// Records that are there twice (RFC 2181 5).

#include "dataplane/core/dns/dns_records.h"
#include "tests/unit/unit.h"

static uint8_t msg[65535];
static struct dns_records records;
static struct wr w;

// For a.test A; owners are `a.test` by pointer, in full, or in capitals.
static void begin(unsigned answers, unsigned authority)
{
	w = wr_init(msg, sizeof(msg));
	wr_u16(&w, 1);
	wr_u16(&w, 0x8180);
	wr_u16(&w, 1);
	wr_u16(&w, (uint16_t)answers);
	wr_u16(&w, (uint16_t)authority);
	wr_u16(&w, 0);
	wr_bytes(&w, "\1a\4test\0\0\1\0\1", 12);
}

static void record(const char *owner, size_t owner_len, uint16_t type, uint32_t data)
{
	wr_bytes(&w, owner, owner_len);
	wr_u16(&w, type);
	wr_u16(&w, 1);
	wr_u32(&w, 60);
	wr_u16(&w, 4);
	wr_u32(&w, data);
}

#define POINTER "\300\14", 2
#define WHOLE   "\1a\4test\0", 8
#define LOUD    "\1A\4TEST\0", 8
#define OTHER   "\1b\4test\0", 8

// All are kept at first.
static unsigned dropped(void)
{
	unsigned n = 0;

	assert_true(wr_ok(&w));
	assert_int_equal(dns_records_read(msg, w.pos, 24, &records), 0);
	for (unsigned i = 0; i < records.count; i++)
		records.rec[i].keep = 1;
	dns_twins_drop(&records);
	for (unsigned i = 0; i < records.count; i++)
		n += !records.rec[i].keep;
	return n;
}

TEST(test_the_first_one_stays)
{
	begin(5, 0);
	record(POINTER, 1, 7);
	record(POINTER, 1, 8);
	record(WHOLE, 1, 7);
	record(LOUD, 1, 8);
	record(POINTER, 1, 7);
	assert_int_equal(dropped(), 3);
	assert_true(records.rec[0].keep && records.rec[1].keep);
}

TEST(test_what_differs_in_anything_stays)
{
	begin(4, 2);
	record(POINTER, 1, 7);
	record(POINTER, 1, 8);
	record(POINTER, 99, 7);
	record(OTHER, 1, 7);
	record(POINTER, 1, 7); // of the authority section
	record(POINTER, 1, 7);
	assert_int_equal(dropped(), 0);
}

TEST(test_what_is_not_kept_drops_nothing)
{
	begin(2, 0);
	record(POINTER, 1, 7);
	record(POINTER, 1, 7);
	assert_int_equal(dns_records_read(msg, w.pos, 24, &records), 0);
	records.rec[0].keep = 0;
	records.rec[1].keep = 1;
	dns_twins_drop(&records);
	assert_true(records.rec[1].keep);
}

TEST(test_as_many_as_there_can_be)
{
	enum { HALF = DNS_ANSWER_RECORDS_MAX / 2 };

	begin(2 * HALF, 0);
	for (unsigned i = 0; i < 2 * HALF; i++)
		record(POINTER, 1, i % HALF);
	assert_in_range(dropped(), HALF - HALF / 100, HALF); // but for what probing gives up on
	for (unsigned i = 0; i < HALF; i++)
		assert_true(records.rec[i].keep);
}
