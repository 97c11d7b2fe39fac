// SPDX-License-Identifier: BSD-3-Clause

// Offsets of time zones beside Python's zoneinfo, and files that no tz database has.

#include "tests/unit/unit.h"

#include <weir/time_zone.h>

enum { HOUR = 3600 };

static struct time_zone *zone_read(const char *name)
{
	static char bytes[TIME_ZONE_FILE_MAX];
	struct time_zone *z;
	char path[100];
	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	FILE *f = fopen(path, "re");
	if (!f)
		fail_msg("%s: is tzdata installed?", path);
	const size_t len = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	if (time_zone_parse(bytes, len, &z) != 0)
		fail_msg("%s: refused", path);
	return z;
}

// Both sides of each change from 1970 to 2100, and a moment of each week, with Python's offset.
static const char script[] =
	"import sys, zoneinfo, datetime\n"
	"zone = zoneinfo.ZoneInfo(sys.argv[1])\n"
	"def at(t):\n"
	"    return int(datetime.datetime.fromtimestamp(t, zone).utcoffset().total_seconds())\n"
	"def tell(t):\n"
	"    print(t, at(t))\n"
	"week, t = 7 * 86400 + 3607, 0\n"
	"while t < 4102444800:\n"
	"    tell(t)\n"
	"    low, high = t, t + week\n"
	"    if at(low) != at(high):\n"
	"        while high - low > 1:\n"
	"            mid = (low + high) // 2\n"
	"            low, high = (mid, high) if at(mid) == at(low) else (low, mid)\n"
	"        tell(low), tell(high)\n"
	"    t += week\n";

TEST(test_beside_python)
{
	// Summer time in winter (Dublin), of half an hour and two hours, on both hemispheres, at
	// midnight, on the day before, by a table of years alone, and none.
	static const char *const names[] = {"Europe/Berlin", "Europe/Dublin", "Europe/London",
		"America/New_York", "America/Santiago", "America/Nuuk", "America/Havana",
		"Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham",
		"Pacific/Apia", "Antarctica/Troll", "Africa/Casablanca", "Asia/Gaza",
		"Asia/Kathmandu", "Asia/Tehran", "Etc/GMT+12", "UTC"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct time_zone *z = zone_read(names[i]);
		char command[sizeof(script) + 100];
		long long t;
		int offset;
		unsigned count = 0;
		snprintf(command, sizeof(command), "python3 -c '%s' %s", script, names[i]);
		FILE *p = popen(command, "re");
		assert_non_null(p);
		for (; fscanf(p, "%lld %d", &t, &offset) == 2; count++)
			if (time_zone_offset(z, t) != offset)
				fail_msg("%s at %lld: %d, not %d", names[i], t,
					time_zone_offset(z, t), offset);
		assert_int_equal(pclose(p), 0);
		assert_true(count > 6700);
		time_zone_free(z);
	}
}

struct made {
	uint8_t bytes[512];
	struct wr w;
};

static void header(struct wr *w, char version, unsigned leap, unsigned transitions)
{
	static const uint8_t zero[15];
	wr_bytes(w, "TZif", 4);
	wr_u8(w, (uint8_t)version);
	wr_bytes(w, zero, sizeof(zero));
	const unsigned counts[] = {0, 0, leap, transitions, 2, 4};
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		wr_u16(w, 0);
		wr_u16(w, (uint16_t)counts[i]);
	}
}

static void put(struct wr *w, int64_t value, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		wr_u8(w, (uint8_t)((uint64_t)value >> i * 8));
}

// Two types, an hour and two hours east, with changes at these times by turns.
static void block(struct wr *w, unsigned width, const int64_t *at, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		put(w, at[i], width);
	for (unsigned i = 0; i < count; i++)
		wr_u8(w, (uint8_t)(1 - i % 2));
	for (unsigned type = 0; type < 2; type++) {
		put(w, (1 + type) * HOUR, 4);
		wr_u16(w, (uint16_t)(type << 8));
	}
	wr_bytes(w, "X\0Y", 4);
}

static void make(struct made *m, const int64_t *at, unsigned count, const char *footer)
{
	m->w = wr_init(m->bytes, sizeof(m->bytes));
	header(&m->w, '2', 0, 0);
	block(&m->w, 4, NULL, 0);
	header(&m->w, '2', 0, count);
	block(&m->w, 8, at, count);
	wr_u8(&m->w, '\n');
	wr_bytes(&m->w, footer, strlen(footer));
	wr_u8(&m->w, '\n');
	assert_true(wr_ok(&m->w));
}

static int offset_of(const char *footer, int64_t t)
{
	struct made m;
	struct time_zone *z;
	make(&m, NULL, 0, footer);
	if (time_zone_parse(m.bytes, m.w.pos, &z) != 0)
		return INT32_MIN;
	const int offset = time_zone_offset(z, t);
	time_zone_free(z);
	return offset;
}

static void expect_refused(const struct made *m, const char *what)
{
	struct time_zone *z;
	if (time_zone_parse(m->bytes, m->w.pos, &z) != -EBADMSG)
		fail_msg("taken: %s", what);
}

