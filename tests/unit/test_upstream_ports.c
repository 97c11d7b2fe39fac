// SPDX-License-Identifier: BSD-3-Clause
// The ports that the operator reserves, from the kernel's text.

#include "../../controlplane/upstream_ports.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/attr.h>

static struct upstream_ports parsed(const char *text)
{
	struct upstream_ports out;
	size_t len = strlen(text);
	char *exact = malloc(len + 1);

	memcpy(exact, text, len);
	char *shrunk = realloc(exact, len ? len : 1); // nothing behind its end may be read
	upstream_ports_parse(&out, shrunk, len);
	free(shrunk);
	return out;
}

static void test_text(void **)
{
	struct upstream_ports p = parsed("53,1024-1026,60000-65535\n");

	assert_int_equal(p.count, 3);
	assert_true(upstream_ports_reserved(&p, 53));
	assert_false(upstream_ports_reserved(&p, 54));
	assert_false(upstream_ports_reserved(&p, 1023));
	for (uint16_t port = 1024; port <= 1026; port++)
		assert_true(upstream_ports_reserved(&p, port));
	assert_false(upstream_ports_reserved(&p, 1027));
	assert_true(upstream_ports_reserved(&p, 65535));
}

static void test_odd_text(void **)
{
	static const struct {
		const char *text;
		unsigned count;
	} cases[] = {
		{"", 0},
		{"\n", 0},
		{"x", 0},
		{"-5", 0},
		{"65536", 0},
		{"99999999999", 0},
		{"8080", 1},
		{"8080,", 1},
		{"8080-", 0},
		{"8080-70000", 0},
		{"1,2,x,3", 2},
		{"1 2", 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(parsed(cases[i].text).count, cases[i].count);
}

static void test_many(void **)
{
	char text[4096];
	size_t used = 0;

	for (unsigned i = 0; i < 200; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%u,", 2000 + 2 * i);
	struct upstream_ports p = parsed(text);
	assert_int_equal(p.count, UPSTREAM_PORT_RANGES_MAX);
	assert_true(upstream_ports_reserved(&p, 2000 + 2 * (UPSTREAM_PORT_RANGES_MAX - 1)));
	assert_false(upstream_ports_reserved(&p, 2000 + 2 * UPSTREAM_PORT_RANGES_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_odd_text),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
