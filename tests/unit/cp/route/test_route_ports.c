// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/route/route_board.h"
#include "tests/unit/unit.h"

static struct route_ports parse(const char *text)
{
	struct route_ports p;
	route_ports_parse(&p, text, strlen(text));
	return p;
}

static void expect(const struct route_ports *p, unsigned i, unsigned first, unsigned last)
{
	assert_true(i < p->range_count);
	assert_int_equal(p->range[i].first, first);
	assert_int_equal(p->range[i].last, last);
}

TEST(test_shipped)
{
	struct route_ports p = parse("32768\t60999\n");
	assert_int_equal(p.range_count, 2);
	expect(&p, 0, 1024, 32767);
	expect(&p, 1, 61000, 65535);
	assert_int_equal(p.count, 36280);
	assert_true(p.count >= ROUTE_PORTS_LEAST);
}

TEST(test_ends)
{
	struct route_ports p = parse("1024 65535\n");
	assert_int_equal(p.range_count, 0);
	assert_int_equal(p.count, 0);
	p = parse("1 65535");
	assert_int_equal(p.count, 0);
	p = parse("1025 65534");
	assert_int_equal(p.count, 2);
	expect(&p, 0, 1024, 1024);
	expect(&p, 1, 65535, 65535);
	p = parse("1 1023");
	assert_int_equal(p.range_count, 1);
	expect(&p, 0, 1024, 65535);
	p = parse("1 100");
	expect(&p, 0, 1024, 65535);
	p = parse("10000 65535");
	assert_int_equal(p.range_count, 1);
	expect(&p, 0, 1024, 9999);
}

TEST(test_other_text)
{
	static const char *const bad[] = {"", "\n", "32768", "32768 ", "a b", "60999 32768",
		"1 65536", "99999999999999999999 1", "-1 5"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parse(bad[i]).range_count, 0);
	struct route_ports p;
	route_ports_parse(&p, "32768\t60999\n", 5); // cut
	assert_int_equal(p.range_count, 0);
}

static unsigned left(const char *reserved)
{
	struct route_ports p = parse("32768\t60999\n");
	struct local_ports ranges;
	local_ports_parse(&ranges, reserved, strlen(reserved));
	route_ports_reserve(&p, &ranges);
	assert_int_equal(p.range_count, 2);
	return p.count;
}

// Ports that are not drawn do not make up the least number.
TEST(test_reserved)
{
	assert_int_equal(left("\n"), 36280);
	assert_int_equal(left("8080\n"), 36279);
	assert_int_equal(left("8080,9000-9010\n"), 36280 - 12);
	assert_int_equal(left("1-1024,32767-61000,65535"), 36280 - 4);
	assert_int_equal(left("40000-50000"), 36280);
	assert_int_equal(left("9000-"), 36280);
	assert_int_equal(left("9000,x,9001"), 36279);
	assert_int_equal(left("1-65535,1-65535"), 0);
	assert_true(left("20000-23600") < ROUTE_PORTS_LEAST);
}