TEST(test_versions)
{
	static const int64_t at[] = {-1000, 1000, INT64_C(5000000000)};
	struct made m = {.w = wr_init(m.bytes, sizeof(m.bytes))};
	struct time_zone *z;
	header(&m.w, '\0', 0, 2);
	block(&m.w, 4, at, 2);
	assert_int_equal(time_zone_parse(m.bytes, m.w.pos, &z), 0);
	assert_int_equal(time_zone_offset(z, INT64_MIN), HOUR);
	assert_int_equal(time_zone_offset(z, -1001), HOUR);
	assert_int_equal(time_zone_offset(z, -1000), 2 * HOUR);
	assert_int_equal(time_zone_offset(z, 999), 2 * HOUR);
	assert_int_equal(time_zone_offset(z, INT64_MAX), HOUR);
	time_zone_free(z);
	make(&m, at, 3, "<-0330>3:30"); // the first block is not looked at
	assert_int_equal(time_zone_parse(m.bytes, m.w.pos, &z), 0);
	assert_int_equal(time_zone_offset(z, at[2] - 1), HOUR);
	assert_int_equal(time_zone_offset(z, at[2]), -(3 * HOUR + 1800));
	time_zone_free(z);
	make(&m, at, 3, "");
	assert_int_equal(time_zone_parse(m.bytes, m.w.pos, &z), 0);
	assert_int_equal(time_zone_offset(z, INT64_MAX), 2 * HOUR);
	time_zone_free(z);
}

TEST(test_footers)
{
	enum { MARCH_1_2024 = 1709251200, DAY = 86400 };
	assert_int_equal(offset_of("EST5EDT,M3.2.0,M11.1.0", 1772953199), -5 * HOUR);
	assert_int_equal(offset_of("EST5EDT,M3.2.0,M11.1.0", 1772953200), -4 * HOUR);
	assert_int_equal(offset_of("XST0XDT,J60/0,J61/0", MARCH_1_2024 - 1), 0);
	assert_int_equal(offset_of("XST0XDT,J60/0,J61/0", MARCH_1_2024), HOUR); // not a leap day
	assert_int_equal(offset_of("XST0XDT,59/0,60/0", MARCH_1_2024 - DAY), HOUR);
	assert_int_equal(offset_of("XST0XDT,59/0,60/0", MARCH_1_2024 + HOUR), 0);
	assert_int_equal(offset_of("EST5EDT,0/0,J365/25", 1704067200 + 5 * HOUR), -4 * HOUR);
	assert_int_equal(offset_of("EST5EDT,0/0,J365/25", 1704067200 + 5 * HOUR - 1), -4 * HOUR);
	assert_int_equal(offset_of("CET-1CEST,M3.5.0,M10.5.0/3", INT64_MAX), HOUR);
	assert_int_equal(offset_of("CET-1CEST,M3.5.0,M10.5.0/3", INT64_MIN), HOUR);
	static const char *const bad[] = {"C-1", "CET", "CET-", "CET-1 ", "CET-25", "CET-1CEST",
		"CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M0.5.0,M10.5.0",
		"CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J5",
		"CET-1CEST,366,5", "CET-1CEST,M3.5.0/168,M10.5.0", "<CET-1", "CET-1CEST,,",
		"CET-1:60", "CET-1CEST,M3.5.0,M10.5.0,", "CET-1CEST,M3,M10"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (offset_of(bad[i], 0) != INT32_MIN)
			fail_msg("taken: %s", bad[i]);
	char long_text[200];
	memset(long_text, 'A', sizeof(long_text));
	strcpy(long_text + sizeof(long_text) - 3, "-1");
	assert_int_equal(offset_of(long_text, 0), INT32_MIN);
}

TEST(test_bad_files)
{
	static const int64_t good[] = {1, 2}, falls[] = {2, 1}, same[] = {2, 2};
	struct made m;
	struct time_zone *z;
	make(&m, good, 2, "CET-1");
	const struct made whole = m;
	for (m.w.pos = 0; m.w.pos < whole.w.pos; m.w.pos++)
		expect_refused(&m, "a part of a file");
	make(&m, falls, 2, "CET-1");
	expect_refused(&m, "times that fall");
	make(&m, same, 2, "CET-1");
	expect_refused(&m, "times that are the same");
	m.w = wr_init(m.bytes, sizeof(m.bytes));
	header(&m.w, '\0', 1, 0);
	block(&m.w, 4, NULL, 0);
	put(&m.w, 0, 8);
	expect_refused(&m, "leap seconds");
	m = whole;
	put_u32(m.bytes + m.w.pos - 7 - 4 - 12, 26 * HOUR + 1);
	expect_refused(&m, "an offset of more than 26 hours");
	// Each byte with each value: what is taken has offsets.
	for (size_t i = 0; i < whole.w.pos; i++)
		for (unsigned value = 0; value < 256; value++) {
			m = whole;
			m.bytes[i] = (uint8_t)value;
			if (time_zone_parse(m.bytes, m.w.pos, &z) != 0)
				continue;
			for (int64_t t = -2; t < 4; t++)
				assert_in_range(time_zone_offset(z, t) + 26 * HOUR, 0, 52 * HOUR);
			time_zone_free(z);
		}
}
